"""Servers that are down for a while, and servers that cannot reach each other: nothing is lost, nothing comes twice, and in
the end they agree."""

import random
import time

from harness.crypto import DeviceKeys
from harness.rooms import agree, arrives, becomes, bodies, content_of, state_of
from harness.waiting import eventually

#: How long what was missed may take to arrive: the senders wait between their attempts.
CATCH_UP_SECONDS = 60


def caught_up(listener, room, texts, seconds=CATCH_UP_SECONDS):
    """Waits until these messages are in the room, in this order, each once, among whatever others."""

    def complete():
        found = [text for text in bodies(listener, room) if text in wanted]
        assert len(found) == len(set(found)), f"twice: {sorted(text for text in found if found.count(text) > 1)}"
        return found == texts

    wanted = set(texts)
    eventually(complete, seconds, what=f"{len(texts)} messages for {listener.user}")


def poke(room, *speakers, seconds=CATCH_UP_SECONDS, until):
    """Has people say something now and then until a condition holds: who has given a server up tries again when it is heard."""
    deadline, number = time.monotonic() + seconds, 0
    while True:
        for speaker in speakers:
            speaker.say(room, f"{speaker.user} pokes {number}")
        number += 1
        try:
            return eventually(until, 2)
        except AssertionError:
            if time.monotonic() > deadline:
                raise


def test_a_server_is_killed_and_catches_up(alice, bob, dave, room, pair):
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    since = bob.sync()["next_batch"]
    arrives(bob, room, alice.say(room, "before"))
    pair.there.kill()
    missed = []
    for number in range(30):
        missed.append(f"missed {number}")
        alice.say(room, missed[-1])
        if number % 10 == 5:
            alice.set_state(room, "m.room.topic", {"topic": f"after {number}"})
    alice.post("rooms", room, "kick", json={"user_id": dave.user})
    pair.there.start()
    back = bob.say(room, "I am back")
    arrives(alice, room, back)
    caught_up(bob, room, missed)
    eventually(lambda: content_of(bob, room, "m.room.topic") == content_of(alice, room, "m.room.topic"), what="the topic")
    becomes(bob, room, dave.user, "leave")
    agree(room, alice, bob)
    # By the client's sync: each once, none missing but what a gap says is missing.
    heard, gaps, quiet = [], 0, 0
    while quiet < 2:
        sync = bob.sync(since, timeout=200)
        since = sync["next_batch"]
        timeline = sync.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {"events": []})
        heard += [event["event_id"] for event in timeline["events"]]
        gaps += bool(timeline.get("limited"))
        quiet = 0 if timeline["events"] else quiet + 1
    assert len(heard) == len(set(heard)), "an event came twice"
    assert gaps or len(heard) >= 30
    # And on it goes, both ways.
    arrives(alice, room, bob.say(room, "all there"))
    arrives(bob, room, alice.say(room, "good"))


def test_a_server_is_killed_with_what_it_had_to_send(alice, bob, room, pair):
    arrives(bob, room, alice.say(room, "before"))
    pair.there.gate.close()
    texts = [f"unsent {number}" for number in range(12)]
    for text in texts:
        alice.say(room, text)
    alice.put("sendToDevice", "org.example.n", "k1", json={"messages": {bob.user: {bob.device: {"n": 1}}}})
    pair.here.kill()
    pair.there.gate.open()
    since = bob.sync()["next_batch"]
    pair.here.start()
    poke(room, alice, until=lambda: [text for text in bodies(bob, room) if text in texts] == texts)
    bob.sync_until(lambda sync: any(
        event["type"] == "org.example.n" for event in sync.get("to_device", {}).get("events", [])
    ), since)


