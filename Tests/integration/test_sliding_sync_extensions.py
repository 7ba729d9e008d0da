"""Sliding sync: what is told beside rooms."""

import time

import pytest

from harness.sliding import Loop, rooms_list
from test_sliding_sync import bodies, form, make_rooms  # noqa: F401 (a fixture)
from test_sync import in_background

MESSAGES = {"enabled": True}


def to_device(sender, target, number):
    sender.put("sendToDevice", "m.test", f"t{number}-{time.monotonic_ns()}", json={"messages": {target.user: {target.device: {"n": number}}}})


def numbers(answer):
    return [event["content"]["n"] for event in answer["extensions"]["to_device"]["events"]]


# Messages to the device


def test_messages_are_deleted_only_when_acknowledged(alice, bob, form):
    to_device(bob, alice, 1)
    loop = Loop(alice, form, "encryption")
    first = loop.sync(extensions={"to_device": MESSAGES})
    assert numbers(first) == [1]
    again = loop.sync(extensions={"to_device": MESSAGES})
    assert numbers(again) == [1], "nothing was acknowledged"
    since = again["extensions"]["to_device"]["next_batch"]
    to_device(bob, alice, 2)
    acknowledged = loop.sync(extensions={"to_device": {**MESSAGES, "since": since}})
    assert numbers(acknowledged) == [2]
    # Whatever other connection: what was acknowledged is gone, what was not is there.
    assert numbers(Loop(alice, form, "other").sync(extensions={"to_device": MESSAGES})) == [2]


def test_a_lost_answer_loses_no_message(alice, bob, form):
    loop = Loop(alice, form)
    since = loop.sync(extensions={"to_device": MESSAGES})["extensions"]["to_device"]["next_batch"]
    base = loop.pos
    to_device(bob, alice, 7)
    for _ in range(2):
        assert numbers(loop.sync(extensions={"to_device": {**MESSAGES, "since": since}}, pos=base)) == [7]


def test_many_messages_come_in_portions(alice, bob, form):
    for number in range(5):
        to_device(bob, alice, number)
    loop = Loop(alice, form)
    heard, since = [], {}
    for _ in range(4):
        answer = loop.sync(extensions={"to_device": {**MESSAGES, "limit": 2, **since}})
        heard += numbers(answer)
        since = {"since": answer["extensions"]["to_device"]["next_batch"]}
    assert heard == [0, 1, 2, 3, 4]


def test_a_long_poll_wakes_for_a_message_to_the_device(alice, bob, form):
    loop = Loop(alice, form)
    wanted = {"to_device": MESSAGES, "e2ee": {"enabled": True}}
    since = loop.sync(extensions=wanted)["extensions"]["to_device"]["next_batch"]
    wanted["to_device"] = {**MESSAGES, "since": since}
    waiting = in_background(lambda: loop.sync(extensions=wanted, timeout=20_000))
    time.sleep(0.3)
    to_device(bob, alice, 3)
    assert numbers(waiting(10)) == [3]


# Keys


def test_key_counts_and_device_lists(alice, bob, form):
    from harness.crypto import DeviceKeys

    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    loop = Loop(alice, form)
    first = loop.sync(extensions={"e2ee": {"enabled": True}})["extensions"]["e2ee"]
    assert first["device_one_time_keys_count"].get("signed_curve25519", 0) == 0
    assert first["device_unused_fallback_key_types"] == [] and "device_lists" not in first
    keys = DeviceKeys(alice)
    keys.upload(3)
    alice.post("keys", "upload", json={"fallback_keys": keys.fallback_key()})
    second = loop.sync(extensions={"e2ee": {"enabled": True}})["extensions"]["e2ee"]
    assert second["device_one_time_keys_count"]["signed_curve25519"] == 3
    assert second["device_unused_fallback_key_types"] == ["signed_curve25519"]
    waiting = in_background(lambda: loop.sync_until(lambda answer: bob.user in answer["extensions"]["e2ee"]["device_lists"]["changed"], extensions={"e2ee": {"enabled": True}}))
    time.sleep(0.2)
    DeviceKeys(bob).upload()
    waiting()
    bob.leave(room)
    loop.sync_until(lambda answer: bob.user in answer["extensions"]["e2ee"]["device_lists"]["left"], extensions={"e2ee": {"enabled": True}})


