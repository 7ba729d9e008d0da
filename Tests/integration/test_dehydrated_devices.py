"""Devices that wait on the server, encrypted, for keys that come while nobody is signed in (MSC3814)."""

import pytest
from harness.clients import path
from harness.crypto import DeviceKeys
from test_keys import query, to_device

BASE = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
DATA = {"algorithm": "org.matrix.msc3814.v2", "device_pickle": "c2VjcmV0", "nonce": "bm9uY2U"}

pytestmark = pytest.mark.only_chappe(reason="Synapse has it only as an experiment")


class Dehydrated:
    """A device of a user that nobody is signed in on."""

    def __init__(self, client, device):
        self.user, self.device, self.server = client.user, device, client.server
        self.keys = DeviceKeys(self)

    def request(self, **change):
        return {
            "device_id": self.device, "device_data": DATA, "initial_device_display_name": "Dehydrated",
            "device_keys": {**self.keys.device_keys(), "dehydrated": True}, "one_time_keys": self.keys.one_time_keys(3),
            "fallback_keys": self.keys.fallback_key(), **change,
        }


def ask(client, method, rest="", json=None, **options):
    return client.request(method, BASE + rest, json=json, schema=False, **options)


def events(client, device, batch=None, **options):
    return ask(client, "POST", f"/{device}/events", json={} if batch is None else {"next_batch": batch}, **options).json()


def send(sender, user, device, number):
    sender.put("sendToDevice", "m.room.encrypted", f"dehydrated-{number}", json={
        "messages": {user: {device: {"algorithm": "m.olm.v1.curve25519-aes-sha2", "number": number}}}})


def test_a_dehydrated_device_gets_keys_while_nobody_is_there(alice, bob):
    ask(alice, "GET", expect=404)
    dehydrated = Dehydrated(alice, "DEHYDRATED")
    assert ask(alice, "PUT", json=dehydrated.request()).json() == {"device_id": "DEHYDRATED"}
    assert ask(alice, "GET").json() == {"device_id": "DEHYDRATED", "device_data": DATA}
    # To others it is a device like any other.
    found = query(bob, alice)["device_keys"][alice.user]["DEHYDRATED"]
    assert found["dehydrated"] is True
    claimed = bob.post("keys", "claim", json={"one_time_keys": {alice.user: {"DEHYDRATED": "signed_curve25519"}}})
    assert claimed["one_time_keys"][alice.user]["DEHYDRATED"]
    for number in range(105):
        send(bob, alice.user, "DEHYDRATED", number)
    phone = alice.another_device()
    assert to_device(phone.sync(), "m.room.encrypted") == []
    seen, batch = [], None
    while True:
        answer = events(phone, "DEHYDRATED", batch)
        if not answer["events"]:
            break
        seen += answer["events"]
        batch = answer["next_batch"]
    assert [event["content"]["number"] for event in seen] == list(range(105))
    assert all(event["sender"] == bob.user and event["type"] == "m.room.encrypted" for event in seen)
    # Who fails half-way begins anew.
    assert events(phone, "DEHYDRATED")["events"][0]["content"]["number"] == 0
    assert ask(phone, "DELETE").json() == {"device_id": "DEHYDRATED"}
    ask(phone, "GET", expect=404)
    events(phone, "DEHYDRATED", expect=404)
    assert "DEHYDRATED" not in query(bob, alice)["device_keys"][alice.user]


def test_the_next_dehydrated_device_takes_the_place_of_the_one_before(alice, bob):
    ask(alice, "PUT", json=Dehydrated(alice, "FIRST").request())
    send(bob, alice.user, "FIRST", 1)
    since = bob_sees(bob, alice)
    ask(alice, "PUT", json=Dehydrated(alice, "SECOND").request())
    assert ask(alice, "GET").json()["device_id"] == "SECOND"
    devices = query(bob, alice)["device_keys"][alice.user]
    assert "SECOND" in devices and "FIRST" not in devices
    events(alice, "FIRST", expect=404)
    assert events(alice, "SECOND")["events"] == []
    assert alice.user in bob.sync(since)["device_lists"]["changed"]
    # The same again, as a client does that has lost the answer.
    ask(alice, "PUT", json=Dehydrated(alice, "SECOND").request())


def bob_sees(bob, alice):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    return bob.sync()["next_batch"]


def test_what_is_no_dehydrated_device_is_refused(alice, bob):
    dehydrated = Dehydrated(alice, "REFUSED")
    good = dehydrated.request()
    other_keys = Dehydrated(alice, "OTHER").request()["device_keys"]
    for change in (
        {"device_data": None}, {"device_data": {}}, {"device_data": "x"}, {"device_id": None}, {"device_id": 1},
        {"device_keys": None}, {"device_keys": other_keys}, {"device_data": {"algorithm": 1}}, {"one_time_keys": []},
        {"device_id": alice.device, "device_keys": {**good["device_keys"], "device_id": alice.device}},
    ):
        answer = ask(alice, "PUT", json={**good, **change}, expect=400)
        assert answer.json()["errcode"].startswith("M_"), answer.text
    ask(alice, "PUT", json={**good, "device_data": {"algorithm": "x", "big": "x" * 70_000}}, expect=413)
    ask(alice, "GET", expect=404)
    ask(alice, "DELETE", expect=404)
    assert ask(alice, "PUT", json=good, token=None, expect=401).json()["errcode"] == "M_MISSING_TOKEN"
    ask(alice, "PUT", json=good)
    for batch in ("x", "-1"):
        events(alice, "REFUSED", batch, expect=400)
    events(bob, "REFUSED", expect=404)


def test_it_survives_a_restart_and_goes_with_its_device(own_server, fresh_name):
    from harness.clients import register

    alice, bob = register(own_server, fresh_name()), register(own_server, fresh_name())
    ask(alice, "PUT", json=Dehydrated(alice, "DEHYDRATED").request())
    send(bob, alice.user, "DEHYDRATED", 1)
    own_server.restart()
    assert [event["content"]["number"] for event in events(alice, "DEHYDRATED")["events"]] == [1]
    alice.with_password("DELETE", "devices", "DEHYDRATED")
    ask(alice, "GET", expect=404)
