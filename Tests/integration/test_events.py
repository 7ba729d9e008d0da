"""Sending, reading, redacting and paging through events."""

import pytest
from harness.clients import Client, path


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    return room


def bodies(events):
    return [event["content"]["body"] for event in events if event["type"] == "m.room.message" and event["content"]]


def test_a_message_is_stored_as_sent(alice, bob, room):
    content = {"msgtype": "m.text", "body": "é ≠ é – 🛰", "org.example": {"deep": [1, 2, {"x": None}], "big": 9007199254740991}}
    event = alice.send(room, content)
    seen = bob.event(room, event)
    assert seen["content"] == content
    assert seen["sender"] == alice.user and seen["room_id"] == room and seen["type"] == "m.room.message"
    assert "transaction_id" not in seen["unsigned"]
    assert "hashes" not in seen and "signatures" not in seen and "auth_events" not in seen


def test_a_transaction_id_sends_once(alice, room):
    first = alice.say(room, "once", transaction="same")
    assert alice.say(room, "once", transaction="same") == first
    other_device = alice.another_device()
    assert other_device.say(room, "once", transaction="same") != first, "transaction IDs belong to a device"
    assert len([body for body in bodies(alice.all_messages(room)) if body == "once"]) == 2


def test_the_sender_sees_its_transaction_id(alice, room):
    since = alice.sync()["next_batch"]
    event = alice.say(room, "mine", transaction="remember-me")
    (timeline, _) = alice.sync_until(lambda sync: sync["rooms"]["join"][room]["timeline"]["events"], since)
    assert timeline[-1]["event_id"] == event and timeline[-1]["unsigned"]["transaction_id"] == "remember-me"


def test_paging_backwards_and_forwards(alice, bob, room):
    sent = [f"message {number}" for number in range(25)]
    for body in sent:
        alice.say(room, body)
    assert [body for body in reversed(bodies(bob.all_messages(room, page=7)))] == sent
    forwards, position = [], {}
    while True:
        chunk = bob.get("rooms", room, "messages", params={"dir": "f", "limit": 7, **position})
        forwards += chunk["chunk"]
        if "end" not in chunk or not chunk["chunk"]:
            break
        position = {"from": chunk["end"]}
    assert bodies(forwards) == sent
    assert forwards[0]["type"] == "m.room.create"


def test_messages_from_a_sync_token_and_with_a_filter(alice, bob, room):
    for number in range(5):
        alice.say(room, f"a{number}")
    bob.say(room, "b")
    whole = alice.sync(filter='{"room":{"timeline":{"limit":100}}}')["rooms"]["join"][room]["timeline"]
    assert whole["events"][0]["type"] == "m.room.create"
    beginning = alice.messages(room, **{"from": whole["prev_batch"]})
    assert [event["type"] for event in beginning["chunk"]] == ["m.room.member", "m.room.create"]
    assert "end" not in alice.messages(room, **{"from": beginning["end"]})
    cut = alice.sync(filter='{"room":{"timeline":{"limit":2}}}')["rooms"]["join"][room]["timeline"]
    token = cut["prev_batch"]
    older = alice.messages(room, limit=100, **{"from": token})["chunk"]
    assert [event["event_id"] for event in reversed(older)] + [event["event_id"] for event in cut["events"]] == [
        event["event_id"] for event in whole["events"]]
    alice.get("rooms", room, "messages", params={"dir": "b", "from": token})
    only_bob = alice.messages(room, filter='{"senders":["%s"],"types":["m.room.message"]}' % bob.user)
    assert bodies(only_bob["chunk"]) == ["b"]
    without = alice.messages(room, filter='{"not_senders":["%s"],"types":["m.room.message"]}' % bob.user)
    assert bodies(without["chunk"]) == ["a4", "a3", "a2", "a1", "a0"]


def test_context_surrounds_an_event(alice, room):
    events = [alice.say(room, f"c{number}") for number in range(9)]
    context = alice.get("rooms", room, "context", events[4], params={"limit": 4})
    assert context["event"]["event_id"] == events[4]
    assert [event["event_id"] for event in context["events_before"]] == [events[3], events[2]]
    assert [event["event_id"] for event in context["events_after"]] == [events[5], events[6]]
    assert {"m.room.create", "m.room.member"} <= {event["type"] for event in context["state"]}
    older = alice.get("rooms", room, "messages", params={"dir": "b", "from": context["start"], "limit": 2})
    assert [event["event_id"] for event in older["chunk"]] == [events[1], events[0]]
    newer = alice.get("rooms", room, "messages", params={"dir": "f", "from": context["end"], "limit": 2})
    assert [event["event_id"] for event in newer["chunk"]] == [events[7], events[8]]


