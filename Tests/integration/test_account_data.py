"""What belongs to a user beside rooms: profile, account data, tags, typing, receipts, presence, ignoring, push rules."""

import pytest


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    return room


def joined(sync, room):
    return sync.get("rooms", {}).get("join", {}).get(room, {})


def ephemeral(sync, room, kind):
    return [event["content"] for event in joined(sync, room).get("ephemeral", {}).get("events", []) if event["type"] == kind]


def account_data(section, kind):
    return [event["content"] for event in section.get("account_data", {}).get("events", []) if event["type"] == kind]


def test_profile_reaches_the_rooms(alice, bob, room):
    alice.put("profile", alice.user, "displayname", json={"displayname": "Alice Î."})
    alice.put("profile", alice.user, "avatar_url", json={"avatar_url": "mxc://chappe.test/avatar"})
    assert bob.get("profile", alice.user) | {} == {"displayname": "Alice Î.", "avatar_url": "mxc://chappe.test/avatar"}
    assert bob.get("profile", alice.user, "displayname") == {"displayname": "Alice Î."}
    bob.sync_until(
        # A server may update the rooms after it has answered.
        lambda _: bob.state(room, "m.room.member", alice.user).get("avatar_url") == "mxc://chappe.test/avatar"
    )
    assert bob.state(room, "m.room.member", alice.user)["displayname"] == "Alice Î."
    bob.refused("M_FORBIDDEN", (400, 403), "PUT", "profile", alice.user, "displayname", json={"displayname": "Mallory"})
    alice.put("profile", alice.user, "org.example.office", json={"org.example.office": "3.14"})
    assert bob.get("profile", alice.user, "org.example.office") == {"org.example.office": "3.14"}
    alice.delete("profile", alice.user, "org.example.office")
    bob.refused("M_NOT_FOUND", 404, "GET", "profile", alice.user, "org.example.office")
    bob.refused("M_NOT_FOUND", 404, "GET", "profile", f"@nobody-at-all:{alice.server.server_name}")


def test_account_data_reaches_every_device(alice, bob):
    phone = alice.another_device()
    since = phone.sync()["next_batch"]
    alice.put("user", alice.user, "account_data", "org.example.theme", json={"dark": True})
    assert alice.get("user", alice.user, "account_data", "org.example.theme") == {"dark": True}
    (data, _) = phone.sync_until(lambda sync: account_data(sync, "org.example.theme"), since)
    assert data == [{"dark": True}]
    alice.refused("M_NOT_FOUND", 404, "GET", "user", alice.user, "account_data", "org.example.nothing")
    bob.refused("M_FORBIDDEN", 403, "GET", "user", alice.user, "account_data", "org.example.theme")


def test_room_account_data_and_tags(alice, room):
    since = alice.sync()["next_batch"]
    alice.put("user", alice.user, "rooms", room, "account_data", "org.example.note", json={"text": "remember"})
    assert alice.get("user", alice.user, "rooms", room, "account_data", "org.example.note") == {"text": "remember"}
    (data, since) = alice.sync_until(lambda sync: account_data(joined(sync, room), "org.example.note"), since)
    assert data == [{"text": "remember"}]
    alice.put("user", alice.user, "rooms", room, "tags", "m.favourite", json={"order": 0.25})
    alice.put("user", alice.user, "rooms", room, "tags", "u.work", json={})
    tags = alice.get("user", alice.user, "rooms", room, "tags")["tags"]
    assert tags == {"m.favourite": {"order": 0.25}, "u.work": {}}
    alice.delete("user", alice.user, "rooms", room, "tags", "u.work")

    def only_favourite(sync):
        return any(content["tags"].keys() == {"m.favourite"} for content in account_data(joined(sync, room), "m.tag"))

    alice.sync_until(only_favourite, since)


def test_servers_own_account_data_is_not_writable(alice, room):
    alice.refused(("M_BAD_JSON", "M_FORBIDDEN"), 405, "PUT", "user", alice.user, "account_data", "m.push_rules", json={})
    alice.refused(
        ("M_BAD_JSON", "M_FORBIDDEN"), 405, "PUT", "user", alice.user, "rooms", room, "account_data", "m.fully_read", json={}
    )


def test_typing_comes_and_goes(alice, bob, room):
    since = bob.sync()["next_batch"]
    alice.put("rooms", room, "typing", alice.user, json={"typing": True, "timeout": 30_000})
    (_, since) = bob.sync_until(lambda sync: {"user_ids": [alice.user]} in ephemeral(sync, room, "m.typing"), since)
    alice.put("rooms", room, "typing", alice.user, json={"typing": False})
    (_, since) = bob.sync_until(lambda sync: {"user_ids": []} in ephemeral(sync, room, "m.typing"), since)
    alice.put("rooms", room, "typing", alice.user, json={"typing": True, "timeout": 500})
    bob.sync_until(lambda sync: {"user_ids": []} in ephemeral(sync, room, "m.typing"), since)
    bob.refused("M_FORBIDDEN", (400, 403), "PUT", "rooms", room, "typing", alice.user, json={"typing": True})


