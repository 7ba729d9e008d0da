"""What somebody of another server who comes late may read, and how it is fetched."""

import pytest
from harness.rooms import agree, arrives, becomes, bodies, invited
from harness.waiting import eventually


def history(value):
    return {"type": "m.room.history_visibility", "content": {"history_visibility": value}}


@pytest.mark.parametrize("visibility", ["world_readable", "shared", "invited", "joined"])
def test_latecomer(alice, bob, visibility):
    room = alice.create_room(preset="private_chat", initial_state=[history(visibility)])
    alice.say(room, "before the invitation")
    alice.invite(room, bob)
    invited(bob, room)
    alice.say(room, "before the join")
    bob.join(room)
    becomes(alice, room, bob.user, "join")
    arrives(bob, room, alice.say(room, "after the join"))
    everything = ["before the invitation", "before the join", "after the join"]
    wanted = {"world_readable": everything, "shared": everything, "invited": everything[1:], "joined": everything[2:]}
    eventually(lambda: bodies(bob, room) == wanted[visibility], what=f"{wanted[visibility]}")


def test_long_history_is_paged_through(alice, bob):
    room = alice.create_room(preset="public_chat")
    said = [f"message {number}" for number in range(130)]
    for number, text in enumerate(said):
        alice.say(room, text)
        if number % 40 == 20:
            alice.set_state(room, "m.room.topic", {"topic": f"after {text}"})
    bob.join_via(room, alice)

    def texts():
        events = bob.all_messages(room, page=30)
        return [event["content"]["body"] for event in reversed(events) if event["type"] == "m.room.message"]

    eventually(lambda: texts() == said, what="the whole history, in order, each once")
    kinds = [event["type"] for event in bob.all_messages(room, page=30)]
    assert kinds[-1] == "m.room.create"
    agree(room, alice, bob)


def test_history_when_the_last_who_knew_it_is_away(alice, bob, pair):
    room = alice.create_room(preset="public_chat")
    for number in range(30):
        alice.say(room, f"message {number}")
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")
    last = alice.say(room, "after the join")
    arrives(bob, room, last)
    pair.here.gate.close()
    # What is there is given, and the request does not hang.
    page = bob.messages(room, limit=10)
    assert last in [event["event_id"] for event in page["chunk"]]
    pair.here.gate.open()
    eventually(lambda: len(bodies(bob, room)) == 31, what="the rest, once it can be fetched")
