"""Users who asked to be forgotten, self-destructing messages, and rooms looked into from outside."""

import time

import pytest
from harness.clients import register


def shown(client, room, event):
    """A message's content as a client sees it in all the ways in which it can ask."""
    timeline = client.sync()["rooms"]["join"][room]["timeline"]["events"]
    page = client.messages(room, limit=100)["chunk"]
    found = [e["content"] for e in timeline + page if e["event_id"] == event]
    found.append(client.event(room, event)["content"])
    found.append(client.get("rooms", room, "context", event)["event"]["content"])
    assert len(found) == 4 and all(content == found[0] for content in found), found
    return found[0]


def test_newcomers_do_not_see_what_the_erased_said(alice, bob, carol, fresh_name):
    erased = register(alice.server, fresh_name("erased"))
    room = alice.create_room(preset="public_chat")
    erased.join(room)
    bob.join(room)
    said = erased.say(room, "forget me")
    kept = alice.say(room, "stays")
    carol.join(room)
    assert shown(carol, room, said)["body"] == "forget me"
    erased.with_password("POST", "account", "deactivate", json={"erase": True})
    assert shown(carol, room, said) == {}, "she was not there when it was said"
    assert shown(carol, room, kept)["body"] == "stays"
    assert shown(bob, room, said)["body"] == "forget me"
    assert alice.state(room, "m.room.create")["room_version"], "rooms stay what they are"


def test_erasure_survives_a_restart(own_server, fresh_name):
    alice, gone, carol = (register(own_server, fresh_name()) for _ in range(3))
    room = alice.create_room(preset="public_chat")
    gone.join(room)
    said = gone.say(room, "forget me")
    gone.with_password("POST", "account", "deactivate", json={"erase": True})
    own_server.restart()
    carol.join(room)
    assert shown(carol, room, said) == {}
    assert shown(alice, room, said)["body"] == "forget me"


@pytest.mark.only_chappe(reason="Synapse has it switched off")
def test_messages_that_name_their_end_are_empty_after_it(own_server, fresh_name):
    alice = register(own_server, fresh_name())
    room = alice.create_room(preset="private_chat")

    def message(body, end):
        return alice.send(room, {"msgtype": "m.text", "body": body, "org.matrix.self_destruct_after": end})

    now = int(time.time() * 1000)
    later, soon = message("later", now + 600_000), message("soon", now + 700)
    assert alice.event(room, soon)["content"]["body"] == "soon"
    deadline = time.monotonic() + 10
    while alice.event(room, soon)["content"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert shown(alice, room, soon) == {}
    assert alice.event(room, later)["content"]["body"] == "later"
    # What falls due while the server is down goes when it is back.
    missed = message("missed", int(time.time() * 1000) + 400)
    own_server.kill()
    time.sleep(0.5)
    own_server.start()
    deadline = time.monotonic() + 10
    while alice.event(room, missed)["content"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert alice.event(room, later)["content"]["body"] == "later"


def test_looking_into_a_room_shows_what_its_members_do(alice, bob):
    room = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}
    ])
    start = bob.get("rooms", room, "initialSync")
    assert {event["content"]["user_id"] for event in start["presence"]} == {alice.user}
    # Presence and typing are part of this stream, though its schema knows only events of rooms.
    position = bob.get("events", params={"room_id": room, "timeout": 0}, schema=False)["end"]

    def until(condition):
        nonlocal position
        deadline = time.monotonic() + 10
        while True:
            page = bob.get("events", params={"room_id": room, "timeout": 2000, "from": position}, schema=False)
            position = page["end"]
            if found := [event for event in page["chunk"] if condition(event)]:
                return found[0]
            assert time.monotonic() < deadline

    said = alice.say(room, "hello outside")
    assert until(lambda event: event["type"] == "m.room.message")["event_id"] == said
    alice.put("presence", alice.user, "status", json={"presence": "online", "status_msg": "here"})
    seen = until(lambda event: event["type"] == "m.presence" and event["content"].get("status_msg") == "here")
    assert seen["content"]["user_id"] == alice.user
    alice.put("rooms", room, "typing", alice.user, json={"typing": True, "timeout": 10_000})
    assert until(lambda event: event["type"] == "m.typing")["content"]["user_ids"] == [alice.user]


def test_who_has_left_hears_no_more_of_who_is_there(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.say(room, "read me")
    alice.post("rooms", room, "receipt", "m.read", event)
    joined = bob.get("rooms", room, "initialSync")
    assert {e["content"]["user_id"] for e in joined["presence"]} == {alice.user, bob.user}
    assert joined["receipts"]
    bob.leave(room)
    left = bob.get("rooms", room, "initialSync")
    assert left["membership"] == "leave" and left["presence"] == [] and left["receipts"] == []
