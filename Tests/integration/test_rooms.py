"""Rooms: creation, membership, power, upgrade, aliases and the directory."""

import pytest
from harness.clients import path

#: For a banned user's join or invitation Synapse says M_BAD_STATE; the specification, M_FORBIDDEN.
BANNED = ("M_FORBIDDEN", "M_BAD_STATE")


def content_of(client, room):
    """The contents of a room's current state, by type and state key."""
    return {(event["type"], event["state_key"]): event["content"] for event in client.get("rooms", room, "state")}


@pytest.mark.parametrize(
    ("preset", "join_rule", "history", "guests"),
    [
        ("private_chat", "invite", "shared", "can_join"),
        ("trusted_private_chat", "invite", "shared", "can_join"),
        ("public_chat", "public", "shared", "forbidden"),
    ],
)
def test_presets(alice, preset, join_rule, history, guests):
    state = content_of(alice, alice.create_room(preset=preset))
    assert state["m.room.join_rules", ""]["join_rule"] == join_rule
    assert state["m.room.history_visibility", ""]["history_visibility"] == history
    assert state.get(("m.room.guest_access", ""), {"guest_access": "forbidden"})["guest_access"] == guests
    assert state["m.room.member", alice.user]["membership"] == "join"
    assert state["m.room.create", ""]["room_version"] == "12"


def test_visibility_chooses_the_preset(alice):
    assert content_of(alice, alice.create_room(visibility="public"))["m.room.join_rules", ""]["join_rule"] == "public"
    assert content_of(alice, alice.create_room(visibility="private"))["m.room.join_rules", ""]["join_rule"] == "invite"


def test_everything_a_creator_may_ask_for(alice, bob, fresh_name):
    alias = fresh_name("council")
    room = alice.create_room(
        name="Conseil", topic="Ordre du jour", room_alias_name=alias, invite=[bob.user], is_direct=True,
        creation_content={"m.federate": False, "org.example.kept": "yes"},
        initial_state=[{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}],
        power_level_content_override={"events_default": 10, "users": {bob.user: 20}},
    )
    state = content_of(alice, room)
    assert state["m.room.name", ""] == {"name": "Conseil"}
    assert state["m.room.topic", ""]["topic"] == "Ordre du jour"
    assert state["m.room.canonical_alias", ""]["alias"] == f"#{alias}:{alice.server.server_name}"
    assert state["m.room.encryption", ""]["algorithm"] == "m.megolm.v1.aes-sha2"
    assert state["m.room.create", ""]["m.federate"] is False
    assert state["m.room.create", ""]["org.example.kept"] == "yes"
    assert state["m.room.power_levels", ""]["events_default"] == 10
    invitation = state["m.room.member", bob.user]
    assert invitation["membership"] == "invite" and invitation["is_direct"] is True


def test_room_order_of_first_events(alice, bob):
    room = alice.create_room(preset="private_chat", name="A name", topic="A topic", invite=[bob.user])
    kinds = [event["type"] for event in reversed(alice.all_messages(room))]
    assert kinds[:3] == ["m.room.create", "m.room.member", "m.room.power_levels"]
    assert kinds[-3:] == ["m.room.name", "m.room.topic", "m.room.member"]
    assert set(kinds[3:-3]) <= {"m.room.join_rules", "m.room.history_visibility", "m.room.guest_access"}


@pytest.mark.parametrize("version", [str(number) for number in range(1, 13)])
def test_every_stable_room_version(alice, bob, version):
    room = alice.create_room(room_version=version, preset="private_chat", invite=[bob.user])
    assert content_of(alice, room)["m.room.create", ""].get("room_version", "1") == version
    bob.join(room)
    event = bob.say(room, "I am here")
    assert alice.event(room, event)["content"]["body"] == "I am here"
    redaction = alice.put("rooms", room, "redact", event, f"r{version}", json={"reason": "tidy"})["event_id"]
    redacted = alice.event(room, event)
    assert redacted["content"] == {} and redacted["unsigned"]["redacted_because"]["event_id"] == redaction
    alice.post("rooms", room, "ban", json={"user_id": bob.user})
    bob.refused(BANNED, 403, "POST", "join", room)


