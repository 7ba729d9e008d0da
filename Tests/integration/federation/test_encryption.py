"""End-to-end encryption between users of two servers: keys, device lists, messages to devices; with matrix-nio and by hand."""

import pytest
from harness.crypto import CrossSigning, DeviceKeys
from harness.nio_device import NioDevice, verify
from harness.rooms import becomes
from harness.waiting import eventually


def query(client, *others):
    return client.post("keys", "query", json={"device_keys": {other.user: [] for other in others}})


def devices(client, other):
    """The IDs of another user's devices that have keys."""
    return set(query(client, other)["device_keys"].get(other.user, {}))


def changed(sync, user):
    return user in sync.get("device_lists", {}).get("changed", [])


@pytest.fixture
async def device(pair, tmp_path, fresh_name):
    """A function that makes devices: `await device("alice", pair.here)`; `of=another` logs in on one more of the user's."""
    opened = []

    async def make(stem: str, server, of: NioDevice | None = None) -> NioDevice:
        name = of.user.split(":")[0][1:] if of else fresh_name(stem)
        made = NioDevice(server, name, tmp_path / f"{name}-{len(opened)}")
        opened.append(made)
        return await (made.login() if of else made.register())

    yield make
    for made in opened:
        await made.close()


async def test_encrypted_conversation(device, pair):
    alice, bob = await device("alice", pair.here), await device("bob", pair.there)
    room = await alice.create_encrypted_room(bob.user)
    await bob.join(room)
    await alice.knows_members(room, bob.user)
    await bob.knows_members(room, alice.user)
    await alice.until(lambda: bob.device in alice.client.device_store[bob.user])
    await bob.until(lambda: alice.device in bob.client.device_store[alice.user])
    await alice.say(room, "Bonjour, Bob")
    await bob.hears(room, "Bonjour, Bob", alice)
    await bob.say(room, "Bonjour, Alice")
    await alice.hears(room, "Bonjour, Alice", bob)

    # A new device: the other server hears of it, and what is said from now on is for it too.
    phone = await device("bob", pair.there, of=bob)
    await alice.until(lambda: phone.device in alice.client.device_store[bob.user], others=(phone,))
    await alice.say(room, "To both of your devices")
    await bob.hears(room, "To both of your devices", alice)
    await phone.hears(room, "To both of your devices", alice)
    await phone.until(lambda: alice.device in phone.client.device_store[alice.user])
    await phone.say(room, "From my telephone")
    await alice.hears(room, "From my telephone", phone)


async def test_verification_by_emoji(device, pair):
    alice, bob = await device("alice", pair.here), await device("bob", pair.there)
    room = await alice.create_encrypted_room(bob.user)
    await bob.join(room)
    await alice.knows_members(room, bob.user)
    await bob.knows_members(room, alice.user)
    await verify(alice, bob)


def test_keys_are_found_and_claimed_once(alice, bob, room):
    keys = DeviceKeys(bob)
    keys.upload(one_time_keys=2)
    eventually(lambda: devices(alice, bob) == {bob.device}, what="bob's keys")
    found = query(alice, bob)["device_keys"][bob.user][bob.device]
    uploaded = keys.device_keys()
    assert {key: found[key] for key in uploaded} == uploaded
    wanted = {"one_time_keys": {bob.user: {bob.device: "signed_curve25519"}}}
    claims = [alice.post("keys", "claim", json=wanted)["one_time_keys"] for _ in range(3)]
    names = [set(claim.get(bob.user, {}).get(bob.device, {})) for claim in claims]
    assert len(names[0]) == len(names[1]) == 1 and names[0] != names[1]
    assert not names[2], "a third key came from two"


def test_device_lists(alice, bob, room):
    becomes(alice, room, bob.user, "join")
    since = alice.sync()["next_batch"]
    DeviceKeys(bob).upload()
    (_, since) = alice.sync_until(lambda sync: changed(sync, bob.user), since)
    eventually(lambda: devices(alice, bob) == {bob.device}, what="bob's keys")
    phone = bob.another_device()
    DeviceKeys(phone).upload()
    (_, since) = alice.sync_until(lambda sync: changed(sync, bob.user), since)
    # A login is a change of its own, told before the keys.
    eventually(lambda: devices(alice, bob) == {bob.device, phone.device}, what="the keys of bob's telephone")
    since = alice.sync()["next_batch"]
    phone.post("logout")
    (_, since) = alice.sync_until(lambda sync: changed(sync, bob.user), since)
    eventually(lambda: devices(alice, bob) == {bob.device}, what="the end of bob's telephone")
    bob.leave(room)
    alice.sync_until(lambda sync: bob.user in sync.get("device_lists", {}).get("left", []), since)


def test_cross_signing(alice, bob, room):
    becomes(alice, room, bob.user, "join")
    device, identity = DeviceKeys(bob), CrossSigning(bob)
    device.upload()
    eventually(lambda: devices(alice, bob) == {bob.device}, what="bob's keys")
    since = alice.sync()["next_batch"]
    identity.upload()
    (_, since) = alice.sync_until(lambda sync: changed(sync, bob.user), since)
    found = eventually(
        lambda: (answer := query(alice, bob)).get("self_signing_keys", {}).get(bob.user) and answer, what="bob's identity"
    )
    assert found["master_keys"][bob.user]["keys"] == identity.key("master")["keys"]
    assert found["self_signing_keys"][bob.user]["keys"] == identity.key("self_signing")["keys"]
    assert bob.user not in found.get("user_signing_keys", {}), "that one is for bob alone"
    signed = identity.sign(device.device_keys(), "self_signing")
    bob.post("keys", "signatures", "upload", json={bob.user: {bob.device: signed}})
    alice.sync_until(lambda sync: changed(sync, bob.user), since)
    name = f"ed25519:{identity.signing['self_signing'].public_key}"
    eventually(
        lambda: name in query(alice, bob)["device_keys"][bob.user][bob.device]["signatures"][bob.user], what="the signature"
    )


def test_messages_to_devices(alice, bob, room):
    since = bob.sync()["next_batch"]
    phone = bob.another_device()
    since_phone = phone.sync()["next_batch"]
    for number in range(30):
        alice.put("sendToDevice", "org.example.n", f"n{number}", json={"messages": {bob.user: {bob.device: {"n": number}}}})
    alice.put("sendToDevice", "org.example.all", "a1", json={"messages": {bob.user: {"*": {"to": "all"}}}})

    def hear(client, since, count):
        heard = []

        def enough(sync):
            heard.extend(event for event in sync.get("to_device", {}).get("events", []) if event["type"].startswith("org.example"))
            return len(heard) >= count

        client.sync_until(enough, since)
        return heard

    heard = hear(bob, since, 31)
    assert {event["sender"] for event in heard} == {alice.user}
    assert [event["content"]["n"] for event in heard if event["type"] == "org.example.n"] == list(range(30))
    assert [event["content"] for event in hear(phone, since_phone, 1)] == [{"to": "all"}]