def test_keys_and_messages_to_devices_wait_for_a_server(alice, bob, room, pair):
    DeviceKeys(bob).upload()
    becomes(alice, room, bob.user, "join")
    since = bob.sync()["next_batch"]
    pair.there.kill()
    for number in range(30):
        alice.put("sendToDevice", "org.example.n", f"n{number}", json={"messages": {bob.user: {bob.device: {"n": number}}}})
    DeviceKeys(alice).upload()
    pair.there.start()
    heard, changed = [], set()

    def all_heard():
        nonlocal since
        sync = bob.sync(since)
        since = sync["next_batch"]
        heard.extend(
            event["content"]["n"] for event in sync.get("to_device", {}).get("events", []) if event["type"] == "org.example.n"
        )
        changed.update(sync.get("device_lists", {}).get("changed", []))
        return len(heard) >= 30 and alice.user in changed

    poke(room, bob, alice, until=all_heard)
    assert heard == list(range(30))
    found = bob.post("keys", "query", json={"device_keys": {alice.user: []}})["device_keys"]
    assert alice.device in found[alice.user]


def test_both_sides_change_the_same_while_apart(alice, bob, carol, dave, room, pair):
    carol.join(room)
    dave.join_via(room, alice)
    levels = alice.state(room, "m.room.power_levels")
    alice.set_state(room, "m.room.power_levels", {**levels, "users": {**levels.get("users", {}), bob.user: 50}})
    eventually(lambda: content_of(bob, room, "m.room.power_levels")["users"].get(bob.user) == 50, what="bob's power")
    becomes(alice, room, dave.user, "join")
    agree(room, alice, bob)
    for server in pair.both:
        server.gate.close()

    alice.set_state(room, "m.room.topic", {"topic": "here"})
    bob.set_state(room, "m.room.topic", {"topic": "there"})
    # Here dave is banned; there he takes another name, and speaks.
    alice.post("rooms", room, "ban", json={"user_id": dave.user})
    dave.put("profile", dave.user, "displayname", json={"displayname": "Not banned yet"})
    dave.say(room, "I am still here, am I not?")
    # Here bob loses his power; there he uses it.
    levels = alice.state(room, "m.room.power_levels")
    alice.set_state(room, "m.room.power_levels", {**levels, "users": {**levels["users"], bob.user: 0}})
    bob.set_state(room, "m.room.name", {"name": "Bob's name"})
    bob.post("rooms", room, "kick", json={"user_id": carol.user})
    apart = [alice.say(room, f"here {number}") for number in range(5)] + [bob.say(room, f"there {number}") for number in range(5)]

    for server in pair.both:
        server.gate.open()

    def same():
        states = [state_of(client, room) for client in (alice, bob)]
        return states[0] == states[1] and states[0]

    poke(room, alice, bob, until=same)
    agree(room, alice, bob)
    # Power events win: the ban and the loss of power hold on both sides.
    for client in (alice, bob):
        assert client.state(room, "m.room.member", dave.user)["membership"] == "ban"
        assert client.state(room, "m.room.power_levels")["users"].get(bob.user, 0) == 0
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.name", "", json={"name": "again"})
    here = {event["event_id"] for event in alice.all_messages(room)}
    assert set(apart[:5]) <= here
    eventually(lambda: set(apart[:5]) <= {event["event_id"] for event in bob.all_messages(room)}, what="what was said here")


def test_random_changes_while_apart(alice, bob, carol, dave, pair, seed):
    chance = random.Random(seed)
    room = alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0, "events_default": 0})
    bob.join_via(room, alice)
    carol.join(room)
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    agree(room, alice, bob)

    def change(client):
        choice = chance.randrange(4)
        if choice == 0:
            client.set_state(room, "m.room.topic", {"topic": f"{client.user} {chance.random()}"})
        elif choice == 1:
            client.set_state(room, "org.example.state", {"by": client.user}, key=f"key {chance.randrange(3)}")
        elif choice == 2:
            client.put("profile", client.user, "displayname", json={"displayname": f"name {chance.randrange(1000)}"})
        else:
            client.say(room, f"{client.user} {chance.random()}")

    for _ in range(3):
        for server in pair.both:
            server.gate.close()
        for _ in range(10):
            change(chance.choice((alice, carol)))
            change(chance.choice((bob, dave)))
        for server in pair.both:
            server.gate.open()

        def same():
            states = [state_of(client, room) for client in (alice, bob)]
            return states[0] == states[1] and sorted(bodies(alice, room)) == sorted(bodies(bob, room))

        poke(room, alice, bob, until=same)