def test_public_receipts_are_seen_and_private_ones_are_not(alice, bob, room):
    event = alice.say(room, "read me")
    since = alice.sync()["next_batch"]
    own = bob.sync()["next_batch"]
    bob.post("rooms", room, "receipt", "m.read.private", event)
    (seen, _) = bob.sync_until(lambda sync: ephemeral(sync, room, "m.receipt"), own)
    assert bob.user in seen[0][event]["m.read.private"]
    bob.post("rooms", room, "receipt", "m.read", event)
    (seen, _) = alice.sync_until(lambda sync: ephemeral(sync, room, "m.receipt"), since)
    assert bob.user in seen[0][event]["m.read"]
    assert "m.read.private" not in seen[0][event]
    assert isinstance(seen[0][event]["m.read"][bob.user]["ts"], int)


def test_threaded_receipts_keep_their_thread(alice, bob, room):
    event = alice.say(room, "root")
    reply = alice.send(room, {
        "msgtype": "m.text", "body": "in the thread", "m.relates_to": {"rel_type": "m.thread", "event_id": event}
    })
    since = alice.sync()["next_batch"]
    bob.post("rooms", room, "receipt", "m.read", reply, json={"thread_id": event})
    (seen, _) = alice.sync_until(lambda sync: ephemeral(sync, room, "m.receipt"), since)
    assert seen[0][reply]["m.read"][bob.user]["thread_id"] == event
    bob.refused("M_INVALID_PARAM", 400, "POST", "rooms", room, "receipt", "m.read", reply, json={"thread_id": ""})


def test_read_markers(alice, bob, room):
    first, second = alice.say(room, "one"), alice.say(room, "two")
    since = bob.sync()["next_batch"]
    bob.post("rooms", room, "read_markers", json={"m.fully_read": first, "m.read": second})
    (data, _) = bob.sync_until(lambda sync: account_data(joined(sync, room), "m.fully_read"), since)
    assert data == [{"event_id": first}]


def test_presence_is_told_to_those_who_share_a_room(alice, bob, room):
    since = bob.sync()["next_batch"]
    alice.put("presence", alice.user, "status", json={"presence": "online", "status_msg": "In a meeting"})
    assert bob.get("presence", alice.user, "status")["status_msg"] == "In a meeting"

    def told(sync):
        return any(
            event["sender"] == alice.user and event["content"].get("status_msg") == "In a meeting"
            for event in sync.get("presence", {}).get("events", [])
        )

    bob.sync_until(told, since)
    bob.refused("M_FORBIDDEN", 403, "PUT", "presence", alice.user, "status", json={"presence": "offline"})


def presence(sync, of):
    return [event["content"] for event in sync.get("presence", {}).get("events", []) if event["sender"] == of.user]


def test_who_meets_is_told_who_is_there(users):
    """Whoever comes to share a room with others is told of them, and they of the newcomer, although nobody's presence has changed."""
    alice, bob, carol = users("alice", "bob", "carol")
    room = alice.create_room(preset="public_chat")
    carol.join(room)
    alice.put("presence", alice.user, "status", json={"presence": "online", "status_msg": "Here I am"})
    bob.put("presence", bob.user, "status", json={"presence": "unavailable", "status_msg": "Just looking"})
    quiet = {"set_presence": "offline"}
    ours, theirs = alice.sync(**quiet)["next_batch"], bob.sync(**quiet)["next_batch"]
    # Before they have met, nothing is told.
    assert not presence(bob.sync(theirs, **quiet), alice) and not presence(alice.sync(ours, **quiet), bob)
    bob.join(room)
    met, came = bob.sync(theirs, **quiet), alice.sync(ours, **quiet)
    assert presence(met, alice)[-1]["status_msg"] == "Here I am"
    # Also of those who are not there.
    assert presence(met, carol)[-1]["presence"] == "offline"
    assert presence(came, bob)[-1]["status_msg"] == "Just looking"
    # Once.
    assert not presence(bob.sync(met["next_batch"], **quiet), carol)


def test_doing_something_is_told(users):
    """When somebody was last active is told, also if no client of theirs says that they are there."""
    alice, bob = users("alice", "bob")
    room = bob.create_room(preset="public_chat")
    since = bob.sync(set_presence="offline")["next_batch"]
    alice.join(room)

    def active(sync):
        return [content for content in presence(sync, alice) if "last_active_ago" in content]

    (told, _) = bob.sync_until(active, since, set_presence="offline")
    assert told[-1]["presence"] == "offline" and told[-1]["last_active_ago"] < 60_000


