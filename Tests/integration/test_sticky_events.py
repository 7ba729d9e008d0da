"""Events that stick for a while (MSC4354): told to everybody who is in the room or comes in until then."""

import threading
import time

import pytest
from harness.clients import path, register
from harness.sliding import Loop, rooms_list
from harness.waiting import eventually

DURATION = "org.matrix.msc4354.sticky_duration_ms"
FIELD = "msc4354_sticky"
TTL = "msc4354_sticky_duration_ttl_ms"
EXTENSION = "org.matrix.msc4354.sticky_events"
MEMBER = "org.matrix.msc4143.rtc.member"
_numbers = iter(range(1, 1_000_000))

pytestmark = pytest.mark.only_chappe(reason="Synapse has it only as an experiment")


def stick(client, room, duration=600_000, key="k", expect=200, **params):
    where = path("rooms", room, "send", MEMBER, f"sticky{next(_numbers)}")
    answer = client.request(
        "PUT", where, json={"sticky_key": key}, params={DURATION: duration, **params}, expect=expect, schema=False).json()
    return answer.get("event_id") if expect == 200 else answer


def section(client, room, since=None, **params):
    return client.sync(since, **params).get("rooms", {}).get("join", {}).get(room, {})


def sticky(part):
    return [event["event_id"] for event in part.get(FIELD, {}).get("events", [])]


def timeline(part):
    return [event["event_id"] for event in part.get("timeline", {}).get("events", [])]


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    return room


def test_what_an_event_that_sticks_looks_like(alice, bob, room):
    assert alice.get(base="/_matrix/client/versions")["unstable_features"]["org.matrix.msc4354"]
    event = alice.event(room, stick(alice, room, 60_000), schema=False)
    assert event[FIELD] == {"duration_ms": 60_000} and 0 < event["unsigned"][TTL] <= 60_000
    assert FIELD not in alice.event(room, alice.say(room, "plain"))
    # An hour at most.
    long = alice.event(room, stick(alice, room, 86_400_000), schema=False)
    assert long[FIELD] == {"duration_ms": 3_600_000} and long["unsigned"][TTL] <= 3_600_000
    assert stick(alice, room, -1, expect=400)["errcode"] == "M_INVALID_PARAM"
    assert stick(alice, room, "long", expect=400)["errcode"] == "M_INVALID_PARAM"


def test_it_is_told_wherever_it_stands_in_the_timeline(alice, bob, room):
    since = bob.sync()["next_batch"]
    event = stick(alice, room)
    part = section(bob, room, since)
    assert event in timeline(part) and not sticky(part), "not twice"
    for number in range(15):
        alice.say(room, f"message {number}")
    part = section(bob, room, since)
    assert part["timeline"]["limited"] and event not in timeline(part) and sticky(part) == [event]
    assert sticky(section(bob, room)) == [event], "a first sync too"
    since = bob.sync()["next_batch"]
    alice.say(room, "and on")
    assert not sticky(section(bob, room, since)), "once"


def test_newcomers_are_told_whatever_they_may_read(alice, bob, carol):
    room = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}])
    event = stick(alice, room)
    hidden = alice.say(room, "not for newcomers")
    since = bob.sync()["next_batch"]
    bob.join(room)
    part = section(bob, room, since)
    assert event in sticky(part) + timeline(part) and hidden not in timeline(part)
    carol.join(room)
    assert event in sticky(section(carol, room)) + timeline(section(carol, room))


def test_it_ends(alice, bob, room):
    event = stick(alice, room, 2_000)
    for number in range(15):
        alice.say(room, f"message {number}")
    eventually(lambda: not sticky(section(bob, room)), what="it sticks no more")
    assert TTL not in alice.event(room, event, schema=False)["unsigned"]


