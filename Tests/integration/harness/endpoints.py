"""Endpoints that take a body, each with one that is right: the ground that the bad-input tests stand on."""

from dataclasses import dataclass, field

from .clients import V3, escaped


@dataclass(frozen=True)
class Endpoint:
    """A method and a path whose {names} stand for a user, a room and so on; `body` would be accepted."""

    method: str
    template: str
    body: dict = field(default_factory=dict)
    #: Without a session.
    public: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    def path(self, names: dict[str, str]) -> str:
        parts = [escaped(part.format(**names)) for part in self.template.strip("/").split("/")]
        return V3 + "/" + "/".join(parts) + ("/" if self.template.endswith("/") else "")


KEY = {"key": "A" * 43, "signatures": {"@a:b": {"ed25519:X": "A" * 86}}}

ENDPOINTS = [
    Endpoint("POST", "register", {"username": "somebody", "password": "x", "inhibit_login": False}, public=True),
    Endpoint("POST", "login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "{user}"}, "password": "x", "device_id": "D",
    }, public=True),
    Endpoint("POST", "refresh", {"refresh_token": "x"}, public=True),
    Endpoint("POST", "account/password", {"new_password": "x", "logout_devices": False, "auth": {"type": "m.login.dummy"}}),
    Endpoint("POST", "account/3pid/delete", {"medium": "email", "address": "a@example.org", "id_server": "x"}),
    Endpoint("POST", "account/deactivate", {"erase": False, "auth": {"type": "m.login.password", "session": "x"}}),
    Endpoint("PUT", "devices/{device}", {"display_name": "Name"}),
    Endpoint("POST", "delete_devices", {"devices": ["NONE"], "auth": {"type": "m.login.dummy"}}),
    Endpoint("POST", "createRoom", {
        "name": "N", "topic": "T", "preset": "private_chat", "visibility": "private", "room_version": "11", "is_direct": True,
        "invite": [], "creation_content": {"m.federate": True}, "power_level_content_override": {"users_default": 0},
        "initial_state": [{"type": "m.room.topic", "state_key": "", "content": {"topic": "T"}}], "room_alias_name": "alias",
    }),
    Endpoint("POST", "join/{room}", {"reason": "why"}),
    Endpoint("POST", "knock/{room}", {"reason": "why"}),
    Endpoint("POST", "rooms/{room}/join", {"reason": "why"}),
    Endpoint("POST", "rooms/{room}/invite", {"user_id": "{other}", "reason": "why"}),
    Endpoint("POST", "rooms/{room}/kick", {"user_id": "{other}", "reason": "why"}),
    Endpoint("POST", "rooms/{room}/ban", {"user_id": "{other}", "reason": "why"}),
    Endpoint("POST", "rooms/{room}/unban", {"user_id": "{other}", "reason": "why"}),
    Endpoint("POST", "rooms/{room}/upgrade", {"new_version": "none"}),
    Endpoint("PUT", "rooms/{room}/send/m.room.message/{transaction}", {"msgtype": "m.text", "body": "text"}),
    Endpoint("PUT", "rooms/{room}/state/m.room.topic/", {"topic": "T"}),
    Endpoint("PUT", "rooms/{room}/state/m.room.member/{user}", {"membership": "join", "displayname": "N"}),
    Endpoint("PUT", "rooms/{room}/state/m.room.power_levels/", {
        "users": {"{other}": 50}, "events": {"m.room.name": 50}, "ban": 50, "events_default": 0, "notifications": {"room": 50},
    }),
    Endpoint("PUT", "rooms/{room}/redact/{event}/{transaction}", {"reason": "why"}),
    Endpoint("PUT", "rooms/{room}/typing/{user}", {"typing": True, "timeout": 1000}),
    Endpoint("POST", "rooms/{room}/receipt/m.read/{event}", {"thread_id": "main"}),
    Endpoint("POST", "rooms/{room}/read_markers", {"m.fully_read": "{event}", "m.read": "{event}"}),
    Endpoint("PUT", "directory/room/{alias}", {"room_id": "{room}"}),
    Endpoint("PUT", "directory/list/room/{room}", {"visibility": "private"}),
    Endpoint("POST", "publicRooms", {"limit": 10, "since": "x", "filter": {"generic_search_term": "x", "room_types": [None]}}),
    Endpoint("PUT", "profile/{user}/displayname", {"displayname": "Name"}),
    Endpoint("PUT", "profile/{user}/avatar_url", {"avatar_url": "mxc://a/b"}),
    Endpoint("PUT", "presence/{user}/status", {"presence": "online", "status_msg": "x"}),
    Endpoint("PUT", "user/{user}/account_data/org.example.data", {"a": 1}),
    Endpoint("PUT", "user/{user}/rooms/{room}/account_data/org.example.data", {"a": 1}),
    Endpoint("PUT", "user/{user}/rooms/{room}/tags/u.tag", {"order": 0.5}),
    Endpoint("POST", "user/{user}/filter", {
        "event_fields": ["type"], "presence": {"types": ["x"]},
        "room": {"timeline": {"limit": 10, "types": ["m.*"], "senders": ["{user}"]}, "state": {"lazy_load_members": True}},
    }),
    Endpoint("POST", "keys/upload", {
        "device_keys": {
            "user_id": "{user}", "device_id": "{device}", "algorithms": ["x"], "keys": {"ed25519:{device}": "A" * 43},
            "signatures": {"{user}": {"ed25519:{device}": "A" * 86}},
        },
        "one_time_keys": {"signed_curve25519:AAAAAQ": KEY}, "fallback_keys": {"signed_curve25519:AAAAAg": KEY},
    }),
    Endpoint("POST", "keys/query", {"device_keys": {"{user}": []}, "timeout": 10}),
    Endpoint("POST", "keys/claim", {"one_time_keys": {"{user}": {"{device}": "signed_curve25519"}}, "timeout": 10}),
    Endpoint("POST", "keys/device_signing/upload", {
        "master_key": {"user_id": "{user}", "usage": ["master"], "keys": {"ed25519:A": "A" * 43}},
        "self_signing_key": {"user_id": "{user}", "usage": ["self_signing"], "keys": {"ed25519:B": "B" * 43}},
    }),
    Endpoint("POST", "keys/signatures/upload", {"{user}": {"{device}": {"user_id": "{user}", "device_id": "{device}", "keys": {}}}}),
    Endpoint("PUT", "sendToDevice/org.example.x/{transaction}", {"messages": {"{user}": {"{device}": {"a": 1}}}}),
    Endpoint("POST", "room_keys/version", {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "x"}}),
    Endpoint("PUT", "pushrules/global/content/org.example.rule", {"pattern": "x", "actions": ["notify", {"set_tweak": "sound"}]}),
    Endpoint("PUT", "pushrules/global/override/org.example.rule", {
        "actions": ["notify"], "conditions": [{"kind": "event_match", "key": "content.body", "pattern": "x"}],
    }),
    Endpoint("PUT", "pushrules/global/override/.m.rule.master/enabled", {"enabled": False}),
]


def filled(value, names: dict[str, str]):
    """The body with its {names} put in."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{%s}" % name, text)
        return value
    if isinstance(value, list):
        return [filled(part, names) for part in value]
    if isinstance(value, dict):
        return {filled(key, names): filled(part, names) for key, part in value.items()}
    return value


def places(value, here=()) -> list[tuple]:
    """Every path into the body, from the outside in."""
    found = [here] if here else []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found += places(part, (*here, key))
    return found


def replaced(value, place: tuple, new):
    """A copy of the body with something else at that path."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = replaced(value[place[0]], place[1:], new)
    return copy
