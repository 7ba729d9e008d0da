"""matrix-nio with end-to-end encryption against the real binary: two people, several devices, a server that restarts."""

import io
import os

import nio
import pytest
from harness.clients import login as login_plainly
from harness.clients import register as register_plainly
from harness.nio_device import NioDevice, succeeded, verify
from nio.crypto.attachments import decrypt_attachment


@pytest.fixture
async def device(own_server, tmp_path):
    """A function that makes devices, closed after the test: `await device("alice")` registers, `login=True` logs in."""
    opened = []

    async def make(name: str, login: bool = False) -> NioDevice:
        made = NioDevice(own_server, name, tmp_path / f"{name}-{len(opened)}")
        opened.append(made)
        return await (made.login() if login else made.register())

    yield make
    for made in opened:
        await made.close()


async def meet(alice: NioDevice, bob: NioDevice) -> str:
    """An encrypted room with both of them in it, each knowing the other's devices."""
    room = await alice.create_encrypted_room(bob.user)
    await bob.join(room)
    await alice.knows_members(room, bob.user)
    await bob.knows_members(room, alice.user)
    await alice.until(lambda: bob.device in alice.client.device_store[bob.user])
    await bob.until(lambda: alice.device in bob.client.device_store[alice.user])
    return room


async def test_encrypted_conversation_on_several_devices(device):
    alice, bob = await device("alice"), await device("bob")
    room = await meet(alice, bob)
    await alice.say(room, "Bonjour, Bob")
    await bob.hears(room, "Bonjour, Bob", alice)
    await bob.say(room, "Bonjour, Alice")
    await alice.hears(room, "Bonjour, Alice", bob)

    phone = await device("bob", login=True)
    await alice.until(lambda: phone.device in alice.client.device_store[bob.user], others=(phone,))
    await alice.say(room, "To both of your devices")
    await bob.hears(room, "To both of your devices", alice)
    await phone.hears(room, "To both of your devices", alice)
    await phone.until(lambda: alice.device in phone.client.device_store[alice.user])
    await phone.say(room, "From my telephone")
    await alice.hears(room, "From my telephone", phone)
    await bob.hears(room, "From my telephone", phone)


async def test_the_server_never_sees_what_is_said(device, own_server):
    alice, bob = await device("alice"), await device("bob")
    room = await meet(alice, bob)
    event = await alice.say(room, "For Bob alone")
    raw = succeeded(await bob.client.room_get_event(room, event), nio.RoomGetEventResponse).event.source
    assert raw["type"] == "m.room.encrypted" and "For Bob alone" not in str(raw["content"])


async def test_devices_verify_each_other(device):
    alice, bob = await device("alice"), await device("bob")
    room = await meet(alice, bob)
    with pytest.raises(nio.OlmUnverifiedDeviceError):
        await alice.say(room, "too early", trust_all=False)
    await verify(alice, bob)
    await alice.say(room, "Only to those I trust", trust_all=False)
    event = await bob.hears(room, "Only to those I trust", alice)
    assert event.verified


async def test_encrypted_file(device):
    alice, bob = await device("alice"), await device("bob")
    room = await meet(alice, bob)
    data = os.urandom(200_000)
    response, keys = await alice.client.upload(
        lambda *_: io.BytesIO(data), content_type="application/pdf", filename="note.pdf", encrypt=True, filesize=len(data)
    )
    uri = succeeded(response, nio.UploadResponse).content_uri
    content = {"msgtype": "m.file", "body": "note.pdf", "file": {**keys, "url": uri}, "info": {"size": len(data)}}
    succeeded(
        await alice.client.room_send(room, "m.room.message", content, ignore_unverified_devices=True), nio.RoomSendResponse
    )

    def received():
        return next((event for _, event in bob.heard if isinstance(event, nio.RoomEncryptedFile)), None)

    event = await bob.until(received, others=(alice,))
    body = succeeded(await bob.client.download(event.url), nio.MemoryDownloadResponse).body
    assert body != data
    assert decrypt_attachment(body, event.key["k"], event.hashes["sha256"], event.iv) == data


async def test_a_new_device_asks_for_the_keys_it_lacks(device, own_server):
    alice, bob = await device("alice"), await device("bob")
    room = await meet(alice, bob)
    await bob.say(room, "Before the new device")
    await alice.hears(room, "Before the new device", bob)
    watching = login_plainly(own_server, alice.user)
    phone = await device("alice", login=True)

    def undecrypted():
        return next((event for _, event in phone.heard if isinstance(event, nio.MegolmEvent)), None)

    event = await phone.until(undecrypted)
    succeeded(await phone.client.request_room_key(event), nio.RoomKeyRequestResponse)
    # What matrix-nio makes of the request is its own matter; that each of alice's devices hears it is the server's.
    (requests, _) = watching.sync_until(lambda sync: [
        event["content"] for event in sync.get("to_device", {}).get("events", []) if event["type"] == "m.room_key_request"
    ])
    assert requests[0]["requesting_device_id"] == phone.device
    assert requests[0]["body"]["session_id"] == event.session_id

    await bob.until(lambda: phone.device in bob.client.device_store[alice.user])
    await bob.say(room, "After the new device")
    await phone.hears(room, "After the new device", bob)
    await alice.hears(room, "After the new device", bob)


async def test_conversation_goes_on_across_a_restart_and_a_crash(device, own_server):
    alice, bob = await device("alice"), await device("bob")
    room = await meet(alice, bob)
    await alice.say(room, "Before the restart")
    own_server.restart()
    await bob.hears(room, "Before the restart", alice)
    await bob.say(room, "After the restart")
    await alice.hears(room, "After the restart", bob)
    # The message is acknowledged and not yet read, and its key waits as a to-device message.
    alice.client.invalidate_outbound_session(room)
    await alice.say(room, "Before the crash")
    own_server.kill()
    own_server.start()
    await bob.hears(room, "Before the crash", alice)
    await bob.say(room, "After the crash")
    await alice.hears(room, "After the crash", bob)


async def test_an_outsider_gets_neither_room_nor_keys(device, own_server):
    alice, bob = await device("alice"), await device("bob")
    room = await meet(alice, bob)
    await alice.say(room, "Inside")
    mallory = register_plainly(own_server, "mallory")
    mallory.refused("M_FORBIDDEN", 403, "GET", "rooms", room, "messages", params={"dir": "b"})
    assert not mallory.sync().get("to_device", {}).get("events")