def test_what_was_redacted_or_is_by_somebody_ignored_does_not_stick(alice, bob, room):
    event, other = stick(alice, room), stick(alice, room)
    for number in range(15):
        bob.say(room, f"message {number}")
    alice.put("rooms", room, "redact", event, "r1", json={})
    assert sticky(section(bob, room)) == [other]
    bob.put("user", bob.user, "account_data", "m.ignored_user_list", json={"ignored_users": {alice.user: {}}})
    assert not sticky(section(bob, room))


def test_state_can_stick_too(alice, bob, room):
    where = path("rooms", room, "state", "org.example.state", "")
    first = alice.request("PUT", where, json={"a": 1}, params={DURATION: 60_000}, schema=False).json()["event_id"]
    again = alice.request("PUT", where, json={"a": 1}, params={DURATION: 60_000}, schema=False).json()["event_id"]
    assert first != again, "it sticks anew"
    assert alice.event(room, again, schema=False)[FIELD] == {"duration_ms": 60_000}


def test_delayed_events_stick_when_they_are_sent(alice, bob, room):
    delayed = stick(alice, room, 60_000, **{"org.matrix.msc4140.delay": 300})
    assert delayed is None

    def sent():
        events = [event for event in bob.all_messages(room) if event["type"] == MEMBER]
        return events and events[0][FIELD] == {"duration_ms": 60_000}

    eventually(sent, what="the delayed event, sticking")


def test_sliding_sync(alice, bob, carol, room):
    wanted = {EXTENSION: {"enabled": True}}
    lists = {"all": rooms_list(limit=1)}
    loop = Loop(bob)
    assert EXTENSION not in loop.sync(lists, extensions=wanted)["extensions"]
    event = stick(alice, room)
    alice.say(room, "after it")
    answer = loop.sync(lists, extensions=wanted)["extensions"][EXTENSION]
    assert [found["event_id"] for found in answer["rooms"][room]["events"]] == [event]
    # Until the client says that it has it, it is told again.
    assert loop.sync(lists, extensions=wanted)["extensions"][EXTENSION]["rooms"]
    having = {EXTENSION: {"enabled": True, "since": answer["next_batch"]}}
    assert EXTENSION not in loop.sync(lists, extensions=having)["extensions"]
    many = [stick(alice, room) for _ in range(5)]
    alice.say(room, "after them")
    told = []
    since = answer["next_batch"]
    for _ in range(3):
        page = loop.sync(lists, extensions={EXTENSION: {"enabled": True, "since": since, "limit": 2}})["extensions"][EXTENSION]
        told += [found["event_id"] for found in page["rooms"][room]["events"]]
        since = page["next_batch"]
    assert told == many
    # Rooms that no list has are none of the client's business.
    other = Loop(bob, name="other")
    assert not other.sync({"none": rooms_list(is_encrypted=True)}, extensions=wanted)["extensions"].get(EXTENSION, {}).get("rooms")
    # Who comes in is told everything.
    late = Loop(carol)
    late.sync(lists, extensions=wanted)
    carol.join(room)
    answer = late.sync(lists, extensions={EXTENSION: {"enabled": True, "since": since}})["extensions"][EXTENSION]
    assert [found["event_id"] for found in answer["rooms"][room]["events"]] == [event, *many]


def test_sliding_sync_wakes(alice, bob, room):
    loop = Loop(bob)
    lists, wanted = {"all": rooms_list(limit=0)}, {EXTENSION: {"enabled": True}}
    loop.sync(lists, extensions=wanted)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(loop.sync(lists, extensions=wanted, timeout=60_000)))
    waiting.start()
    time.sleep(0.3)
    event = stick(alice, room)
    waiting.join(90)
    assert [found["event_id"] for found in answers[0]["extensions"][EXTENSION]["rooms"][room]["events"]] == [event]


def test_it_survives_a_restart(own_server, fresh_name):
    alice, bob = register(own_server, fresh_name("alice")), register(own_server, fresh_name("bob"))
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = stick(alice, room)
    for number in range(15):
        alice.say(room, f"message {number}")
    own_server.restart()
    assert sticky(section(bob, room)) == [event]
