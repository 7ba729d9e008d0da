"""Messages that end: m.room.retention (MSC1763), within the bounds of the configuration."""

import sqlite3
import time

import pytest
from harness.clients import register
from harness.sliding import Loop, rooms_list
from harness.waiting import eventually

pytestmark = pytest.mark.only_chappe(reason="its own configuration")


@pytest.fixture
def start(make_server, engine):
    """A function that starts a server with such a policy."""
    servers = []

    def make(**retention):
        servers.append(make_server(engine, settings={"retention": {"enabled": True, **retention}}).start())
        return servers[-1]

    yield make
    for server in servers:
        server.finish()


def people(server, fresh_name):
    return register(server, fresh_name("alice")), register(server, fresh_name("bob"))


def room_of(alice, bob, **retention):
    initial = [{"type": "m.room.retention", "content": retention}] if retention else []
    room = alice.create_room(preset="public_chat", name="Short-lived", initial_state=initial)
    bob.join(room)
    return room


def bodies(client, room):
    chunk = client.get("rooms", room, "messages", params={"dir": "b", "limit": 100})["chunk"]
    return [event["content"].get("body") for event in chunk if event["type"] == "m.room.message"]


def shown(client, room):
    events = client.sync()["rooms"]["join"][room]["timeline"]["events"]
    return [event["content"].get("body") for event in events if event["type"] == "m.room.message"]


def search(client, word):
    body = {"search_categories": {"room_events": {"search_term": word}}}
    return len(client.post("search", json=body)["search_categories"]["room_events"].get("results", []))


def test_what_has_ended_is_told_nowhere_even_before_it_is_removed(start, fresh_name):
    server = start(shortest_seconds=1, purge_every_seconds=86_400)
    alice, bob = people(server, fresh_name)
    room = room_of(alice, bob, max_lifetime=3_000)
    kept = room_of(alice, bob)
    since = bob.sync()["next_batch"]
    old = alice.say(room, "ephemeral words")
    reply = alice.send(room, {"msgtype": "m.text", "body": "ephemeral reply", "m.relates_to": {"rel_type": "m.thread", "event_id": old}})
    stays = alice.say(kept, "lasting words")
    assert bodies(bob, room) == ["ephemeral reply", "ephemeral words"] and search(bob, "ephemeral") == 2
    eventually(lambda: bodies(bob, room) == [], what="the end")
    for event in (old, reply):
        bob.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "event", event)
        bob.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "context", event)
    assert search(bob, "ephemeral") == 0 and search(bob, "lasting") == 1
    assert shown(bob, room) == [] and bodies(bob, kept) == ["lasting words"]
    assert old not in str(bob.sync(since)) and old not in str(Loop(bob).sync({"all": rooms_list(20)}))
    assert old not in str(bob.get("rooms", room, "threads", base="/_matrix/client/v1"))
    newer = alice.say(room, "words of now")
    around = bob.get("rooms", room, "context", newer)
    assert old not in str(around) and around["event"]["event_id"] == newer
    # State stays.
    assert bob.state(room, "m.room.name")["name"] == "Short-lived"
    assert bob.event(kept, stays)["content"]["body"] == "lasting words"


def stored(server):
    """Whether words are in the database still; of SQLite it can be read."""
    connection = sqlite3.connect(f"file:{server.directory}/chappe.db?mode=ro", uri=True)
    try:
        return connection.execute("SELECT COUNT(*) FROM events WHERE CAST(json AS TEXT) LIKE '%ephemeral words%'").fetchone()[0]
    finally:
        connection.close()


def test_it_is_removed_but_for_state_and_the_newest_event(start, fresh_name, engine):
    server = start(default_seconds=2, shortest_seconds=1, purge_every_seconds=1)
    alice, bob = people(server, fresh_name)
    room = room_of(alice, bob)
    for number in range(120):
        alice.say(room, f"ephemeral words {number}")
    eventually(lambda: bodies(bob, room) == [], what="the end")
    if engine == "sqlite":
        eventually(lambda: stored(server) == 1, what="all but the newest removed")
    state = {event["type"] for event in bob.get("rooms", room, "state")}
    assert {"m.room.create", "m.room.member", "m.room.name"} <= state
    kinds = [event["type"] for event in alice.all_messages(room)]
    assert kinds.count("m.room.member") == 2 and kinds[-1] == "m.room.create"
    # The room goes on, also for who comes now, and after a restart.
    server.restart()
    again = alice.say(room, "and on")
    assert bodies(bob, room) == ["and on"]
    bob.leave(room)
    bob.join(room)
    assert alice.event(room, again)["content"]["body"] == "and on"
    assert {event["type"] for event in bob.sync()["rooms"]["join"][room]["state"]["events"]} is not None


def test_the_server_sets_bounds(start, fresh_name):
    server = start(default_seconds=3_600, shortest_seconds=1_800, longest_seconds=7_200)
    alice, bob = people(server, fresh_name)
    hasty = room_of(alice, bob, max_lifetime=1)
    odd = room_of(alice, bob, min_lifetime=5_000, max_lifetime=1)
    wrong = room_of(alice, bob, max_lifetime="soon")
    for room in (hasty, odd, wrong):
        alice.say(room, "kept for half an hour at the least")
    time.sleep(0.2)
    for room in (hasty, odd, wrong):
        assert bodies(bob, room) == ["kept for half an hour at the least"]


def test_a_room_changes_its_mind(start, fresh_name):
    server = start(shortest_seconds=1, purge_every_seconds=86_400)
    alice, bob = people(server, fresh_name)
    room = room_of(alice, bob)
    event = alice.say(room, "said before")
    alice.set_state(room, "m.room.retention", {"max_lifetime": 1_000})
    eventually(lambda: bodies(bob, room) == [], what="the end")
    alice.set_state(room, "m.room.retention", {})
    assert bodies(bob, room) == ["said before"], "it has not been removed yet"
    assert bob.event(room, event)["content"]["body"] == "said before"


def test_without_a_policy_nothing_ends(alice, bob):
    room = room_of(alice, bob, max_lifetime=1)
    alice.say(room, "kept")
    time.sleep(0.2)
    assert bodies(bob, room) == ["kept"]
