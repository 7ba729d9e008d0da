"""Coming into a room on another server, and leaving it: joins, invitations, knocks, restricted rooms, kicks and bans."""

import pytest
from harness.rooms import agree, arrives, becomes, content_of, invited, membership
from harness.waiting import eventually

#: For a banned user's join or invitation Synapse says M_BAD_STATE; the specification, M_FORBIDDEN.
BANNED = ("M_FORBIDDEN", "M_BAD_STATE")


def joined(client, room):
    return room in client.get("joined_rooms")["joined_rooms"]


def test_join_by_id(alice, bob):
    room = alice.create_room(preset="public_chat", name="Ordre du jour", topic="Budget")
    assert bob.join_via(room, alice) == room
    becomes(alice, room, bob.user, "join")
    agree(room, alice, bob)
    assert bob.state(room, "m.room.name")["name"] == "Ordre du jour"
    assert set(bob.get("rooms", room, "joined_members")["joined"]) == {alice.user, bob.user}
    (section, _) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("join", {}).get(room))
    events = section.get("state", {}).get("events", []) + section["timeline"]["events"]
    assert {("m.room.create", ""), ("m.room.member", alice.user), ("m.room.member", bob.user)} <= {
        (event["type"], event["state_key"]) for event in events if "state_key" in event
    }


def test_join_by_alias(alice, bob, fresh_name):
    name = fresh_name("conseil")
    room = alice.create_room(preset="public_chat", room_alias_name=name)
    alias = f"#{name}:{alice.server.server_name}"
    assert bob.get("directory", "room", alias)["room_id"] == room
    assert bob.join(alias) == room
    becomes(alice, room, bob.user, "join")


def test_second_user_of_a_server_that_is_there_already(alice, bob, dave, room):
    assert dave.join_via(room, alice) == room
    becomes(alice, room, dave.user, "join")
    event = alice.say(room, "Welcome to both")
    arrives(bob, room, event)
    arrives(dave, room, event)


def test_joining_what_is_not_there_or_not_open(alice, bob):
    here = alice.server.server_name
    bob.refused(("M_NOT_FOUND", "M_UNKNOWN"), 404, "POST", "join", f"#nothing:{here}")
    private = alice.create_room(preset="private_chat")
    bob.refused("M_FORBIDDEN", 403, "POST", "join", private, params={"via": here})
    closed = alice.create_room(preset="public_chat", creation_content={"m.federate": False})
    bob.refused("M_FORBIDDEN", 403, "POST", "join", closed, params={"via": here})
    assert not bob.get("joined_rooms")["joined_rooms"]


def test_invitation_is_accepted(alice, bob):
    room = alice.create_room(preset="private_chat", name="Invited")
    alice.invite(room, bob)
    stripped = invited(bob, room)
    assert stripped["m.room.name", ""]["content"]["name"] == "Invited"
    assert ("m.room.create", "") in stripped and ("m.room.join_rules", "") in stripped
    assert stripped["m.room.member", bob.user]["content"]["membership"] == "invite"
    assert stripped["m.room.member", bob.user]["sender"] == alice.user
    bob.join(room)  # without a hint: the invitation says where the room is
    becomes(alice, room, bob.user, "join")
    agree(room, alice, bob)


def test_invitation_as_the_room_is_made(alice, bob):
    room = alice.create_room(preset="trusted_private_chat", invite=[bob.user], is_direct=True)
    stripped = invited(bob, room)
    assert stripped["m.room.member", bob.user]["content"]["is_direct"] is True
    bob.join(room)
    becomes(alice, room, bob.user, "join")


def test_invitation_is_rejected(alice, bob):
    room = alice.create_room(preset="private_chat")
    alice.invite(room, bob)
    invited(bob, room)
    bob.leave(room)
    becomes(alice, room, bob.user, "leave")
    assert not joined(bob, room)
    bob.refused("M_FORBIDDEN", 403, "POST", "join", room, params={"via": alice.server.server_name})
    alice.invite(room, bob)  # and again, now that the other server has forgotten the room
    bob.join(room)
    becomes(alice, room, bob.user, "join")


def test_invitation_is_retracted(alice, bob):
    room = alice.create_room(preset="private_chat")
    since = bob.sync()["next_batch"]
    alice.invite(room, bob)
    (_, since) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("invite", {}).get(room), since)
    alice.post("rooms", room, "kick", json={"user_id": bob.user, "reason": "a mistake"})
    bob.sync_until(lambda sync: room in sync.get("rooms", {}).get("leave", {}), since)
    bob.refused("M_FORBIDDEN", 403, "POST", "join", room, params={"via": alice.server.server_name})


def test_invitation_into_a_room_that_the_server_is_in(alice, bob, dave, room):
    alice.set_state(room, "m.room.join_rules", {"join_rule": "invite"})
    agree(room, alice, bob)
    alice.invite(room, dave)
    invited(dave, room)
    dave.join(room)
    becomes(alice, room, dave.user, "join")


def test_someone_from_afar_invites_somebody_of_the_first_server(alice, bob, carol):
    room = alice.create_room(preset="private_chat", invite=[bob.user], power_level_content_override={"invite": 0})
    invited(bob, room)
    bob.join(room)
    bob.invite(room, carol)
    invited(carol, room)
    carol.join(room)
    becomes(bob, room, carol.user, "join")


