"""A device that encrypts by the letter of the specification, on vodozemac, and knows nothing but what the server tells it.

What it decrypts, and what it should have been able to, is the test's to compare: `Watch` is told of both.
https://spec.matrix.org/v1.19/client-server-api/#end-to-end-encryption
"""

import base64
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import vodozemac

from .clients import Client, path
from .crypto import canonical
from .sliding import Loop, rooms_list

OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"
SIGNED = "signed_curve25519"


@dataclass(frozen=True)
class Keys:
    """What a device is known by."""

    user: str
    device: str
    curve25519: str
    ed25519: str


class Watch(Protocol):
    """Who is told what a device is given, and judges it."""

    def queried(self, users: list[str], found: dict[str, dict[str, Keys]], asked_at: int) -> None:
        """The devices of users, as the server says."""

    def claimed(self, wanted: list[Keys], found: dict[Keys, tuple[str, bool]], asked_at: int) -> None:
        """One-time keys, by device: a key's name, and whether it is a fallback key."""

    def fail(self, what: str) -> None:
        """Something that must not happen."""

    def now(self) -> int:
        """A number that grows."""


@dataclass
class Outbound:
    """A Megolm session that a device sends with."""

    session: vodozemac.GroupSession = field(default_factory=vodozemac.GroupSession)
    #: The Curve25519 keys of those who have it.
    shared: set[str] = field(default_factory=set)
    messages: int = 0