def test_unsupported_version(alice):
    alice.refused("M_UNSUPPORTED_ROOM_VERSION", 400, "POST", "createRoom", json={"room_version": "no such version"})


def test_trusted_private_chat_gives_invitees_equal_power(alice, bob):
    for version in ("11", "12"):
        room = alice.create_room(preset="trusted_private_chat", invite=[bob.user], room_version=version)
        bob.join(room)
        bob.set_state(room, "m.room.name", {"name": "Bob may"})
        bob.set_state(room, "m.room.power_levels", {**bob.state(room, "m.room.power_levels"), "invite": 0})


def test_invitation_is_seen_accepted_and_refused(alice, bob, carol):
    room = alice.create_room(name="Invited", preset="private_chat")
    alice.invite(room, bob, carol)
    (stripped, _) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("invite", {}).get(room))
    seen = {(event["type"], event["state_key"]): event for event in stripped["invite_state"]["events"]}
    assert seen["m.room.name", ""]["content"]["name"] == "Invited"
    assert seen["m.room.member", bob.user]["content"]["membership"] == "invite"
    assert seen["m.room.member", bob.user]["sender"] == alice.user
    bob.join(room)
    carol.leave(room)
    assert room in bob.get("joined_rooms")["joined_rooms"]
    carol.refused("M_FORBIDDEN", 403, "POST", "join", room)


def test_only_the_invited_and_public_may_join(alice, bob, carol):
    private = alice.create_room(preset="private_chat")
    bob.refused("M_FORBIDDEN", 403, "POST", "rooms", private, "join")
    public = alice.create_room(preset="public_chat")
    assert bob.post("rooms", public, "join") == {"room_id": public}
    assert bob.join(public) == public  # joining twice is no error
    carol.refused("M_FORBIDDEN", 403, "PUT", "rooms", public, "send", "m.room.message", "x1", json={"body": "outside"})
    carol.refused("M_FORBIDDEN", 403, "GET", "rooms", private, "state")
    carol.refused("M_FORBIDDEN", 403, "POST", "rooms", private, "invite", json={"user_id": carol.user})


def test_joining_what_does_not_exist(alice):
    alice.refused(("M_NOT_FOUND", "M_UNKNOWN"), 404, "POST", "join", f"#nothing:{alice.server.server_name}")


def test_knock_is_let_in(alice, bob):
    room = alice.create_room(preset="private_chat", initial_state=[
        {"type": "m.room.join_rules", "content": {"join_rule": "knock"}}
    ])
    assert bob.post("knock", room, json={"reason": "Please"}) == {"room_id": room}
    (knocked, _) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("knock", {}).get(room))
    assert any(event["type"] == "m.room.create" for event in knocked["knock_state"]["events"])
    assert alice.state(room, "m.room.member", bob.user) == {"membership": "knock", "reason": "Please"} | {
        key: value for key, value in alice.state(room, "m.room.member", bob.user).items() if key in ("displayname", "avatar_url")
    }
    bob.refused("M_FORBIDDEN", 403, "POST", "join", room)
    alice.invite(room, bob)
    bob.join(room)


def test_restricted_room_lets_members_of_another_in(alice, bob, carol):
    club = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(club)
    room = alice.create_room(preset="private_chat", initial_state=[
        {"type": "m.room.join_rules", "content": {
            "join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": club}]}}
    ])
    bob.join(room)
    assert alice.state(room, "m.room.member", bob.user)["join_authorised_via_users_server"] == alice.user
    carol.refused("M_FORBIDDEN", 403, "POST", "join", room)