def test_redaction(alice, bob, carol, room):
    event = bob.say(room, "regret")
    alice.invite(room, carol)
    carol.join(room)
    carol.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "redact", event, "r1", json={})
    redaction = bob.put("rooms", room, "redact", event, "r1", json={"reason": "typo"})["event_id"]
    assert bob.put("rooms", room, "redact", event, "r1", json={"reason": "typo"})["event_id"] == redaction
    seen = alice.event(room, event)
    assert seen["content"] == {}
    assert seen["unsigned"]["redacted_because"]["event_id"] == redaction
    assert seen["unsigned"]["redacted_because"]["content"]["reason"] == "typo"
    topic = alice.set_state(room, "m.room.topic", {"topic": "secret"})
    alice.put("rooms", room, "redact", topic, "r2", json={})
    assert alice.state(room, "m.room.topic") == {}


def test_reading_needs_membership(alice, bob, carol, room):
    event = alice.say(room, "inside")
    carol.refused(("M_NOT_FOUND", "M_FORBIDDEN"), 404, "GET", "rooms", room, "event", event)
    carol.refused("M_FORBIDDEN", 403, "GET", "rooms", room, "messages", params={"dir": "b"})
    carol.refused("M_FORBIDDEN", 403, "GET", "rooms", room, "members")
    alice.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "event", "$nothing")
    other = alice.create_room()
    alice.refused("M_NOT_FOUND", 404, "GET", "rooms", other, "event", event)


@pytest.mark.parametrize(
    ("visibility", "sees_before_invite", "sees_between"),
    [("joined", False, False), ("invited", False, True), ("shared", True, True), ("world_readable", True, True)],
)
def test_history_visibility(alice, bob, carol, visibility, sees_before_invite, sees_between):
    room = alice.create_room(preset="private_chat", initial_state=[
        {"type": "m.room.history_visibility", "content": {"history_visibility": visibility}}
    ])
    before = alice.say(room, "before the invitation")
    alice.invite(room, bob)
    between = alice.say(room, "between invitation and join")
    bob.join(room)
    after = alice.say(room, "after the join")
    visible = {event["event_id"] for event in bob.all_messages(room)}
    assert (before in visible) == sees_before_invite
    assert (between in visible) == sees_between
    assert after in visible
    for event, seen in ((before, sees_before_invite), (between, sees_between), (after, True)):
        bob.request("GET", path("rooms", room, "event", event), expect=200 if seen else 404)
    bob.leave(room)
    later = alice.say(room, "after bob left")
    bob.request("GET", path("rooms", room, "event", later), expect=200 if visibility == "world_readable" else 404)
    carol.request("GET", path("rooms", room, "event", after), expect=200 if visibility == "world_readable" else (403, 404))


def test_state_after_leaving_is_the_state_then(alice, bob, room):
    alice.set_state(room, "m.room.name", {"name": "then"})
    bob.leave(room)
    alice.set_state(room, "m.room.name", {"name": "now"})
    assert bob.state(room, "m.room.name") == {"name": "then"}


def test_an_event_has_a_size_limit(alice, room):
    answer = alice.request(
        "PUT", path("rooms", room, "send", "m.room.message", "huge"),
        json={"msgtype": "m.text", "body": "x" * 66_000}, expect=(400, 413),
    )
    assert answer.json()["errcode"] == "M_TOO_LARGE"
    alice.say(room, "x" * 60_000)


def test_numbers_beyond_canonical_json_are_refused(alice, room):
    for content in (b'{"body":"x","msgtype":"m.text","n":1.5}', b'{"body":"x","msgtype":"m.text","n":9007199254740993}'):
        answer = alice.request(
            "PUT", path("rooms", room, "send", "m.room.message", "n"), content=content, expect=400,
            headers={"Content-Type": "application/json"},
        )
        assert answer.json()["errcode"] == "M_BAD_JSON"


def test_relations_arrive_with_their_event(alice, bob, room):
    event = alice.say(room, "original")
    edit = {
        "msgtype": "m.text", "body": "* edited", "m.new_content": {"msgtype": "m.text", "body": "edited"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    }
    sent = alice.send(room, edit)
    assert bob.event(room, sent)["content"]["m.relates_to"]["event_id"] == event


def test_events_name_themselves_alike_everywhere(server, alice, bob, room):
    event = alice.say(room, "one of a kind")
    since = None
    (timeline, since) = bob.sync_until(
        lambda sync: [e for e in sync["rooms"]["join"][room]["timeline"]["events"] if e["event_id"] == event], since
    )
    fetched, paged = bob.event(room, event), bob.messages(room, limit=1)["chunk"][0]
    assert {key: value for key, value in fetched.items() if key not in ("room_id", "unsigned", "age", "user_id")} == {
        key: value for key, value in timeline[0].items() if key not in ("room_id", "unsigned")
    }
    assert paged["event_id"] == event and paged["origin_server_ts"] == fetched["origin_server_ts"]
    assert Client(server).request("GET", path("rooms", room, "event", event), expect=401)
