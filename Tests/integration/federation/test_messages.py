"""What is said and decided in a room that two servers share: order, redactions, state and power."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.rooms import agree, arrives, becomes, bodies, content_of
from harness.waiting import eventually


def test_messages_keep_their_order(alice, bob, room):
    since = {client: client.sync()["next_batch"] for client in (alice, bob)}
    for number in range(20):
        alice.say(room, f"here {number}")
    for number in range(20):
        bob.say(room, f"there {number}")
    for client in (alice, bob):
        heard: list[str] = []

        def all_heard(sync):
            timeline = sync.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {"events": []})
            heard.extend(event["content"]["body"] for event in timeline["events"] if event["type"] == "m.room.message")
            return len(heard) >= 40

        client.sync_until(all_heard, since[client], filter=json.dumps({"room": {"timeline": {"limit": 100}}}))
        assert len(heard) == len(set(heard)) == 40, "something came twice"
        for side in ("here", "there"):
            assert [text for text in heard if text.startswith(side)] == [f"{side} {number}" for number in range(20)]


def test_a_conversation(alice, bob, room):
    # Each answers what the other has said: so there is one order, and both must have it.
    for turn in range(10):
        speaker, listener = (alice, bob) if turn % 2 == 0 else (bob, alice)
        arrives(listener, room, speaker.say(room, f"turn {turn}"))
    wanted = [f"turn {turn}" for turn in range(10)]
    assert bodies(alice, room) == bodies(bob, room) == wanted


def test_many_speak_at_once(alice, bob, carol, dave, room):
    carol.join(room)
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    becomes(bob, room, carol.user, "join")

    def speak(client):
        for number in range(15):
            client.say(room, f"{client.user} {number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(speak, (alice, bob, carol, dave)))
    wanted = sorted(f"{client.user} {number}" for client in (alice, bob, carol, dave) for number in range(15))
    for client in (alice, bob):
        eventually(lambda: len(bodies(client, room)) >= 60, what=f"all 60 for {client.user}")
        assert sorted(bodies(client, room)) == wanted
    agree(room, alice, bob)


def test_an_event_is_the_same_on_both_sides(alice, bob, room):
    deep = {"list": [1, -1, {"a": None}], "": True}
    content = {"msgtype": "m.text", "body": "ça va ? \u2028 \U0001f5fc", "org.example.deep": deep}
    event = alice.send(room, content)
    seen = arrives(bob, room, event)
    mine = alice.event(room, event)
    for key in ("content", "sender", "type", "event_id", "room_id", "origin_server_ts"):
        assert seen[key] == mine[key]
    assert seen["content"] == content
    assert "transaction_id" not in seen.get("unsigned", {})


def test_edits_reactions_and_threads(alice, bob, room):
    event = alice.say(room, "Frist")
    arrives(bob, room, event)
    thread = {"rel_type": "m.thread", "event_id": event}
    reply = bob.send(room, {"msgtype": "m.text", "body": "in the thread", "m.relates_to": thread})
    reaction = bob.send(
        room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": "👍"}}, kind="m.reaction"
    )
    edit = alice.send(room, {
        "msgtype": "m.text", "body": "* First", "m.new_content": {"msgtype": "m.text", "body": "First"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    })
    arrives(alice, room, reply)
    arrives(alice, room, reaction)
    arrives(bob, room, edit)
    for client in (alice, bob):
        assert client.event(room, reply)["content"]["m.relates_to"] == thread
        assert client.event(room, reaction)["content"]["m.relates_to"]["key"] == "👍"
        assert client.event(room, edit)["content"]["m.relates_to"]["event_id"] == event


def test_redactions(alice, bob, dave, room):
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    secret = "Nobody may read this"
    event = dave.say(room, secret)
    arrives(alice, room, event)
    # A moderator of the other server may; whoever has no power may not.
    redaction = alice.put("rooms", room, "redact", event, "r1", json={"reason": "order"})["event_id"]
    arrives(bob, room, redaction)
    eventually(lambda: bob.event(room, event)["content"] == {}, what="the redaction on the other side")
    assert bob.event(room, event)["unsigned"]["redacted_because"]["event_id"] == redaction
    assert secret not in bodies(bob, room)
    kept = alice.say(room, "This stays")
    arrives(bob, room, kept)
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "redact", kept, "r2", json={})
    arrives(alice, room, bob.say(room, "Well then"))
    assert alice.event(room, kept)["content"]["body"] == "This stays"


def test_state_changes(alice, bob, room):
    since = bob.sync()["next_batch"]
    alice.set_state(room, "m.room.name", {"name": "One"})
    alice.set_state(room, "m.room.name", {"name": "Two"})
    alice.set_state(room, "org.example.kept", {"a": 1}, key="a key/with ß")
    eventually(lambda: content_of(bob, room, "org.example.kept", "a key/with ß") == {"a": 1}, what="the last change")
    assert bob.state(room, "m.room.name")["name"] == "Two"
    agree(room, alice, bob)

    def news(sync):
        section = sync.get("rooms", {}).get("join", {}).get(room, {})
        events = section.get("state", {}).get("events", []) + section.get("timeline", {}).get("events", [])
        return any(event["type"] == "org.example.kept" for event in events)

    bob.sync_until(news, since)


def test_power(alice, bob, dave, room):
    dave.join_via(room, alice)
    becomes(alice, room, dave.user, "join")
    levels = alice.state(room, "m.room.power_levels")
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.name", "", json={"name": "mine"})
    granted = {"users": {**levels.get("users", {}), bob.user: 60}, "events": {**levels["events"], "m.room.power_levels": 60}}
    alice.set_state(room, "m.room.power_levels", {**levels, **granted})
    eventually(lambda: content_of(bob, room, "m.room.power_levels")["users"].get(bob.user) == 60, what="bob's power")
    name = bob.set_state(room, "m.room.name", {"name": "Bob's"})
    arrives(alice, room, name)
    assert alice.state(room, "m.room.name")["name"] == "Bob's"
    # What bob may give, he may; more than his own, he may not.
    levels = bob.state(room, "m.room.power_levels")
    more = {**levels, "users": {**levels["users"], dave.user: 61}}
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.power_levels", "", json=more)
    bob.set_state(room, "m.room.power_levels", {**levels, "users": {**levels["users"], dave.user: 50}})
    eventually(lambda: content_of(alice, room, "m.room.power_levels")["users"].get(dave.user) == 50, what="dave's power")
    # And it is taken from him again.
    levels = alice.state(room, "m.room.power_levels")
    alice.set_state(room, "m.room.power_levels", {**levels, "users": {**levels["users"], bob.user: 0}})
    eventually(lambda: content_of(bob, room, "m.room.power_levels")["users"].get(bob.user) == 0, what="bob's loss of power")
    bob.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.name", "", json={"name": "mine again"})
    agree(room, alice, bob)


def test_server_acl(pair, alice, bob, room):
    arrives(alice, room, bob.say(room, "Before"))
    hosts = pair.there.server_name.rsplit(":", 1)[0]
    allowed = {"allow": ["*"], "allow_ip_literals": True}
    shut_out = alice.set_state(room, "m.room.server_acl", {**allowed, "deny": [hosts]})
    # What is said by a server that is shut out stays with it.
    unheard = bob.say(room, "Does nobody hear me?")
    elsewhere = alice.create_room(preset="public_chat")
    bob.join_via(elsewhere, alice)
    arrives(alice, elsewhere, bob.say(elsewhere, "Here they do"))
    assert unheard not in [event["event_id"] for event in alice.all_messages(room)]
    assert shut_out in [event["event_id"] for event in alice.all_messages(room)]
    bob.leave(room)
    bob.refused("M_FORBIDDEN", 403, "POST", "join", room, params={"via": pair.here.server_name})


def test_upgrade(alice, bob, pair, fresh_name):
    room = alice.create_room(preset="public_chat", room_version="11", name="Old and new")
    bob.join_via(room, alice)
    alias = f"#{fresh_name('followed')}:{pair.there.server_name}"
    bob.put("directory", "room", alias, json={"room_id": room})
    bob.put("user", bob.user, "rooms", room, "tags", "u.work", json={"order": 0.5})
    replacement = alice.post("rooms", room, "upgrade", json={"new_version": "12"})["replacement_room"]
    eventually(
        lambda: (content_of(bob, room, "m.room.tombstone") or {}).get("replacement_room") == replacement, what="the tombstone"
    )
    bob.join_via(replacement, alice)
    becomes(alice, replacement, bob.user, "join")
    created = bob.state(replacement, "m.room.create")
    assert created["room_version"] == "12" and created["predecessor"]["room_id"] == room
    assert bob.state(replacement, "m.room.name")["name"] == "Old and new"
    arrives(bob, replacement, alice.say(replacement, "We are here now"))
    # What bob and his server have noted about the old room holds for the new one.
    eventually(lambda: "u.work" in bob.get("user", bob.user, "rooms", replacement, "tags")["tags"], what="the tag")
    eventually(lambda: bob.get("directory", "room", alias)["room_id"] == replacement, what="the alias")


def test_nobody_takes_over_a_room_by_claiming_to_replace_it(alice, bob, pair, fresh_name):
    room = bob.create_room(preset="public_chat")
    alias = f"#{fresh_name('kept')}:{pair.there.server_name}"
    bob.put("directory", "room", alias, json={"room_id": room})
    claim = {"predecessor": {"room_id": room, "event_id": "$tombstone"}}
    false = alice.create_room(preset="public_chat", creation_content=claim)
    bob.join_via(false, alice)
    becomes(alice, false, bob.user, "join")
    if pair.there.kind == "chappe":
        assert bob.get("directory", "room", alias)["room_id"] == room


def sticky(client, room):
    """The events of a room that stick, as a first sync tells of them."""
    section = client.sync()["rooms"]["join"].get(room, {})
    events = section.get("msc4354_sticky", {}).get("events", []) + section.get("timeline", {}).get("events", [])
    return {event["event_id"] for event in events if "msc4354_sticky" in event}


def test_events_that_stick_reach_servers_that_come_later(alice, bob, pair):
    if {pair.here.kind, pair.there.kind} != {"chappe"}:
        pytest.skip("Synapse has it only as an experiment")
    room = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}])
    first = alice.send(room, {"a": 1}, "org.example.member", params={"org.matrix.msc4354.sticky_duration_ms": 600_000})
    for number in range(15):
        alice.say(room, f"message {number}")
    bob.join_via(room, alice)
    eventually(lambda: first in sticky(bob, room), what="what stuck before the join")
    second = alice.send(room, {"a": 2}, "org.example.member", params={"org.matrix.msc4354.sticky_duration_ms": 600_000})
    eventually(lambda: {first, second} <= sticky(bob, room), what="what stuck after the join")
    third = bob.send(room, {"a": 3}, "org.example.member", params={"org.matrix.msc4354.sticky_duration_ms": 600_000})
    eventually(lambda: {first, second, third} <= sticky(alice, room), what="what sticks on the other side")
