"""Push notifications, as a push gateway is told them."""

import time
from contextlib import ExitStack

import httpx
import pytest
from harness import push_gateway
from harness.clients import register
from harness.waiting import eventually

#: The gateways of these tests are on the loopback.
OPEN = {"outbound": {"allow_private_addresses": True}}


@pytest.fixture(scope="module")
def server(make_server, engine):
    server = make_server(engine, settings=OPEN).start()
    yield server
    server.finish()


@pytest.fixture
def own_server(make_server, engine):
    server = make_server(engine, settings=OPEN).start()
    yield server
    server.finish()


@pytest.fixture
def gateway():
    with push_gateway.running() as gateway:
        yield gateway


def push_to(client, gateway, key: str = "key", **data) -> dict:
    pusher = {
        "kind": "http", "app_id": "org.example.app", "pushkey": key, "app_display_name": "Example",
        "device_display_name": "Telephone", "lang": "fr", "data": {"url": gateway.url, **data}, "append": True,
    }
    client.post("pushers", "set", json=pusher)
    return pusher


def room_of(owner, *others, **options) -> str:
    room = owner.create_room(preset="public_chat", **options)
    for other in others:
        other.join(room)
    return room


def metric(server, name: str) -> int:
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"chappe_push_{name} "))


def test_a_message_is_pushed_whole(alice, bob, gateway):
    alice.put("profile", alice.user, "displayname", json={"displayname": "Alice"})
    room = room_of(alice, bob, name="Room", room_alias_name="push" + alice.user[1:].split(":")[0])
    push_to(bob, gateway, brand="x")
    own = bob.say(room, "of my own")
    event = alice.say(room, "hello")
    told = gateway.event(event)
    assert told["type"] == "m.room.message" and told["sender"] == alice.user and told["room_id"] == room
    assert told["sender_display_name"] == "Alice" and told["room_name"] == "Room"
    assert told["room_alias"].startswith("#push")
    assert told["content"] == {"msgtype": "m.text", "body": "hello"}
    assert told["counts"] == {"unread": 1}
    (device,) = told["devices"]
    assert device["app_id"] == "org.example.app" and device["pushkey"] == "key" and device["data"] == {"brand": "x"}
    assert abs(device["pushkey_ts"] - time.time()) < 600
    assert own not in gateway.events()


def test_a_mention_stands_out(alice, bob, carol, gateway):
    room = room_of(alice, bob, carol)
    push_to(bob, gateway)
    plain = alice.say(room, "hello")
    event = alice.send(room, {"msgtype": "m.text", "body": "look", "m.mentions": {"user_ids": [bob.user]}})
    told = gateway.event(event)
    assert told["prio"] == "high" and told["devices"][0]["tweaks"] == {"highlight": True, "sound": "default"}
    before = gateway.event(plain)
    assert before["prio"] == "low" and before["devices"][0]["tweaks"] == {}


def test_what_is_muted_or_ignored_is_silent(alice, bob, carol, gateway):
    muted, loud = room_of(alice, bob, carol), room_of(alice, bob, carol)
    bob.put("pushrules", "global", "room", muted, json={"actions": []})
    bob.put("user", bob.user, "account_data", "m.ignored_user_list", json={"ignored_users": {carol.user: {}}})
    push_to(bob, gateway)
    alice.say(muted, "silence")
    carol.say(loud, "ignored")
    last = alice.say(loud, "heard")
    gateway.event(last)
    assert gateway.events() == [last]


def test_of_what_is_encrypted_only_the_event_is_told(alice, bob, gateway):
    room = room_of(alice, bob)
    push_to(bob, gateway, format="event_id_only")
    event = alice.send(room, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}, kind="m.room.encrypted")
    told = gateway.event(event)
    assert set(told) == {"event_id", "room_id", "prio", "counts", "devices"} and told["prio"] == "high"


@pytest.mark.parametrize("kind", ["m.read", "m.read.private"])
def test_the_badge_goes_back_to_zero(alice, bob, gateway, kind):
    room = room_of(alice, bob)
    push_to(bob, gateway)
    alice.say(room, "one")
    last = alice.say(room, "two")
    assert gateway.event(last)["counts"] == {"unread": 2}
    bob.post("rooms", room, "receipt", kind, last)
    told = gateway.wait_for(lambda told: "event_id" not in told)
    assert told["counts"] == {"unread": 0} and "content" not in told


def test_invitations_are_pushed(alice, bob, gateway):
    push_to(bob, gateway)
    room = alice.create_room(name="Invited", invite=[bob.user])
    told = gateway.wait_for(lambda told: told.get("type") == "m.room.member")
    assert told["user_is_target"] is True and told["room_name"] == "Invited" and told["room_id"] == room
    assert told["content"]["membership"] == told["membership"] == "invite" and told["prio"] == "high"


