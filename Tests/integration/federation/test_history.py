"""What somebody of another server who comes late may read, and how it is fetched."""

import pytest
from harness.clients import register_administrator
from harness.rooms import agree, arrives, becomes, bodies, invited
from harness.synadm import V1, Asker
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


def test_history_that_was_purged_is_fetched_again(alice, bob, pair, fresh_name):
    room = alice.create_room(preset="public_chat", name="Purged")
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")
    said = []
    for number in range(6):
        speaker, listener = ((alice, bob), (bob, alice))[number % 2]
        said.append(speaker.say(room, f"message {number}"))
        arrives(listener, room, said[-1])
    redaction = alice.put("rooms", room, "redact", said[1], "purged", json={})["event_id"]
    arrives(bob, room, redaction)
    said.append(bob.say(room, "the last"))
    arrives(alice, room, said[-1])
    texts = bodies(bob, room)

    ask = Asker(register_administrator(pair.here, fresh_name("warden")))
    purge = ask("POST", V1, "purge_history", room, said[-1])["purge_id"]
    eventually(lambda: ask("GET", V1, "purge_history_status", purge)["status"] == "complete", what="the end of a purge")
    shown = alice.sync()["rooms"]["join"][room]
    assert [event["event_id"] for event in shown["timeline"]["events"]] == said[-1:]
    assert {"m.room.create", "m.room.name"} <= {event["type"] for event in shown["state"]["events"]}

    # What both servers' users said comes again, once, in order, and what was redacted stays redacted.
    def fetched():
        events = list(reversed(alice.all_messages(room)))
        return events if events[0]["type"] == "m.room.create" else None

    events = eventually(fetched, what="the history")
    assert [event["event_id"] for event in events if event["type"] == "m.room.message"] == said
    assert bodies(alice, room) == texts
    assert events[[event["event_id"] for event in events].index(said[1])]["content"] == {}
    # The room goes on in both directions.
    arrives(bob, room, alice.say(room, "from here"))
    arrives(alice, room, bob.say(room, "from there"))
    agree(room, alice, bob)
    # Purged again, and now for good where only this server had it.
    ask("POST", V1, "purge_history", room, json={"purge_up_to_ts": 9_000_000_000_000, "delete_local_events": True})
    eventually(lambda: len(alice.sync()["rooms"]["join"][room]["timeline"]["events"]) == 1, what="that all is gone")
    eventually(lambda: len(bodies(alice, room)) == len(texts) + 2, what="the history again")
    agree(room, alice, bob)