# Account data


def data(answer, room=None):
    section = answer["extensions"]["account_data"]
    return {item["type"]: item["content"] for item in (section["global"] if room is None else section["rooms"].get(room, []))}


def test_account_data(alice, form):
    one, two = make_rooms(alice, 2)
    alice.put("user", alice.user, "account_data", "org.example.a", json={"a": 1})
    alice.put("user", alice.user, "rooms", one, "account_data", "org.example.r", json={"r": 1})
    loop = Loop(alice, form)
    body = {"lists": {"top": rooms_list(1, [], (0, 0))}, "extensions": {"account_data": {"enabled": True}}}
    first = loop.sync(**body)
    assert data(first)["org.example.a"] == {"a": 1} and "m.push_rules" in data(first)
    assert data(first, one) == {}, "that room is in no window"
    alice.put("user", alice.user, "account_data", "org.example.a", json={"a": 2})
    second = loop.sync(**body)
    assert data(second) == {"org.example.a": {"a": 2}}
    wide = {**body, "lists": {"top": rooms_list(1, [], (0, 9))}}
    assert data(loop.sync(**wide), one) == {"org.example.r": {"r": 1}}
    alice.put("user", alice.user, "rooms", one, "account_data", "org.example.r", json={"r": 2})
    third = loop.sync(**wide)
    assert data(third, one) == {"org.example.r": {"r": 2}} and data(third) == {} and not third["rooms"]
    # Out of sight, and back again.
    loop.sync(**body)
    alice.put("user", alice.user, "rooms", one, "account_data", "org.example.r", json={"r": 3})
    assert data(loop.sync(**body), one) == {}
    assert data(loop.sync(**wide), one) == {"org.example.r": {"r": 3}}
    # Not wanted for a while.
    loop.sync(lists=wide["lists"])
    alice.put("user", alice.user, "rooms", one, "account_data", "org.example.s", json={"s": 1})
    loop.sync(lists=wide["lists"])
    if alice.server.kind != "synapse":
        assert data(loop.sync(**wide), one) == {"org.example.r": {"r": 3}, "org.example.s": {"s": 1}}


def test_extensions_of_some_rooms(alice, form):
    one, two = make_rooms(alice, 2)
    for room in (one, two):
        alice.put("user", alice.user, "rooms", room, "account_data", "org.example.r", json={})
    alice.say(two, "on top")
    cases = [
        ({}, {one, two}), ({"lists": ["top"], "rooms": []}, {two}), ({"lists": [], "rooms": [one]}, {one}),
        ({"lists": [], "rooms": []}, set()), ({"lists": ["*"], "rooms": []}, {two}), ({"lists": ["none"], "rooms": []}, set()),
    ]
    if alice.server.kind != "synapse":  # which takes rooms of lists for subscriptions
        cases.append(({"lists": [], "rooms": ["*"]}, {one}))
    for number, (scope, expected) in enumerate(cases):
        answer = Loop(alice, form, f"c{number}").sync(
            {"top": rooms_list(1, [], (0, 0))}, {one: {"timeline_limit": 1, "required_state": []}},
            extensions={"account_data": {"enabled": True, **scope}})
        assert set(answer["extensions"]["account_data"]["rooms"]) == expected, scope


# Receipts and typing


def readers(answer, room):
    event = answer["extensions"]["receipts"]["rooms"].get(room, {"content": {}})
    return {(event_id, user) for event_id, types in event["content"].items() for users in types.values() for user in users}


