"""mautrix-python with end-to-end encryption, with matrix-nio on the other side: two implementations, one server."""

import os

import nio
import pytest
from harness.clients import Client, register
from harness.mautrix_device import MautrixDevice
from harness.nio_device import NioDevice, succeeded
from mautrix.crypto.attachments import decrypt_attachment, encrypt_attachment
from mautrix.types import (
    EventType, FileInfo, MediaMessageEventContent, MessageType, RoomCreatePreset, RoomEncryptionStateEventContent,
    EncryptionAlgorithm, StateEvent, TextMessageEventContent,
)
from nio.crypto.attachments import decrypt_attachment as nio_decrypt_attachment


@pytest.fixture
async def mautrix(own_server):
    """Alice, on mautrix."""
    register(own_server, "alice").close()
    device = await MautrixDevice(own_server, f"@alice:{own_server.server_name}").login()
    yield device
    await device.close()


@pytest.fixture
async def bob(own_server, tmp_path):
    """Bob, on matrix-nio."""
    device = await NioDevice(own_server, "bob", tmp_path / "bob").register()
    yield device
    await device.close()


async def meet(mautrix: MautrixDevice, bob: NioDevice) -> str:
    """An encrypted room that Alice makes and Bob joins."""
    encryption = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room = await mautrix.client.create_room(
        preset=RoomCreatePreset.PRIVATE, name="mautrix", invitees=[bob.user], initial_state=[encryption]
    )
    await bob.join(room)
    await bob.knows_members(room, mautrix.user)
    await bob.until(lambda: mautrix.client.device_id in bob.client.device_store[mautrix.user])
    await mautrix.until(lambda: bob.user in mautrix.knowledge.members.get(room, {}) and mautrix.knowledge.encryption.get(room))
    return room


async def say(mautrix: MautrixDevice, room: str, text: str) -> str:
    return await mautrix.client.send_message(room, TextMessageEventContent(msgtype=MessageType.TEXT, body=text))


async def test_encrypted_conversation_with_another_implementation(mautrix, bob):
    room = await meet(mautrix, bob)
    await say(mautrix, room, "From mautrix")
    await bob.hears(room, "From mautrix")
    await bob.say(room, "From nio")
    await mautrix.hears(room, "From nio", bob.settle)


async def test_encrypted_files_both_ways(mautrix, bob):
    room = await meet(mautrix, bob)
    data = os.urandom(150_000)
    ciphertext, file = encrypt_attachment(data)
    file.url = await mautrix.client.upload_media(ciphertext, mime_type="application/octet-stream")
    await mautrix.client.send_message(room, MediaMessageEventContent(
        msgtype=MessageType.FILE, body="data.bin", file=file, info=FileInfo(size=len(data), mimetype="application/x-data")
    ))

    def received():
        return next((event for _, event in bob.heard if isinstance(event, nio.RoomEncryptedFile)), None)

    event = await bob.until(received)
    body = succeeded(await bob.client.download(event.url), nio.MemoryDownloadResponse).body
    assert nio_decrypt_attachment(body, event.key["k"], event.hashes["sha256"], event.iv) == data

    fetched = await mautrix.client.download_media(file.url)
    assert decrypt_attachment(fetched, file.key.key, file.hashes["sha256"], file.iv) == data


async def test_cross_signing_with_a_recovery_key(mautrix):
    recovery_key = await mautrix.machine.generate_recovery_key()
    public = await mautrix.machine.get_own_cross_signing_public_keys()
    # A second device, which knows nothing, gets the secrets from the account data with the recovery key, and signs itself.
    second = await MautrixDevice(mautrix.server, mautrix.user).login()
    try:
        await second.machine.verify_with_recovery_key(recovery_key)
        plain = Client(mautrix.server, mautrix.user, second.client.api.token)
        seen = plain.post("keys", "query", json={"device_keys": {mautrix.user: []}})
        assert list(seen["master_keys"][mautrix.user]["keys"].values()) == [public.master_key]
        signatures = seen["device_keys"][mautrix.user][second.client.device_id]["signatures"][mautrix.user]
        assert f"ed25519:{public.self_signing_key}" in signatures
    finally:
        await second.close()


async def test_conversation_goes_on_across_a_restart(mautrix, bob, own_server):
    room = await meet(mautrix, bob)
    await say(mautrix, room, "Before")
    await bob.hears(room, "Before")
    own_server.restart()
    await say(mautrix, room, "After")
    await bob.hears(room, "After")
    await bob.say(room, "Answer")
    await mautrix.hears(room, "Answer", bob.settle)
    own_server.kill()
    own_server.start()
    await say(mautrix, room, "After the crash")
    await bob.hears(room, "After the crash")