class OlmDevice:
    """One device in one room."""

    def __init__(self, client: Client, room: str, watch: Watch, *, page: int = 10, key_count: int = 5, rotation: int = 5):
        """`page` is how many events a sync brings, `key_count` how many one-time keys are kept on the server, `rotation` after how
        many messages a new Megolm session begins."""
        self.client, self.room, self.watch = client, room, watch
        self.page, self.key_count, self.rotation = page, key_count, rotation
        self.account = vodozemac.Account()
        self.keys = Keys(client.user, client.device, self.account.curve25519_key.to_base64(), self.account.ed25519_key.to_base64())
        self.since: str | None = None
        self.members: dict[str, str] = {}
        #: The devices of each user whose list is followed; of those in `outdated` it must be asked for again.
        self.known: dict[str, dict[str, Keys]] = {}
        self.outdated: set[str] = set()
        #: Olm sessions by the other's Curve25519 key, the one to send with last.
        self.sessions: dict[str, list[vodozemac.Session]] = {}
        self.inbound: dict[str, list[vodozemac.InboundGroupSession]] = {}
        self.outbound = Outbound()
        self.seen: set[str] = set()
        #: What was read, by event ID, and what could not be.
        self.texts: dict[str, str] = {}
        self.unread: dict[str, dict] = {}
        #: What it did last, for whoever must find out why something is missing.
        self.diary: deque[str] = deque(maxlen=60)
        self._opened: set[str] = set()
        self._transactions = 0

    def _note(self, what: str) -> None:
        self.diary.append(f"{self.watch.now()}: {what}")

    def __repr__(self) -> str:
        return f"{self.keys.user}/{self.keys.device}"

    # Keys of one's own

    def _signed(self, value: dict) -> dict:
        signature = self.account.sign(canonical(value).encode()).to_base64()
        return {**value, "signatures": {self.keys.user: {f"ed25519:{self.keys.device}": signature}}}

    def _one_time_keys(self, count: int) -> dict:
        self.account.generate_one_time_keys(count)
        return {f"{SIGNED}:{name}": self._signed({"key": key.to_base64()}) for name, key in self.account.one_time_keys.items()}

    def _fallback_key(self) -> dict:
        self.account.generate_fallback_key()
        return {
            f"{SIGNED}:{name}": self._signed({"key": key.to_base64(), "fallback": True})
            for name, key in self.account.fallback_key.items()
        }

    def publish(self) -> None:
        """Uploads all its keys for the first time."""
        device_keys = self._signed({
            "user_id": self.keys.user, "device_id": self.keys.device, "algorithms": [OLM, MEGOLM],
            "keys": {f"curve25519:{self.keys.device}": self.keys.curve25519, f"ed25519:{self.keys.device}": self.keys.ed25519},
        })
        self.client.post("keys", "upload", json={
            "device_keys": device_keys, "one_time_keys": self._one_time_keys(self.key_count), "fallback_keys": self._fallback_key()})
        self.account.mark_keys_as_published()

    def _replenish(self, counts: dict[str, int], unused_fallback_keys: list[str]) -> None:
        body = {}
        if (missing := self.key_count - counts.get(SIGNED, 0)) > 0:
            body["one_time_keys"] = self._one_time_keys(missing)
        if SIGNED not in unused_fallback_keys:
            body["fallback_keys"] = self._fallback_key()
        if body:
            self.client.post("keys", "upload", json=body)
            self.account.mark_keys_as_published()

    # What comes

    def sync(self) -> dict:
        """One answer, of which nothing is taken yet."""
        self._doubt()
        choice = {"room": {"timeline": {"limit": self.page}}, "presence": {"types": []}}
        answer = self.client.sync(self.since, filter=json.dumps(choice), set_presence="offline")
        messages = len(answer.get("to_device", {}).get("events", []))
        self._note(f"synced from {self.since} to {answer['next_batch']}: {messages} messages, lists {answer.get('device_lists')}")
        return answer

    def _doubt(self) -> None:
        """Without a position, no answer tells whose devices have changed: they are all asked for again. That holds as often as a client
        begins anew, also where the answer to its last beginning was lost, since others may have changed in between."""
        if self.since is None:
            self.outdated.update(self.known)

    def take(self, answer: dict) -> bool:
        """Takes an answer in; whether there was anything new."""
        lists, messages = answer.get("device_lists", {}), answer.get("to_device", {}).get("events", [])
        self.outdated.update(lists.get("changed", []))
        for user in lists.get("left", []):
            self.known.pop(user, None)
        for event in messages:
            self._open(event)
        rooms = answer.get("rooms", {})
        sections = [section[self.room] for section in (rooms.get("join", {}), rooms.get("leave", {})) if self.room in section]
        for section in sections:
            self._take_room(section)
        for event in list(self.unread.values()):
            self._read(event)
        self.since = answer["next_batch"]
        if (counts := answer.get("device_one_time_keys_count")) is not None:
            self._replenish(counts, answer.get("device_unused_fallback_key_types", []))
        return bool(messages or sections or lists.get("changed") or lists.get("left"))

    def catch_up(self) -> None:
        """Syncs until there is nothing new."""
        for _ in range(500):
            if not self.take(self.sync()):
                return
        self.watch.fail(f"{self} never comes to an end")

    def _take_room(self, section: dict) -> None:
        timeline = section["timeline"]
        events = timeline["events"]
        if timeline.get("limited"):
            position = timeline.get("prev_batch")
            while position and not any(self._is_end(event) for event in events):
                page = self.client.messages(self.room, limit=50, **{"from": position})
                events = list(reversed(page["chunk"])) + events
                position = page.get("end") if page["chunk"] else None
        for event in section.get("state", {}).get("events", []) + events:
            if event["type"] == "m.room.member":
                self.members[event["state_key"]] = event["content"]["membership"]
        for event in events:
            if event["event_id"] not in self.seen:
                self.seen.add(event["event_id"])
                if event["type"] == "m.room.encrypted":
                    self._read(event)

    def _is_end(self, event: dict) -> bool:
        """Whether it need not look further back. What it has seen has no gaps: where it meets what comes, nothing is missing. One that
        has seen nothing yet, as it is new or its user was not in the room, may have been sent keys since its user came."""
        if self.seen:
            return event["event_id"] in self.seen
        return event.get("state_key") == self.keys.user and event["content"].get("membership") == "join"

    def _open(self, event: dict) -> None:
        """A message from another device."""
        content = event["content"]
        mine = content.get("ciphertext", {}).get(self.keys.curve25519)
        # What was sent twice, or to whoever had this device's name before, is nothing new.
        if event["type"] != "m.room.encrypted" or mine is None or mine["body"] in self._opened:
            return
        self._opened.add(mine["body"])
        sender_key = content["sender_key"]
        message = vodozemac.AnyOlmMessage.from_parts(mine["type"], _bytes(mine["body"]))
        plain = self._decrypt(sender_key, message)
        if plain is None:
            self.watch.fail(f"{self} cannot open a message of {event['sender']} with {sender_key}")
            return
        payload = json.loads(plain)
        assert payload["recipient"] == self.keys.user and payload["recipient_keys"]["ed25519"] == self.keys.ed25519
        key = vodozemac.SessionKey(payload["content"]["session_key"])
        self.inbound.setdefault(payload["content"]["session_id"], []).append(vodozemac.InboundGroupSession(key))
        self._note(f"got session {payload['content']['session_id'][:6]} of {event['sender']}")

    def _decrypt(self, sender_key: str, message: vodozemac.AnyOlmMessage) -> bytes | None:
        sessions = self.sessions.setdefault(sender_key, [])
        before_key = message.to_pre_key()
        for session in reversed(sessions):
            if before_key is not None and not session.session_matches(before_key):
                continue
            try:
                plain = session.decrypt(message)
            except vodozemac.OlmDecryptionException:
                continue
            sessions.remove(session)
            sessions.append(session)
            return plain
        if before_key is None:
            return None
        try:
            other = vodozemac.Curve25519PublicKey.from_base64(sender_key)
            session, plain = self.account.create_inbound_session(other, before_key)
        except vodozemac.SessionCreationException:
            return None
        sessions.append(session)
        return plain

    def _read(self, event: dict) -> None:
        content = event["content"]
        message = vodozemac.MegolmMessage.from_base64(content["ciphertext"])
        for session in self.inbound.get(content["session_id"], []):
            try:
                plain = json.loads(session.decrypt(message).plaintext)
            except vodozemac.MegolmDecryptionException:
                continue
            self.texts[event["event_id"]] = plain["content"]["body"]
            self.unread.pop(event["event_id"], None)
            return
        self.unread[event["event_id"]] = event

    # What goes

    def _joined(self) -> list[str]:
        return sorted(user for user, membership in self.members.items() if membership == "join")

    def _refresh(self) -> None:
        wanted = [user for user in self._joined() if user in self.outdated or user not in self.known]
        if not wanted:
            return
        asked_at = self.watch.now()
        answer = self.client.post("keys", "query", json={"device_keys": {user: [] for user in wanted}, "timeout": 10_000})
        found = {}
        for user in wanted:
            found[user] = {}
            for device, keys in answer["device_keys"].get(user, {}).items():
                known = Keys(user, device, keys["keys"][f"curve25519:{device}"], keys["keys"][f"ed25519:{device}"])
                _verify(keys, known)
                found[user][device] = known
        self.watch.queried(wanted, found, asked_at)
        self.known.update(found)
        self.outdated.difference_update(wanted)

    def claim(self, devices: list[Keys]) -> dict[Keys, str]:
        """One-time keys of devices."""
        if not devices:
            return {}
        wanted: dict[str, dict[str, str]] = {}
        for keys in devices:
            wanted.setdefault(keys.user, {})[keys.device] = SIGNED
        asked_at = self.watch.now()
        answer = self.client.post("keys", "claim", json={"one_time_keys": wanted, "timeout": 10_000})["one_time_keys"]
        found, named = {}, {}
        for keys in devices:
            for name, key in answer.get(keys.user, {}).get(keys.device, {}).items():
                # The device may have begun anew meanwhile: then its key is signed by another.
                if _is_signed(key, keys):
                    found[keys], named[keys] = key["key"], (name, key.get("fallback", False))
        self.watch.claimed(devices, named, asked_at)
        return found

    def _share(self) -> None:
        devices = [keys for user in self._joined() for keys in self.known.get(user, {}).values() if keys != self.keys]
        present = {keys.curve25519 for keys in devices}
        if self.outbound.messages >= self.rotation or not self.outbound.shared <= present:
            self.outbound = Outbound()
        if not self.outbound.messages:
            own = vodozemac.InboundGroupSession(self.outbound.session.session_key)
            self.inbound.setdefault(self.outbound.session.session_id, []).append(own)
        new = [keys for keys in devices if keys.curve25519 not in self.outbound.shared]
        for keys, key in self.claim([keys for keys in new if not self.sessions.get(keys.curve25519)]).items():
            session = self.account.create_outbound_session(
                vodozemac.Curve25519PublicKey.from_base64(keys.curve25519), vodozemac.Curve25519PublicKey.from_base64(key))
            self.sessions.setdefault(keys.curve25519, []).append(session)
        messages: dict[str, dict[str, dict]] = {}
        for keys in new:
            if sessions := self.sessions.get(keys.curve25519):
                messages.setdefault(keys.user, {})[keys.device] = self._room_key(keys, sessions[-1])
        if messages:
            session = self.outbound.session.session_id[:6]
            self._note(f"shares session {session} with {({user: list(devices) for user, devices in messages.items()})}")
            where = path("sendToDevice", "m.room.encrypted", self._transaction())
            self.client.request("PUT", where, json={"messages": messages})
        self.outbound.shared |= {keys.curve25519 for keys in new if self.sessions.get(keys.curve25519)}

    def _room_key(self, to: Keys, session: vodozemac.Session) -> dict:
        payload = {
            "type": "m.room_key", "sender": self.keys.user, "recipient": to.user, "keys": {"ed25519": self.keys.ed25519},
            "recipient_keys": {"ed25519": to.ed25519},
            "content": {
                "algorithm": MEGOLM, "room_id": self.room, "session_id": self.outbound.session.session_id,
                "session_key": self.outbound.session.session_key.to_base64(),
            },
        }
        kind, body = session.encrypt(json.dumps(payload).encode()).to_parts()
        ciphertext = {to.curve25519: {"type": kind, "body": _text(body)}}
        return {"algorithm": OLM, "sender_key": self.keys.curve25519, "ciphertext": ciphertext}

    def say(self, text: str) -> str:
        """Sends a message to all devices that it knows of; the event's ID."""
        self._refresh()
        self._share()
        plain = {"type": "m.room.message", "room_id": self.room, "content": {"msgtype": "m.text", "body": text}}
        self.outbound.messages += 1
        content = {
            "algorithm": MEGOLM, "sender_key": self.keys.curve25519, "device_id": self.keys.device,
            "session_id": self.outbound.session.session_id,
            "ciphertext": self.outbound.session.encrypt(json.dumps(plain).encode()).to_base64(),
        }
        return self.client.send(self.room, content, "m.room.encrypted", transaction=self._transaction())

    def rotate(self) -> None:
        """The next message begins a new Megolm session."""
        self.outbound = Outbound()

    def _transaction(self) -> str:
        self._transactions += 1
        return f"{self.keys.curve25519[:6]}-{self._transactions}"


