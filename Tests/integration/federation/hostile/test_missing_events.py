"""A peer that lies, or says nothing, when it is asked for the events that come before those it has sent."""

import os

import httpx
import pytest
from harness.lies import NONSENSE, PATIENCE_SECONDS, SECRET, broken
from harness.peer_room import PeerRoom
from harness.rooms import arrives


def afterwards(peer, target, alice, known, sender):
    """An honest event, heard: so whatever was sent before it has been dealt with."""
    event = known.message("Honest", sender)
    known.add(event)
    peer.send(target, [event])
    arrives(alice, known.room_id, known.id_of(event))


def missing_lies(known, user):
    other = PeerRoom.create(known.peer, user, "11")
    stranger = list(other.events.values())
    unsigned = {**known.message(SECRET, user), "signatures": {}}
    return NONSENSE | {
        "nothing": lambda asked: (200, {"events": []}),
        "events that are none": lambda asked: (200, {"events": [1, None, "x", {}, []]}),
        "another room's": lambda asked: (200, {"events": stranger}),
        "unsigned": lambda asked: (200, {"events": [unsigned]}),
        "very many": lambda asked: (200, {"events": [unsigned] * 20_000}),
    }


@pytest.mark.parametrize("lie", [*NONSENSE, "nothing", "events that are none", "another room's", "unsigned", "very many"])
def test_missing_events(peer, target, alice, known, mallory, lie):
    answer = missing_lies(known, mallory)[lie]
    for name in ("missing_events", "state_ids", "state", "event", "event_auth", "backfill"):
        peer.answers[name] = answer
    gap = known.keep(known.message("never sent", mallory))
    event = known.message(SECRET, mallory, prev_events=[gap])
    try:
        peer.send(target, [event], timeout=PATIENCE_SECONDS)
    except httpx.ReadTimeout:
        pytest.fail("the transaction was not answered")
    afterwards(peer, target, alice, known, mallory)
    assert len(peer.asked) < 300, "asked again and again"


def test_a_past_without_end(peer, target, alice, known, mallory):
    """Every event that is asked for has yet another before it."""
    invented: dict[str, dict] = {}

    def another():
        before = known.draft("m.room.message", {}, mallory)["prev_events"][0][:-6] + os.urandom(4).hex()[:6]
        event = known.message("invented", mallory, prev_events=[before], depth=5)
        invented[known.id_of(event)] = event
        return event

    def chain(length: int):
        events = [another()]
        while len(events) < length:
            events.append(known.message("invented", mallory, prev_events=[known.keep(events[-1])], depth=5))
        return events

    peer.answers["missing_events"] = lambda asked: (200, {"events": chain(20)})
    peer.answers["event"] = lambda asked: (200, peer.transaction([another()]))
    peer.answers["backfill"] = lambda asked: (200, peer.transaction(chain(100)))
    peer.answers["state_ids"] = lambda asked: (200, {
        "pdu_ids": [f"${os.urandom(22).hex()[:43]}" for _ in range(1_000)],
        "auth_chain_ids": [f"${os.urandom(22).hex()[:43]}" for _ in range(1_000)],
    })
    peer.send(target, chain(5))
    afterwards(peer, target, alice, known, mallory)
    alice.messages(known.room_id, limit=50)
    assert len(peer.asked) < 5_000


def test_a_past_that_never_comes(peer, target, alice, known, mallory):
    """The peer does not answer at all: its own room waits for a while, the others do not."""
    def silent(asked):
        peer.ended.wait(PATIENCE_SECONDS)
        return broken(asked)

    for name in ("missing_events", "state_ids", "state", "event"):
        peer.answers[name] = silent
    gap = known.keep(known.message("never sent", mallory))
    try:
        peer.send(target, [known.message(SECRET, mallory, prev_events=[gap])], timeout=2)
    except httpx.ReadTimeout:
        pass  # Chappe answers at once; Synapse, when it is done
    elsewhere = alice.create_room(preset="public_chat")
    event = alice.say(elsewhere, "Meanwhile")
    arrives(alice, elsewhere, event)
    alice.say(known.room_id, "Also here")
