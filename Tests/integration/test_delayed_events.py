"""Events that the server sends later, unless somebody says otherwise until then (MSC4140)."""

import threading
import time

import pytest
from harness.clients import Client, path, register

BASE = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"
CALL = "org.matrix.msc3401.call.member"

pytestmark = pytest.mark.only_chappe(reason="Synapse has it only as an experiment")


def delayed(client, room, kind, content, delay, *, key=None, txn="t", expect=200):
    parts = ("rooms", room, "send", kind, txn) if key is None else ("rooms", room, "state", kind, key)
    return client.request(
        "PUT", path(*parts), json=content, params={"org.matrix.msc4140.delay": delay}, schema=False, expect=expect,
    ).json()


def act(server, delay_id, action, expect=200, in_path=False):
    """Without a token: the name is enough."""
    with_nothing = Client(server)
    where, body = (f"{BASE}/{delay_id}/{action}", {}) if in_path else (f"{BASE}/{delay_id}", {"action": action})
    answer = with_nothing.request("POST", where, json=body, schema=False, expect=expect, token=None).json()
    with_nothing.close()
    return answer


def waiting(client):
    return client.request("GET", BASE, schema=False).json()["delayed_events"]


def bodies(client, room):
    chunk = client.get("rooms", room, "messages", params={"dir": "b", "limit": 50})["chunk"]
    return [event["content"]["body"] for event in chunk if event["type"] == "m.room.message"]


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)


def text(body):
    return {"msgtype": "m.text", "body": body}


def test_an_event_is_sent_when_its_time_has_come(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    before = time.time()
    answer = delayed(alice, room, "m.room.message", text("later"), 800)
    event, = waiting(alice)
    assert event["delay_id"] == answer["delay_id"] and event["room_id"] == room and event["delay"] == 800
    assert event["content"] == text("later") and event["type"] == "m.room.message" and "state_key" not in event
    assert waiting(bob) == [] and bodies(bob, room) == []
    until(lambda: bodies(bob, room) == ["later"])
    assert time.time() - before >= 0.8
    assert waiting(alice) == []
    act(alice.server, answer["delay_id"], "send", expect=404)


def test_a_call_member_that_vanishes_leaves(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.set_state(room, "m.room.power_levels", {**alice.state(room, "m.room.power_levels"), "events": {CALL: 0}})
    key = f"_{bob.user}_{bob.device}"
    bob.set_state(room, CALL, {"application": "m.call"}, key)
    leave = delayed(bob, room, CALL, {}, 1_500, key=key)["delay_id"]
    for _ in range(6):  # the client is there, and says so
        time.sleep(0.5)
        act(bob.server, leave, "restart")
        assert alice.state(room, CALL, key) == {"application": "m.call"}
    until(lambda: alice.state(room, CALL, key) == {})
    act(bob.server, leave, "restart", expect=404)


def test_whoever_knows_its_name_sends_or_drops_it(alice):
    room = alice.create_room()
    names = [delayed(alice, room, "m.room.message", text(body), 60_000, txn=body)["delay_id"] for body in "abcd"]
    act(alice.server, names[0], "send")
    act(alice.server, names[1], "cancel")
    act(alice.server, names[2], "send", in_path=True)
    act(alice.server, names[3], "cancel", in_path=True)
    assert bodies(alice, room) == ["c", "a"] and waiting(alice) == []
    for action in ("send", "cancel", "restart"):
        act(alice.server, names[1], action, expect=404)
    act(alice.server, names[0], "nonsense", expect=400)
    act(alice.server, names[0], "nonsense", expect=404, in_path=True)


def test_asking_twice_under_one_name_is_asking_once(alice):
    room = alice.create_room()
    first = delayed(alice, room, "m.room.message", text("once"), 60_000, txn="same")
    assert delayed(alice, room, "m.room.message", text("once"), 60_000, txn="same") == first
    assert len(waiting(alice)) == 1
    act(alice.server, first["delay_id"], "send")
    assert bodies(alice, room) == ["once"]


def test_state_that_somebody_else_has_set_since_stays(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.set_state(room, "m.room.power_levels", {**alice.state(room, "m.room.power_levels"), "state_default": 0})
    delayed(alice, room, "org.example.lamp", {"on": False}, 1_500, key="")
    bob.set_state(room, "org.example.lamp", {"on": True, "by": "bob"})
    delayed(bob, room, "org.example.door", {"open": False}, 1_500, key="")
    bob.set_state(room, "org.example.door", {"open": True})
    until(lambda: waiting(alice) == [] and waiting(bob) == [])
    assert alice.state(room, "org.example.lamp") == {"on": True, "by": "bob"}
    assert alice.state(room, "org.example.door") == {"open": False}, "what one has set oneself does not count"


def test_who_may_not_send_any_more_does_not(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    name = delayed(bob, room, "m.room.message", text("too late"), 1_000)["delay_id"]
    alice.post("rooms", room, "kick", json={"user_id": bob.user})
    until(lambda: waiting(bob) == [])
    assert bodies(alice, room) == []
    act(bob.server, name, "send", expect=404)
    assert delayed(bob, room, "m.room.message", text("x"), 1_000, expect=403)["errcode"] == "M_FORBIDDEN"


def test_a_restart_or_a_crash_changes_nothing(own_server, fresh_name):
    alice = register(own_server, fresh_name())
    room = alice.create_room()
    soon = delayed(alice, room, "m.room.message", text("meanwhile"), 1_000, txn="1")["delay_id"]
    later = delayed(alice, room, "m.room.message", text("later"), 120_000, txn="2")["delay_id"]
    own_server.kill()
    time.sleep(1.2)
    own_server.start()
    until(lambda: bodies(alice, room) == ["meanwhile"])
    assert [event["delay_id"] for event in waiting(alice)] == [later] and soon != later
    own_server.restart()
    act(own_server, later, "send")
    assert bodies(alice, room) == ["later", "meanwhile"]


def test_delays_and_their_number_are_bounded(alice):
    room = alice.create_room()
    answer = delayed(alice, room, "m.room.message", text("x"), 8 * 86_400_000, expect=400)
    assert answer["org.matrix.msc4140.errcode"] == "M_MAX_DELAY_EXCEEDED" and answer["org.matrix.msc4140.max_delay"] == 86_400_000
    assert delayed(alice, room, "m.room.message", text("x" * 65_536), 600_000, expect=413)["errcode"] == "M_TOO_LARGE"
    assert waiting(alice) == []
    for delay in (0, -5, "soon"):
        delayed(alice, room, "m.room.message", text("x"), delay, expect=400)
    names = [delayed(alice, room, "m.room.message", text("x"), 600_000, txn=str(number))["delay_id"] for number in range(100)]
    answer = delayed(alice, room, "m.room.message", text("x"), 600_000, txn="more", expect=400)
    assert answer["org.matrix.msc4140.errcode"] == "M_MAX_DELAYED_EVENTS_EXCEEDED"
    act(alice.server, names[0], "cancel")
    delayed(alice, room, "m.room.message", text("x"), 600_000, txn="more")
    assert alice.get("versions", base="/_matrix/client")["unstable_features"]["org.matrix.msc4140"] is True
