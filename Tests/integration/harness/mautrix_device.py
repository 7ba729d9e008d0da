"""A device that mautrix-python drives, with encryption."""

import asyncio
import time

from mautrix.client import Client as MautrixClient
from mautrix.client.state_store import MemoryStateStore
from mautrix.client.state_store.sync import MemorySyncStore
from mautrix.crypto import OlmMachine, StateStore
from mautrix.crypto.store import MemoryCryptoStore
from mautrix.types import EventType, Membership, MessageEvent, TrustState

from .clients import PASSWORD


class RoomKnowledge(MemoryStateStore, StateStore):
    """What the client knows of its rooms, also for the encryption machine."""

    async def find_shared_rooms(self, user_id):
        return [room for room, members in self.members.items() if user_id in members and room in self.encryption]


class MautrixDevice:
    """One logged-in device. What it hears is kept, decrypted, in `heard`."""

    def __init__(self, server, user: str):
        self.user = user
        self.server = server
        self.heard: list[MessageEvent] = []
        self.knowledge = RoomKnowledge()
        self.client = MautrixClient(
            mxid=user, base_url=server.url, sync_store=MemorySyncStore(), state_store=self.knowledge
        )

    async def login(self, device_name: str = "mautrix") -> "MautrixDevice":
        """Signs in with the password, publishes the device's keys and begins to sync in the background."""
        await self.client.login(
            password=PASSWORD, device_name=device_name, device_id="", store_access_token=True, update_hs_url=False
        )
        store = MemoryCryptoStore(self.user, "pickle key of the tests")
        await store.put_device_id(self.client.device_id)
        self.machine = OlmMachine(self.client, store, self.knowledge)
        # The tests' other side is not verified unless a test does it.
        self.machine.share_keys_min_trust = TrustState.UNVERIFIED
        self.machine.send_keys_min_trust = TrustState.UNVERIFIED
        await self.machine.load()
        self.client.crypto = self.machine
        await self.machine.share_keys()
        self.client.add_event_handler(EventType.ROOM_MESSAGE, self._hear)
        self.syncing = self.client.start(None)
        return self

    async def _hear(self, event) -> None:
        self.heard.append(event)

    async def close(self) -> None:
        self.client.stop()
        await asyncio.gather(self.syncing, return_exceptions=True)
        await self.client.api.session.close()

    async def until(self, condition, seconds: float = 30, meanwhile=None):
        """Waits, settling the other side meanwhile, until the condition gives something true."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{self.user}: nothing after {seconds} s; heard {self.heard[-5:]}"
            if meanwhile is not None:
                await meanwhile()
            else:
                await asyncio.sleep(0.05)
        return found

    async def hears(self, room: str, text: str, meanwhile=None) -> MessageEvent:
        def found():
            return next((e for e in self.heard if e.room_id == room and getattr(e.content, "body", None) == text), None)

        event = await self.until(found, meanwhile=meanwhile)
        assert event["mautrix"]["was_encrypted"], f"{text!r} came unencrypted"
        return event

    async def is_member(self, room: str, user: str) -> bool:
        member = self.knowledge.members.get(room, {}).get(user)
        return member is not None and member.membership == Membership.JOIN
