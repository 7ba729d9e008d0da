"""Events between servers: hashes, signatures, redaction and identifiers, written a second time from the specification.

https://spec.matrix.org/v1.19/server-server-api/#signing-events
"""

import base64
import copy
import hashlib
import os

import olm

from .crypto import canonical

KEPT = {
    "event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth", "prev_events", "auth_events",
    "origin_server_ts",
}
KEPT_BEFORE_11 = {"prev_state", "origin", "membership"}


def unpadded(data: bytes, url: bool = False) -> str:
    return (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode().rstrip("=")


def _kept_content(kind: str, version: int) -> set[str]:
    """The keys of an event's content that outlive a redaction."""
    if kind == "m.room.member":
        return {"membership"} | ({"join_authorised_via_users_server"} if version >= 9 else set())
    if kind == "m.room.create":
        return {"creator"}
    if kind == "m.room.join_rules":
        return {"join_rule"} | ({"allow"} if version >= 8 else set())
    if kind == "m.room.power_levels":
        kept = {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}
        return kept | ({"invite"} if version >= 11 else set())
    if kind == "m.room.history_visibility":
        return {"history_visibility"}
    if kind == "m.room.aliases" and version < 6:
        return {"aliases"}
    if kind == "m.room.redaction" and version >= 11:
        return {"redacts"}
    return set()


def redacted(event: dict, version: str) -> dict:
    number = int(version)
    top = KEPT if number >= 11 else KEPT | KEPT_BEFORE_11
    result = {key: value for key, value in event.items() if key in top}
    content = event.get("content")
    if not isinstance(content, dict):
        return result  # no event at all, which only a liar sends
    if not (event.get("type") == "m.room.create" and number >= 11):
        kept = _kept_content(event.get("type", ""), number)
        result["content"] = {key: value for key, value in content.items() if key in kept}
        if number >= 11 and isinstance(content.get("third_party_invite"), dict) and event["type"] == "m.room.member":
            signed = {key: value for key, value in content["third_party_invite"].items() if key == "signed"}
            result["content"]["third_party_invite"] = signed
    return result


def _reference_hash(event: dict, version: str) -> bytes:
    # `canonical` leaves signatures and unsigned out.
    return hashlib.sha256(canonical(redacted(event, version)).encode()).digest()


def event_id(event: dict, version: str) -> str:
    if int(version) < 3:
        return event["event_id"]
    return "$" + unpadded(_reference_hash(event, version), url=int(version) >= 4)


def reference(event: dict, version: str):
    """How other events refer to this one."""
    if int(version) < 3:
        return [event["event_id"], {"sha256": unpadded(_reference_hash(event, version))}]
    return event_id(event, version)


class SigningKey:
    """An Ed25519 key with a name."""

    def __init__(self, name: str = "ed25519:peer"):
        self.name = name
        self._signing = olm.PkSigning(os.urandom(32))

    @property
    def public(self) -> str:
        return self._signing.public_key

    def sign(self, text: str) -> str:
        return self._signing.sign(text)

    def signed(self, value: dict, server: str) -> dict:
        """The JSON object with one more signature, in the name of a server."""
        result = copy.deepcopy(value)
        result.setdefault("signatures", {}).setdefault(server, {})[self.name] = self.sign(canonical(value))
        return result


def hashed(event: dict) -> dict:
    """The event with its content hash."""
    bare = {key: value for key, value in event.items() if key not in ("hashes", "signatures", "unsigned")}
    return {**event, "hashes": {"sha256": unpadded(hashlib.sha256(canonical(bare).encode()).digest())}}


def signed(event: dict, version: str, server: str, key: SigningKey) -> dict:
    """The event with one more signature, in the name of a server."""
    signatures = copy.deepcopy(event.get("signatures", {}))
    signatures.setdefault(server, {})[key.name] = key.sign(canonical(redacted(event, version)))
    return {**event, "signatures": signatures}
