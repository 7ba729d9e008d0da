"""Devices with real keys (libolm) and cross-signing identities, for the tests that talk to the key endpoints directly."""

import base64
import json
import os

import olm


def canonical(value: dict) -> str:
    """Canonical JSON, without what is never signed."""
    signed = {key: part for key, part in value.items() if key not in ("signatures", "unsigned")}
    return json.dumps(signed, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class DeviceKeys:
    """The keys of one device of a `Client`."""

    def __init__(self, client):
        self.client = client
        self.account = olm.Account()
        self.ed25519 = self.account.identity_keys["ed25519"]

    def signed(self, value: dict) -> dict:
        signature = self.account.sign(canonical(value))
        return {**value, "signatures": {self.client.user: {f"ed25519:{self.client.device}": signature}}}

    def device_keys(self) -> dict:
        keys = {f"{kind}:{self.client.device}": key for kind, key in self.account.identity_keys.items()}
        return self.signed({
            "user_id": self.client.user,
            "device_id": self.client.device,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": keys,
        })

    def one_time_keys(self, count: int) -> dict:
        self.account.generate_one_time_keys(count)
        keys = self.account.one_time_keys["curve25519"]
        self.account.mark_keys_as_published()
        return {f"signed_curve25519:{name}": self.signed({"key": key}) for name, key in keys.items()}

    def fallback_key(self) -> dict:
        key = os.urandom(32)
        return {"signed_curve25519:fallback": self.signed({"key": base64.b64encode(key).decode().rstrip("="), "fallback": True})}

    def upload(self, one_time_keys: int = 0) -> dict:
        """Uploads the device's keys; returns the server's counts."""
        body = {"device_keys": self.device_keys()}
        if one_time_keys:
            body["one_time_keys"] = self.one_time_keys(one_time_keys)
        return self.client.post("keys", "upload", json=body)["one_time_key_counts"]


class CrossSigning:
    """A user's master, self-signing and user-signing keys."""

    def __init__(self, client):
        self.client = client
        self.signing = {usage: olm.PkSigning(os.urandom(32)) for usage in ("master", "self_signing", "user_signing")}

    def sign(self, value: dict, usage: str) -> dict:
        """The value with one more signature."""
        signing = self.signing[usage]
        name = f"ed25519:{signing.public_key}"
        signatures = json.loads(json.dumps(value.get("signatures", {})))
        signatures.setdefault(self.client.user, {})[name] = signing.sign(canonical(value))
        return {**value, "signatures": signatures}

    def key(self, usage: str) -> dict:
        public = self.signing[usage].public_key
        bare = {"user_id": self.client.user, "usage": [usage], "keys": {f"ed25519:{public}": public}}
        return bare if usage == "master" else self.sign(bare, "master")

    def upload_body(self) -> dict:
        return {f"{usage}_key": self.key(usage) for usage in self.signing}

    def upload(self) -> None:
        """Uploads the three keys. The first upload may or may not ask for authentication."""
        body = self.upload_body()
        answer = self.client.request(
            "POST", "/_matrix/client/v3/keys/device_signing/upload", json=body, expect=(200, 401)
        )
        if answer.status_code == 401:
            self.client.with_password("POST", "keys", "device_signing", "upload", json=body)
