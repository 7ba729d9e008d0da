"""The life of a room that two servers share, in every room version."""

from harness.rooms import agree, arrives, becomes, content_of
from harness.waiting import eventually

BANNED = ("M_FORBIDDEN", "M_BAD_STATE")


def test_life_of_a_room(alice, bob, carol, dave, version):
    room = alice.create_room(preset="private_chat", room_version=version, invite=[bob.user])
    assert alice.state(room, "m.room.create").get("room_version", "1") == version
    eventually(lambda: room in bob.sync().get("rooms", {}).get("invite", {}), what="bob's invitation")
    bob.join(room)
    becomes(alice, room, bob.user, "join")

    # Both speak, and both hear.
    first = alice.say(room, "From here")
    arrives(bob, room, first)
    second = bob.say(room, "From there")
    assert arrives(alice, room, second)["content"]["body"] == "From there"

    # State, power, and what follows from it.
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.topic", "", json={"topic": "Not yet"})
    levels = alice.state(room, "m.room.power_levels")
    alice.set_state(room, "m.room.power_levels", {**levels, "users": {**levels.get("users", {}), bob.user: 50}})
    eventually(lambda: content_of(bob, room, "m.room.power_levels")["users"].get(bob.user) == 50, what="bob's power")
    bob.set_state(room, "m.room.topic", {"topic": "Now I may"})
    eventually(lambda: (content_of(alice, room, "m.room.topic") or {}).get("topic") == "Now I may", what="bob's topic")

    # A redaction leaves nothing on the other side.
    redaction = bob.put("rooms", room, "redact", first, f"r{version}", json={"reason": "tidy"})["event_id"]
    arrives(alice, room, redaction)
    eventually(lambda: alice.event(room, first)["content"] == {}, what="the redaction, at the author's server")
    assert bob.event(room, first)["content"] == {}
    # One's own, too.
    second_redaction = bob.put("rooms", room, "redact", second, f"s{version}", json={})["event_id"]
    arrives(alice, room, second_redaction)
    eventually(lambda: alice.event(room, second)["content"] == {}, what="the redaction of one's own")

    # People come and go.
    bob.invite(room, carol, dave)
    for invited in (carol, dave):
        eventually(lambda: room in invited.sync().get("rooms", {}).get("invite", {}), what="the invitation")
    carol.join(room)
    dave.join(room)
    becomes(alice, room, dave.user, "join")
    becomes(bob, room, carol.user, "join")
    dave.leave(room)
    becomes(alice, room, dave.user, "leave")
    state = agree(room, alice, bob)
    assert ("m.room.topic", "") in state and ("m.room.member", carol.user) in state
    alice.post("rooms", room, "ban", json={"user_id": bob.user})
    becomes(carol, room, bob.user, "ban")
    eventually(lambda: room not in bob.get("joined_rooms")["joined_rooms"], what="bob is out at his own server")
    bob.refused(BANNED, 403, "POST", "join", room, params={"via": alice.server.server_name})