def test_calls_are_urgent(alice, bob, carol, gateway):
    room = room_of(alice, bob, carol)
    rule = {"actions": ["notify"], "conditions": [{"kind": "event_match", "key": "type", "pattern": "*.rtc.notification"}]}
    bob.put("pushrules", "global", "override", "org.example.calls", json=rule)
    push_to(bob, gateway)
    event = alice.send(room, {"notification_type": "ring"}, kind="org.matrix.msc4075.rtc.notification")
    assert gateway.event(event)["prio"] == "high"


def test_a_rejected_key_loses_its_pusher(alice, bob, gateway):
    room = room_of(alice, bob)
    push_to(bob, gateway, key="good")
    push_to(bob, gateway, key="bad")
    gateway.rejected.add("bad")
    alice.say(room, "hello")
    eventually(lambda: [pusher["pushkey"] for pusher in bob.get("pushers")["pushers"]] == ["good"])
    gateway.wait(2)
    gateway.forget()
    last = alice.say(room, "again")
    gateway.event(last)
    time.sleep(1)
    assert [told["devices"][0]["pushkey"] for told in gateway.told] == ["good"]


def test_what_is_read_or_redacted_meanwhile_is_not_pushed(alice, bob, gateway):
    room = room_of(alice, bob)
    push_to(bob, gateway)
    gateway.status = 503
    read = alice.say(room, "read elsewhere")
    eventually(lambda: gateway.asked > 0)
    bob.post("rooms", room, "receipt", "m.read", read)
    gone = alice.say(room, "regretted")
    alice.put("rooms", room, "redact", gone, "r1", json={})
    last = alice.say(room, "stays")
    gateway.status = 200
    assert gateway.event(last)["counts"] == {"unread": 1}
    assert gateway.events() == [last]


def test_a_gateway_that_was_down_gets_everything_in_order(own_server):
    server = own_server
    alice, bob = register(server, "alice"), register(server, "bob")
    room = room_of(alice, bob)
    with push_gateway.running() as gateway:
        port = gateway.port
        push_to(bob, gateway)
        sent = [alice.say(room, "before")]
        gateway.event(sent[0])
    sent = [alice.say(room, f"down {number}") for number in range(5)]
    eventually(lambda: metric(server, "failed_total") > 0)
    server.kill()
    server.start()
    sent += [alice.say(room, f"still down {number}") for number in range(3)]
    eventually(lambda: metric(server, "failed_total") > 0 and metric(server, "waiting") == 1)
    with push_gateway.running(port) as gateway:
        gateway.event(sent[-1], seconds=60)
        assert gateway.events() == sent


def test_a_slow_gateway_delays_no_other(alice, bob, carol):
    with ExitStack() as stack:
        slow, fast = (stack.enter_context(push_gateway.running()) for _ in range(2))
        slow.delay = 8
        room = room_of(alice, bob, carol)
        for number in range(5):
            push_to(bob, slow, key=f"slow {number}")
        push_to(carol, fast)
        alice.say(room, "first")
        eventually(lambda: slow.asked > 0)
        for number in range(5):
            last = alice.say(room, f"{number}")
        fast.event(last)
        assert len(fast.events()) == 6 and not slow.told


def test_redirects_are_not_followed(alice, bob):
    with ExitStack() as stack:
        first, second = (stack.enter_context(push_gateway.running()) for _ in range(2))
        first.status, first.location = 307, second.url
        room = room_of(alice, bob)
        push_to(bob, first)
        alice.say(room, "hello")
        eventually(lambda: first.asked > 0)
        time.sleep(1)
        assert second.asked == 0


def test_no_private_address_is_asked(make_server, engine):
    server = make_server(engine).start()
    try:
        alice, bob = register(server, "alice"), register(server, "bob")
        room = room_of(alice, bob)
        with push_gateway.running() as gateway:
            bob.refused("M_INVALID_PARAM", 400, "POST", "pushers", "set", json={
                "kind": "http", "app_id": "a", "pushkey": "k", "app_display_name": "A", "device_display_name": "D",
                "lang": "en", "data": {"url": gateway.url},
            })
            for number, host in enumerate(("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "LOCALHOST.")):
                gateway.url = f"https://{host}:{gateway.port}{push_gateway.PATH}"
                push_to(bob, gateway, key=f"key {number}")
            alice.say(room, "hello")
            eventually(lambda: metric(server, "failed_total") >= 4)
            assert "forbiddenAddress" in server.log_tail(200)
            assert gateway.asked == 0
    finally:
        server.finish()


def test_a_gateway_with_tls_is_told(make_server, engine, tmp_path):
    """The certificate is nobody's: verified it is refused, and only where the configuration says so it is not."""
    server = make_server(engine, settings=OPEN).start()
    try:
        alice, bob = register(server, "alice"), register(server, "bob")
        room = room_of(alice, bob)
        with push_gateway.running(certificate=push_gateway.own_certificate(tmp_path)) as gateway:
            push_to(bob, gateway)
            event = alice.say(room, "hello")
            eventually(lambda: metric(server, "failed_total") > 0)
            assert gateway.asked == 0
            server.stop()
            server.settings = {"outbound": {"allow_private_addresses": True, "verify_tls_outside_federation": False}}
            server.prepare()
            server.start()
            gateway.event(event)
    finally:
        server.finish()
