"""A device that matrix-nio drives, with encryption."""

import time

import nio

from .clients import PASSWORD


class NioDevice:
    """One logged-in device. Everything it receives is kept in order in `heard` (room, event)."""

    def __init__(self, server, name: str, store):
        store.mkdir(parents=True, exist_ok=True)
        config = nio.AsyncClientConfig(store_sync_tokens=True, encryption_enabled=True, max_timeouts=3, request_timeout=60)
        self.client = nio.AsyncClient(server.url, f"@{name}:{server.server_name}", store_path=str(store), config=config)
        self.heard: list[tuple[str, nio.Event]] = []
        self.client.add_event_callback(lambda room, event: self.heard.append((room.room_id, event)), nio.Event)

    @property
    def user(self) -> str:
        return self.client.user_id

    @property
    def device(self) -> str:
        return self.client.device_id

    async def register(self) -> "NioDevice":
        name = self.client.user.split(":")[0][1:]
        # matrix-nio completes the dummy stage in its first request, without having been given a session.
        succeeded(await self.client.register(name, PASSWORD), nio.RegisterResponse)
        await self.settle()
        return self

    async def login(self, device_name: str = "") -> "NioDevice":
        succeeded(await self.client.login(PASSWORD, device_name=device_name), nio.LoginResponse)
        await self.settle()
        return self

    async def close(self) -> None:
        await self.client.close()

    async def settle(self) -> None:
        """One sync, with everything that it makes necessary: key uploads, queries, claims, to-device messages."""
        client = self.client
        if client.should_upload_keys:
            succeeded(await client.keys_upload(), nio.KeysUploadResponse)
        succeeded(await client.sync(timeout=100, full_state=client.next_batch is None), nio.SyncResponse)
        await client.send_to_device_messages()
        if client.should_upload_keys:
            succeeded(await client.keys_upload(), nio.KeysUploadResponse)
        if client.should_query_keys:
            succeeded(await client.keys_query(), nio.KeysQueryResponse)
        if client.should_claim_keys:
            succeeded(await client.keys_claim(client.get_users_for_key_claiming()), nio.KeysClaimResponse)

    async def until(self, condition, seconds: float = 30, others: tuple["NioDevice", ...] = ()):
        """Settles, together with others, until the condition gives something true; returns that."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{self.user}/{self.device}: nothing after {seconds} s; heard {self.heard[-10:]}"
            for device in (self, *others):
                await device.settle()
        return found

    async def create_encrypted_room(self, *invited: str, name: str = "Encrypted") -> str:
        response = await self.client.room_create(
            name=name,
            preset=nio.RoomPreset.private_chat,
            invite=invited,
            initial_state=[{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}],
        )
        room = succeeded(response, nio.RoomCreateResponse).room_id
        await self.until(lambda: room in self.client.rooms and self.client.rooms[room].encrypted)
        return room

    async def join(self, room: str) -> None:
        await self.until(lambda: room in self.client.invited_rooms)
        succeeded(await self.client.join(room), nio.JoinResponse)
        await self.until(lambda: room in self.client.rooms and self.client.rooms[room].encrypted)

    async def knows_members(self, room: str, *users: str) -> None:
        """Settles until these users are members, and their devices known."""
        await self.until(lambda: set(users) <= self.client.rooms[room].users.keys() and not self.client.should_query_keys)

    async def say(self, room: str, text: str, trust_all: bool = True) -> str:
        """Sends an encrypted message. With `trust_all` unverified devices get the key too."""
        response = await self.client.room_send(
            room, "m.room.message", {"msgtype": "m.text", "body": text}, ignore_unverified_devices=trust_all
        )
        return succeeded(response, nio.RoomSendResponse).event_id

    async def hears(self, room: str, text: str, *others: "NioDevice") -> nio.RoomMessageText:
        """Settles until this text arrives, decrypted."""

        def found():
            for where, event in self.heard:
                if where == room and isinstance(event, nio.RoomMessageText) and event.body == text:
                    return event

        event = await self.until(found, others=others)
        assert event.decrypted, f"{text!r} came unencrypted"
        return event


def succeeded(response, kind):
    """The response, if it is of this kind and not an error."""
    assert isinstance(response, kind), response
    return response


async def verify(one: NioDevice, other: NioDevice) -> None:
    """Verifies two devices with each other by short authentication string, over to-device messages."""
    await one.until(lambda: other.device in one.client.device_store[other.user], others=(other,))
    await other.until(lambda: one.device in other.client.device_store[one.user], others=(one,))
    target = one.client.device_store[other.user][other.device]
    succeeded(await one.client.start_key_verification(target), nio.ToDeviceResponse)
    transaction = next(iter(one.client.key_verifications))

    await other.until(lambda: transaction in other.client.key_verifications, others=(one,))
    succeeded(await other.client.accept_key_verification(transaction), nio.ToDeviceResponse)

    def both(state):
        return all(device.client.key_verifications[transaction].state.value >= state.value for device in (one, other))

    await one.until(lambda: both(nio.crypto.SasState.key_received), others=(other,))
    emoji = [device.client.key_verifications[transaction].get_emoji() for device in (one, other)]
    assert emoji[0] == emoji[1] and len(emoji[0]) == 7
    for device in (one, other):
        succeeded(await device.client.confirm_short_auth_string(transaction), nio.ToDeviceResponse)
    await one.until(lambda: one.client.device_store[other.user][other.device].verified, others=(other,))
    await other.until(lambda: other.client.device_store[one.user][one.device].verified, others=(one,))