def test_kick_ban_and_unban(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    bob.refused("M_FORBIDDEN", 403, "POST", "rooms", room, "kick", json={"user_id": alice.user})
    alice.post("rooms", room, "kick", json={"user_id": bob.user, "reason": "noise"})
    assert alice.state(room, "m.room.member", bob.user)["reason"] == "noise"
    bob.join(room)
    alice.post("rooms", room, "ban", json={"user_id": bob.user})
    bob.refused(BANNED, 403, "POST", "join", room)
    alice.refused(BANNED, 403, "POST", "rooms", room, "invite", json={"user_id": bob.user})
    alice.post("rooms", room, "unban", json={"user_id": bob.user})
    bob.join(room)


def test_leave_and_forget(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    bob.refused("M_UNKNOWN", 400, "POST", "rooms", room, "forget")
    since = bob.sync()["next_batch"]
    bob.leave(room)
    (left, _) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("leave", {}).get(room), since)
    assert any(event.get("state_key") == bob.user for event in left["timeline"]["events"])
    bob.get("rooms", room, "messages", params={"dir": "b"})
    bob.post("rooms", room, "forget")
    bob.refused("M_FORBIDDEN", 403, "GET", "rooms", room, "messages", params={"dir": "b"})


def test_power_levels_rule(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user], room_version="11")
    bob.join(room)
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.name", "", json={"name": "Mine"})
    levels = alice.state(room, "m.room.power_levels")
    alice.set_state(room, "m.room.power_levels", {**levels, "users": {**levels["users"], bob.user: 50}})
    bob.set_state(room, "m.room.name", {"name": "Ours"})
    raised = {**levels, "users": {**levels["users"], bob.user: 100}}
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.power_levels", "", json=raised)
    assert levels["users"][alice.user] == 100
    mistyped = {**levels, "events_default": "many"}
    answer = alice.request("PUT", path("rooms", room, "state", "m.room.power_levels", ""), json=mistyped, expect=(400, 403))
    assert answer.json()["errcode"] in ("M_BAD_JSON", "M_FORBIDDEN", "M_INVALID_PARAM")


def test_version_12_gives_creators_infinite_power(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user], room_version="12")
    assert ":" not in room
    bob.join(room)
    levels = alice.state(room, "m.room.power_levels")
    assert alice.user not in levels.get("users", {})
    named = {**levels, "users": {alice.user: 100}}
    answer = alice.request("PUT", path("rooms", room, "state", "m.room.power_levels", ""), json=named, expect=(400, 403))
    assert answer.json()["errcode"] in ("M_FORBIDDEN", "M_BAD_JSON", "M_INVALID_PARAM", "M_UNKNOWN")
    alice.set_state(room, "m.room.power_levels", {**levels, "users": {bob.user: 1000}})
    bob.refused("M_FORBIDDEN", 403, "POST", "rooms", room, "kick", json={"user_id": alice.user})


def test_state_belongs_to_its_user(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    alice.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "org.example.own", bob.user, json={})
    alice.set_state(room, "org.example.own", {"mine": True}, alice.user)
    assert alice.state(room, "org.example.own", alice.user) == {"mine": True}
    alice.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "state", "org.example.nothing", "")


def test_members_and_joined_members(alice, bob, carol):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    before = alice.sync()["next_batch"]
    alice.invite(room, carol)
    bob.leave(room)
    everyone = {event["state_key"]: event["content"]["membership"] for event in alice.get("rooms", room, "members")["chunk"]}
    assert everyone == {alice.user: "join", bob.user: "leave", carol.user: "invite"}
    invited = alice.get("rooms", room, "members", params={"membership": "invite"})["chunk"]
    assert [event["state_key"] for event in invited] == [carol.user]
    without = alice.get("rooms", room, "members", params={"not_membership": "leave"})["chunk"]
    assert {event["state_key"] for event in without} == {alice.user, carol.user}
    earlier = {event["state_key"]: event["content"]["membership"]
               for event in alice.get("rooms", room, "members", params={"at": before})["chunk"]}
    assert earlier == {alice.user: "join", bob.user: "join"}
    assert alice.get("rooms", room, "joined_members")["joined"].keys() == {alice.user}


