"""What follows users from a room to its successor, and what does not."""

from harness.clients import path


def upgraded(client, room, version="12"):
    return client.post("rooms", room, "upgrade", json={"new_version": version})["replacement_room"]


def room_rules(client):
    return {rule["rule_id"]: rule for rule in client.get("pushrules", "")["global"]["room"]}


def test_tags_and_notifications_follow(alice, bob):
    old = alice.create_room(preset="public_chat", room_version="10")
    bob.join(old)
    for client in (alice, bob):
        client.put("user", client.user, "rooms", old, "tags", "u.work", json={"order": 0.5})
        client.put("pushrules", "global", "room", old, json={"actions": ["notify"]})
    new = upgraded(alice, old)
    tombstones = [event for event in bob.messages(old)["chunk"] if event["type"] == "m.room.tombstone"]
    assert [event["content"]["replacement_room"] for event in tombstones] == [new]
    assert alice.get("user", alice.user, "rooms", new, "tags")["tags"] == {"u.work": {"order": 0.5}}
    assert room_rules(alice)[new]["actions"] == ["notify"]
    # Bob's when he comes.
    assert bob.get("user", bob.user, "rooms", new, "tags")["tags"] == {}
    bob.join(new)
    assert bob.get("user", bob.user, "rooms", new, "tags")["tags"] == {"u.work": {"order": 0.5}}
    assert room_rules(bob)[new]["actions"] == ["notify"]
    assert old in room_rules(bob), "the old room keeps its own"


def test_direct_chats_stay_direct(alice, bob):
    old = alice.create_room(preset="trusted_private_chat", is_direct=True, invite=[bob.user], room_version="10")
    bob.join(old)
    alice.put("user", alice.user, "account_data", "m.direct", json={bob.user: ["!other:example.org", old], "@x:y.z": ["!z:y.z"]})
    new = upgraded(alice, old)
    direct = alice.get("user", alice.user, "account_data", "m.direct")
    assert direct == {bob.user: ["!other:example.org", old, new], "@x:y.z": ["!z:y.z"]}


def test_what_a_user_has_noted_of_the_new_room_stays(alice, bob):
    old = alice.create_room(preset="public_chat", room_version="10")
    bob.join(old)
    bob.put("user", bob.user, "rooms", old, "tags", "u.old", json={})
    new = upgraded(alice, old)
    bob.put("user", bob.user, "rooms", new, "tags", "u.new", json={})
    bob.join(new)
    assert bob.get("user", bob.user, "rooms", new, "tags")["tags"] == {"u.new": {}}


def test_nothing_follows_who_was_never_there(alice, carol):
    old = alice.create_room(preset="public_chat", room_version="10")
    carol.put("user", carol.user, "rooms", old, "tags", "u.watch", json={})
    new = upgraded(alice, old)
    carol.join(new)
    assert carol.get("user", carol.user, "rooms", new, "tags")["tags"] == {}


def test_no_tombstone_leads_back(alice):
    room = alice.create_room(preset="private_chat")
    body = {"body": "Round and round", "replacement_room": room}
    alice.refused("M_INVALID_PARAM", 400, "PUT", "rooms", room, "state", "m.room.tombstone", "", json=body)
    alice.refused("M_INVALID_PARAM", 400, "PUT", "rooms", room, "send", "m.room.tombstone", "t1", json=body)
    other = alice.create_room(preset="private_chat")
    assert alice.request(
        "PUT", path("rooms", room, "send", "m.room.tombstone", "t2"), json={"body": "On", "replacement_room": other}
    ).status_code == 200