def test_knock_is_let_in(alice, bob):
    room = alice.create_room(
        preset="private_chat", name="Behind a door",
        initial_state=[{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}],
    )
    here = {"via": alice.server.server_name}
    since = bob.sync()["next_batch"]
    bob.post("knock", room, json={"reason": "It is me"}, params=here)
    becomes(alice, room, bob.user, "knock")
    assert content_of(alice, room, "m.room.member", bob.user)["reason"] == "It is me"
    (section, since) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("knock", {}).get(room), since)
    assert any(event["type"] == "m.room.name" for event in section["knock_state"]["events"])
    bob.refused("M_FORBIDDEN", 403, "POST", "join", room, params=here)
    alice.invite(room, bob)
    invited(bob, room, since)
    bob.join(room)
    becomes(alice, room, bob.user, "join")


def test_knock_is_withdrawn_and_refused(pair, alice, bob, dave):
    room = alice.create_room(
        preset="private_chat", initial_state=[{"type": "m.room.join_rules", "content": {"join_rule": "knock"}}]
    )
    here = {"via": alice.server.server_name}
    bob.post("knock", room, params=here)
    becomes(alice, room, bob.user, "knock")
    bob.leave(room)
    if pair.there.kind != "synapse":  # which forgets the knock, and does not tell the other server
        becomes(alice, room, bob.user, "leave")
    alice.post("rooms", room, "ban", json={"user_id": dave.user})
    dave.refused(BANNED, 403, "POST", "knock", room, params=here)


def test_leave_and_come_back(alice, bob, room):
    becomes(alice, room, bob.user, "join")
    bob.leave(room)
    becomes(alice, room, bob.user, "leave")
    missed = alice.say(room, "While nobody of the other server is here")
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")
    arrives(bob, room, alice.say(room, "Welcome back"))
    agree(room, alice, bob)
    eventually(lambda: missed in [event["event_id"] for event in bob.all_messages(room)], what="history from before")


def test_the_creator_leaves_and_the_room_goes_on(alice, bob, dave, room):
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    alice.leave(room)
    becomes(bob, room, alice.user, "leave")
    arrives(dave, room, bob.say(room, "We stay"))
    alice.join_via(room, bob)
    becomes(bob, room, alice.user, "join")
    arrives(alice, room, bob.say(room, "You are back"))


def test_kick_from_afar(alice, bob, room):
    becomes(alice, room, bob.user, "join")
    since = bob.sync()["next_batch"]
    alice.post("rooms", room, "kick", json={"user_id": bob.user, "reason": "order"})
    bob.sync_until(lambda sync: room in sync.get("rooms", {}).get("leave", {}), since)
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "send", "m.room.message", "k1", json={"body": "still here"})
    bob.join_via(room, alice)  # the room is public
    becomes(alice, room, bob.user, "join")


def test_ban_and_denied_return(alice, bob, dave, room):
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    alice.post("rooms", room, "ban", json={"user_id": bob.user})
    becomes(dave, room, bob.user, "ban")
    bob.refused(BANNED, 403, "POST", "join", room, params={"via": alice.server.server_name})
    # The last of the server leaves: from now on only the other server can say that bob is banned.
    dave.leave(room)
    becomes(alice, room, dave.user, "leave")
    bob.refused(BANNED, 403, "POST", "join", room, params={"via": alice.server.server_name})
    alice.post("rooms", room, "unban", json={"user_id": bob.user})
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")


@pytest.mark.parametrize("rule", ["restricted", "knock_restricted"])
def test_restricted_room(alice, bob, dave, rule):
    here = {"via": alice.server.server_name}
    ministry = alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    allow = [{"type": "m.room_membership", "room_id": ministry, "via": [alice.server.server_name]}]
    rules = {"type": "m.room.join_rules", "content": {"join_rule": rule, "allow": allow}}
    room = alice.create_room(preset="private_chat", initial_state=[rules], power_level_content_override={"invite": 50})
    bob.refused("M_FORBIDDEN", 403, "POST", "join", room, params=here)
    bob.join_via(ministry, alice)
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")
    assert content_of(alice, room, "m.room.member", bob.user)["join_authorised_via_users_server"] == alice.user
    # Dave's server is in the room by now, but has nobody who may invite: it must ask the other all the same.
    dave.refused("M_FORBIDDEN", 403, "POST", "join", room, params=here)
    dave.join_via(ministry, alice)
    becomes(alice, ministry, dave.user, "join")
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    assert membership(bob, room, dave.user) == "join"
    agree(room, alice, bob)


def test_an_invitation_that_is_not_wanted(alice, bob):
    bob.put("user", bob.user, "account_data", "m.invite_permission_config", json={"default_action": "block"})
    room = alice.create_room(preset="private_chat")
    alice.refused(("M_INVITE_BLOCKED", "M_FORBIDDEN"), 403, "POST", "rooms", room, "invite", json={"user_id": bob.user})
    assert not bob.sync().get("rooms", {}).get("invite")
    bob.put("user", bob.user, "account_data", "m.invite_permission_config", json={})
    alice.invite(room, bob)
    assert invited(bob, room)