@pytest.mark.parametrize("version", ["10", "12"])
def test_upgrade_moves_the_room(alice, bob, fresh_name, version):
    alias = fresh_name("upgraded")
    old = alice.create_room(preset="public_chat", name="Old", room_alias_name=alias, room_version="9")
    bob.join(old)
    bob.refused("M_FORBIDDEN", 403, "POST", "rooms", old, "upgrade", json={"new_version": version})
    alice.refused("M_UNSUPPORTED_ROOM_VERSION", 400, "POST", "rooms", old, "upgrade", json={"new_version": "none"})
    new = alice.post("rooms", old, "upgrade", json={"new_version": version})["replacement_room"]
    assert alice.state(old, "m.room.tombstone")["replacement_room"] == new
    state = content_of(alice, new)
    assert state["m.room.create", ""]["predecessor"]["room_id"] == old
    assert state["m.room.create", ""]["room_version"] == version
    assert state["m.room.name", ""]["name"] == "Old"
    assert state["m.room.join_rules", ""]["join_rule"] == "public"
    found = alice.get("directory", "room", f"#{alias}:{alice.server.server_name}")
    assert found["room_id"] == new
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", old, "send", "m.room.message", "late",
                json={"msgtype": "m.text", "body": "late"})
    bob.join(new)


def test_aliases(alice, bob, fresh_name):
    room = alice.create_room(preset="public_chat")
    alias = f"#{fresh_name('alias')}:{alice.server.server_name}"
    alice.put("directory", "room", alias, json={"room_id": room})
    alice.refused(("M_UNKNOWN", "M_ROOM_IN_USE"), 409, "PUT", "directory", "room", alias, json={"room_id": room})
    found = bob.get("directory", "room", alias, token=None)
    assert found["room_id"] == room and alice.server.server_name in found["servers"]
    assert bob.join(alias) == room
    assert alias in alice.get("rooms", room, "aliases")["aliases"]
    bob.refused("M_FORBIDDEN", 403, "DELETE", "directory", "room", alias)
    alice.set_state(room, "m.room.canonical_alias", {"alias": alias})
    alice.refused(
        "M_BAD_ALIAS", 400, "PUT", "rooms", room, "state", "m.room.canonical_alias", "",
        json={"alias": f"#nothing:{alice.server.server_name}"},
    )
    alice.delete("directory", "room", alias)
    bob.refused("M_NOT_FOUND", 404, "GET", "directory", "room", alias)
    alice.refused("M_INVALID_PARAM", 400, "GET", "directory", "room", "not an alias")


def test_public_rooms_are_listed_found_and_paged(alice, bob, fresh_name):
    word = fresh_name("searchword")
    rooms = [alice.create_room(visibility="public", name=f"{word} {number}", topic="Find me") for number in range(3)]
    bob.join(rooms[0])
    assert alice.get("directory", "list", "room", rooms[0]) == {"visibility": "public"}
    query = {"filter": {"generic_search_term": word.upper()}}
    found = bob.post("publicRooms", json=query)["chunk"]
    assert [room["room_id"] for room in found][0] == rooms[0], "the fullest room comes first"
    assert {room["room_id"] for room in found} == set(rooms)
    assert found[0]["num_joined_members"] == 2 and found[0]["topic"] == "Find me"
    seen, position = [], {}
    for _ in range(3):
        page = bob.post("publicRooms", json={**query, "limit": 1, **position})
        seen += [room["room_id"] for room in page["chunk"]]
        position = {"since": page.get("next_batch")}
    assert sorted(seen) == sorted(rooms)
    alice.put("directory", "list", "room", rooms[0], json={"visibility": "private"})
    assert rooms[0] not in {room["room_id"] for room in bob.post("publicRooms", json=query)["chunk"]}
    assert rooms[1] in {room["room_id"] for room in bob.get("publicRooms", params={"limit": 1000})["chunk"]}
    bob.refused("M_FORBIDDEN", 403, "PUT", "directory", "list", "room", rooms[1], json={"visibility": "private"})


def test_rooms_survive_a_restart(own_server, fresh_name):
    from harness.clients import register

    alice, bob = register(own_server, fresh_name()), register(own_server, fresh_name())
    room = alice.create_room(preset="private_chat", name="Lasting", invite=[bob.user])
    bob.join(room)
    event = bob.say(room, "before")
    own_server.restart()
    assert alice.event(room, event)["content"]["body"] == "before"
    after = alice.say(room, "after")
    assert [e["event_id"] for e in bob.messages(room, limit=2)["chunk"]] == [after, event]
    assert bob.get("joined_rooms")["joined_rooms"] == [room]