def test_receipts(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    old = alice.say(room, "old")
    new = alice.say(room, "new")
    alice.post("rooms", room, "receipt", "m.read.private", old)
    bob.post("rooms", room, "receipt", "m.read", old)
    body = {"lists": {"all": rooms_list(1)}, "extensions": {"receipts": {"enabled": True}}}
    loop = Loop(alice, form)
    # One's own, and those on what is shown.
    assert readers(loop.sync(**body), room) == {(old, alice.user)}
    assert readers(Loop(bob, form).sync(**body), room) == {(old, bob.user)}
    waiting = in_background(lambda: loop.sync_until(lambda answer: readers(answer, room), **body))
    time.sleep(0.2)
    bob.post("rooms", room, "receipt", "m.read", new)
    assert readers(waiting(), room) == {(new, bob.user)}
    assert readers(loop.sync(**body), room) == set()
    assert readers(Loop(alice, form, "fresh").sync(**body), room) == {(old, alice.user), (new, bob.user)}


def test_receipts_out_of_sight_come_with_the_room(alice, bob, form):
    old, new = make_rooms(alice, 2, preset="public_chat")
    bob.join(old)
    event = bob.say(old, "read me")
    alice.say(new, "on top")
    extensions = {"receipts": {"enabled": True}}
    loop = Loop(alice, form)
    wide, narrow = {"all": rooms_list(1, [], (0, 9))}, {"all": rooms_list(1, [], (0, 0))}
    loop.sync(wide, extensions=extensions)
    loop.sync(narrow, extensions=extensions)
    bob.post("rooms", old, "receipt", "m.read", event)
    assert readers(loop.sync(narrow, extensions=extensions), old) == set()
    assert readers(loop.sync(wide, extensions=extensions), old) == {(event, bob.user)}


def typists(answer, room):
    event = answer["extensions"]["typing"]["rooms"].get(room)
    return None if event is None else event["content"]["user_ids"]


def test_typing(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    body = {"lists": {"all": rooms_list(1)}, "extensions": {"typing": {"enabled": True}}}
    loop = Loop(alice, form)
    assert typists(loop.sync(**body), room) is None
    waiting = in_background(lambda: loop.sync_until(lambda answer: typists(answer, room), **body))
    time.sleep(0.2)
    bob.put("rooms", room, "typing", bob.user, json={"typing": True, "timeout": 30_000})
    assert typists(waiting(), room) == [bob.user]
    assert typists(Loop(alice, form, "fresh").sync(**body), room) == [bob.user]
    bob.put("rooms", room, "typing", bob.user, json={"typing": False})
    assert typists(loop.sync_until(lambda answer: typists(answer, room) is not None, **body), room) == []
    quiet = loop.sync(lists=body["lists"])
    assert "typing" not in quiet["extensions"]


@pytest.mark.only_chappe(reason="how an extension that the server does not have is answered is our own promise")
def test_unknown_extensions_are_left_out(alice, form):
    answer = Loop(alice, form).sync(extensions={"org.example.unheard_of": {"enabled": True}, "typing": {}, "receipts": None})
    assert answer["extensions"] == {}


def test_a_quiet_connection_is_answered_when_its_time_is_up(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    everything = {name: {"enabled": True} for name in ("to_device", "e2ee", "account_data", "receipts", "typing")}
    loop = Loop(alice, form)
    loop.sync({"all": rooms_list(1)}, extensions=everything)
    loop.sync({"all": rooms_list(1)}, extensions=everything, timeout=300)
    begun = time.monotonic()
    answer = loop.sync({"all": rooms_list(1)}, extensions=everything, timeout=800)
    assert time.monotonic() - begun > 0.6
    assert not answer["rooms"] and answer["lists"]["all"]["count"] == 1
    bob.say(room, "after all")
    assert bodies(loop.sync({"all": rooms_list(1)}, extensions=everything)["rooms"][room]) == ["after all"]