def test_listening_to_the_stream_of_old_is_being_there(alice, bob, room):
    """`/events` has no `set_presence`: whoever is connected to it is online."""
    since = bob.sync(set_presence="offline")["next_batch"]
    alice.get("events", params={"timeout": 0}, schema=False)
    (told, _) = bob.sync_until(lambda sync: presence(sync, alice), since, set_presence="offline")
    assert told[-1]["presence"] == "online"


def test_ignored_users_are_not_heard(alice, bob, room):
    alice.put("user", alice.user, "account_data", "m.ignored_user_list", json={"ignored_users": {bob.user: {}}})
    since = alice.sync()["next_batch"]
    bob.say(room, "can you hear me?")
    heard = alice.say(room, "silence")
    events = joined(alice.sync(since), room)["timeline"]["events"]
    assert [event["event_id"] for event in events] == [heard]
    invitation = bob.create_room(preset="private_chat", invite=[alice.user])
    assert invitation not in alice.sync(since).get("rooms", {}).get("invite", {})


def test_push_rules_are_kept_and_told(alice):
    rules = alice.get("pushrules", "")["global"]
    assert ".m.rule.master" in {rule["rule_id"] for rule in rules["override"]}
    assert ".m.rule.message" in {rule["rule_id"] for rule in rules["underride"]}
    since = alice.sync()["next_batch"]
    rule = {"pattern": "budget", "actions": ["notify", {"set_tweak": "highlight"}]}
    alice.put("pushrules", "global", "content", "org.example.budget", json=rule)
    kept = alice.get("pushrules", "global", "content", "org.example.budget")
    assert kept in alice.get("pushrules", "global", "")["content"]
    assert kept["pattern"] == "budget" and kept["enabled"] is True and kept["default"] is False
    alice.sync_until(lambda sync: account_data(sync, "m.push_rules"), since)
    alice.put("pushrules", "global", "content", "org.example.budget", "enabled", json={"enabled": False})
    assert alice.get("pushrules", "global", "content", "org.example.budget", "enabled") == {"enabled": False}
    alice.put("pushrules", "global", "content", "org.example.budget", "actions", json={"actions": ["notify"]})
    assert alice.get("pushrules", "global", "content", "org.example.budget", "actions") == {"actions": ["notify"]}
    alice.delete("pushrules", "global", "content", "org.example.budget")
    alice.refused("M_NOT_FOUND", 404, "GET", "pushrules", "global", "content", "org.example.budget")
    alice.refused(("M_INVALID_PARAM", "M_UNKNOWN"), 400, "PUT", "pushrules", "global", "content", ".m.rule.mine", json=rule)


def test_push_rules_decide_the_counts(alice, bob, room):
    bob.put("pushrules", "global", "content", "org.example.word", json={
        "pattern": "budget", "actions": ["notify", {"set_tweak": "highlight", "value": True}]
    })
    bob.post("rooms", room, "receipt", "m.read", alice.say(room, "begin"))
    alice.say(room, "the Budget is due")
    alice.say(room, "nothing of note")

    def counted(sync):
        counts = joined(sync, room).get("unread_notifications")
        return counts and counts["notification_count"] == 2 and counts["highlight_count"] == 1

    bob.sync_until(counted)
    bob.put("pushrules", "global", "room", room, json={"actions": []})
    alice.say(room, "muted from here on")
    bob.sync_until(counted)


def test_everything_personal_survives_a_restart(own_server, fresh_name):
    from harness.clients import register

    alice = register(own_server, fresh_name())
    room = alice.create_room()
    event = alice.say(room, "marker")
    alice.put("profile", alice.user, "displayname", json={"displayname": "Kept"})
    alice.put("user", alice.user, "account_data", "org.example.kept", json={"a": 1})
    alice.put("user", alice.user, "rooms", room, "tags", "m.favourite", json={"order": 0.5})
    alice.post("rooms", room, "read_markers", json={"m.fully_read": event, "m.read": event})
    number = alice.post("user", alice.user, "filter", json={"room": {"timeline": {"limit": 3}}})["filter_id"]
    own_server.restart()
    assert alice.get("profile", alice.user, "displayname") == {"displayname": "Kept"}
    assert alice.get("user", alice.user, "account_data", "org.example.kept") == {"a": 1}
    assert alice.get("user", alice.user, "rooms", room, "tags")["tags"] == {"m.favourite": {"order": 0.5}}
    assert alice.get("user", alice.user, "filter", number) == {"room": {"timeline": {"limit": 3}}}
    section = joined(alice.sync(), room)
    assert account_data(section, "m.fully_read") == [{"event_id": event}]
    assert alice.user in ephemeral({"rooms": {"join": {room: section}}}, room, "m.receipt")[0][event]["m.read"]