class SlidingOlmDevice(OlmDevice):
    """The same by sliding sync, in one of its forms."""

    def __init__(self, *arguments, form: str = "experimental", **options):
        super().__init__(*arguments, **options)
        self.loop = Loop(self.client, form)
        self.messages_since: str | None = None

    def sync(self) -> dict:
        messages = {"enabled": True, "limit": 100} | ({"since": self.messages_since} if self.messages_since else {})
        lists = {"all": rooms_list(self.page, [["m.room.member", "*"]])}
        while True:
            self._doubt()
            where, query, body = self.loop.request(
                lists, pos=self.since, extensions={"to_device": messages, "e2ee": {"enabled": True}})
            answer = self.client.request(
                "POST", where, json=body, params={**query, "set_presence": "offline"}, schema=False, expect=(200, 400)).json()
            if answer.get("errcode") != "M_UNKNOWN_POS":
                break
            # A connection is not remembered for ever.
            self.since = None
            self._note("begins anew")
        self._note(f"synced from {self.since} to {answer['pos']}: {answer['extensions']}"[:300])
        return self._as_sync(answer)

    def _as_sync(self, answer: dict) -> dict:
        """An answer in the form that /sync has."""
        extensions = answer["extensions"]
        made = {**extensions["e2ee"], "next_batch": answer["pos"], "to_device": extensions["to_device"]}
        if room := answer.get("rooms", {}).get(self.room):
            timeline = {
                "events": room.get("timeline", []), "limited": room.get("limited") or room.get("initial"),
                "prev_batch": room.get("prev_batch"),
            }
            made["rooms"] = {"join": {self.room: {"timeline": timeline, "state": {"events": room.get("required_state", [])}}}}
            made["initial"] = room.get("initial", False)
        return made

    def take(self, answer: dict) -> bool:
        if answer.get("initial"):
            self.members = {}
        self.messages_since = answer["to_device"]["next_batch"]
        return super().take(answer)


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _is_signed(value: dict, by: Keys) -> bool:
    signature = value.get("signatures", {}).get(by.user, {}).get(f"ed25519:{by.device}", "")
    try:
        vodozemac.Ed25519PublicKey.from_base64(by.ed25519).verify_signature(
            canonical(value).encode(), vodozemac.Ed25519Signature.from_base64(signature))
    except vodozemac.SignatureException:
        return False
    return True


def _verify(value: dict, by: Keys) -> None:
    assert _is_signed(value, by), f"the keys of {by.user}/{by.device} are not signed by it"
