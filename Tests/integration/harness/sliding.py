"""A client's loops of sliding sync, in both forms, whose every answer is checked against the proposal."""

from typing import Any

from jsonschema import Draft202012Validator

from .clients import Client
from .schema import specification

EXPERIMENTAL = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
ACCEPTED = "/_matrix/client/v4/sync"

_EVENT = {
    "type": "object",
    "required": ["type", "sender", "content", "event_id", "origin_server_ts"],
    "properties": {"content": {"type": "object"}, "unsigned": {"type": "object"}, "room_id": False},
}
_STATE_EVENT = {**_EVENT, "required": [*_EVENT["required"], "state_key"]}
_STRIPPED = {"type": "object", "required": ["type", "sender", "state_key", "content"]}
_COUNT = {"type": "integer", "minimum": 0}
_DATA = {
    "type": "array",
    "items": {"type": "object", "required": ["type", "content"], "additionalProperties": False, "properties": {"type": {"type": "string"}, "content": {"type": "object"}}},
}


def _closed(required: list[str] | None = None, **properties) -> dict:
    return {"type": "object", "required": required or [], "properties": properties, "additionalProperties": False}


def _map(values: dict, pattern: str = ".") -> dict:
    return {"type": "object", "patternProperties": {pattern: values}, "additionalProperties": False}


def _room(form: str) -> dict:
    accepted = form == "accepted"
    text_or_null = {"type": ["string", "null"]}
    state = {"anyOf": [_STATE_EVENT, _closed(["type", "state_key"], type={"type": "string"}, state_key={"type": "string"})]}
    room = {
        "bump_stamp": _COUNT, "is_dm": {"type": "boolean"}, "initial": {"const": True}, "avatar": text_or_null,
        "name": text_or_null if accepted else {"type": "string"},
        "heroes": {
            "type": "array", "minItems": 1, "maxItems": 5,
            "items": _closed(["user_id"], user_id={"type": "string"}, displayname={"type": "string"}, avatar_url={"type": "string"}),
        },
        "required_state": {"type": "array", "minItems": 1, "items": state if accepted else _STATE_EVENT},
        "timeline": {"type": "array", "items": _EVENT}, "prev_batch": {"type": "string"}, "limited": {"type": "boolean"},
        "num_live": _COUNT, "joined_count": _COUNT, "invited_count": _COUNT,
        "expanded_timeline" if accepted else "unstable_expanded_timeline": {"const": True},
        "stripped_state" if accepted else "invite_state": {"type": "array", "minItems": 1, "items": _STRIPPED},
    }
    if accepted:
        room["membership"] = {"enum": ["join", "invite", "knock", "leave", "ban"]}
        room["lists"] = {"type": "array", "minItems": 1, "items": {"type": "string"}}
        return _closed(["membership"], **room)
    return _closed(**room, notification_count=_COUNT, highlight_count=_COUNT)


def _answer(form: str, tolerant: bool) -> Draft202012Validator:
    users = {"type": "array", "items": {"type": "string"}}
    extensions = _closed(
        to_device=_closed(["next_batch"], next_batch={"type": "string"}, events={"type": "array", "items": {"type": "object", "required": ["type", "sender", "content"]}}),
        e2ee=_closed(
            device_lists=_closed(changed=users, left=users), device_one_time_keys_count=_map(_COUNT), device_unused_fallback_key_types=users,
        ),
        account_data=_closed(**{"global": _DATA, "rooms": _map(_DATA, "^!")}),
        receipts=_closed(rooms=_map(_closed(["type", "content"], type={"const": "m.receipt"}, content={"type": "object"}), "^!")),
        typing=_closed(rooms=_map(_closed(["type", "content"], type={"const": "m.typing"}, content=_closed(["user_ids"], user_ids=users)), "^!")),
        **{
            # MSC4308 and MSC4354, under their names of before the specification.
            "io.element.msc4308.thread_subscriptions": _closed(
                subscribed=_map(_map(_closed(["automatic", "bump_stamp"], automatic={"type": "boolean"}, bump_stamp=_COUNT), "^\\$"), "^!"),
                unsubscribed=_map(_map(_closed(["bump_stamp"], bump_stamp=_COUNT), "^\\$"), "^!"),
                prev_batch={"type": "string"},
            ),
            "org.matrix.msc4354.sticky_events": _closed(
                ["next_batch"], next_batch={"type": "string"},
                rooms=_map(_closed(["events"], events={"type": "array", "minItems": 1, "items": _EVENT}), "^!"),
            ),
        },
    )
    lists = _map(_closed(["count"], count=_COUNT) if not tolerant else {"type": "object", "required": ["count"]})
    return Draft202012Validator(_closed(
        ["pos"], pos={"type": "string"}, txn_id={"type": "string"}, lists=lists, rooms=_map({} if tolerant else _room(form), "^!"), extensions=extensions,
    ))


def rooms_list(limit: int = 1, state: list | None = None, window: tuple[int, int] | None = (0, 19), **filters) -> dict:
    """A list as the experimental form has it; `window=None` is for all rooms."""
    made: dict[str, Any] = {"timeline_limit": limit, "required_state": state or []}
    if window is not None:
        made["ranges"] = [list(window)]
    if filters:
        made["filters"] = filters
    return made


class Loop:
    """One connection. Lists and subscriptions are given as the experimental form has them, whichever form is spoken."""

    def __init__(self, client: Client, form: str = "experimental", name: str | None = None):
        self.client = client
        self.form = form
        self.name = name
        self.pos: str | None = None

    def _config(self, config: dict) -> dict:
        if self.form == "experimental":
            return config
        config = dict(config)
        include, lazy = [], False
        for kind, key in config.get("required_state", []):
            if key == "$LAZY":
                lazy = True
                continue
            element = {} if kind == "*" else {"type": kind}
            if key != "*":
                element["state_key"] = self.client.user if key == "$ME" else key
            include.append(element)
        config["required_state"] = {"include": include, "lazy_members": lazy}
        if "ranges" in config:
            (config["range"],) = config.pop("ranges")
        if "is_invite" in config.get("filters", {}):
            config["filters"] = {**config["filters"], "is_invited": config["filters"]["is_invite"]}
            del config["filters"]["is_invite"]
        return config

    def request(self, lists: dict | None = None, subscriptions: dict | None = None, timeout: int = 0, pos: str | None = None, **body):
        """Where a request goes, its query and its body."""
        body = {key: value for key, value in body.items() if value is not None}
        if self.name is not None:
            body["conn_id"] = self.name
        if lists is not None:
            body["lists"] = {name: self._config(config) for name, config in lists.items()}
        if subscriptions is not None:
            body["room_subscriptions"] = {room: self._config(config) for room, config in subscriptions.items()}
        position = {"timeout": timeout} | ({} if pos is None else {"pos": pos})
        if self.form == "experimental":
            return EXPERIMENTAL, position, body
        return ACCEPTED, {}, body | position

    def sync(self, lists: dict | None = None, subscriptions: dict | None = None, timeout: int = 0, **body) -> dict:
        """The next answer. `pos` repeats a request; with the wrong one, or with `expect`, look at what comes back."""
        pos = body.pop("pos", self.pos)
        expect = body.pop("expect", 200)
        where, query, body = self.request(lists, subscriptions, timeout, pos, **body)
        answer = self.client.request(
            "POST", where, json=body, params=query, schema=False, expect=expect, timeout=60 + timeout / 1000).json()
        if expect != 200:
            return answer
        tolerant = self.client.server.kind == "synapse"
        problems = list(_answer(self.form, tolerant).iter_errors(answer))
        assert not problems, "\n".join(f"{problem.json_path}: {problem.message[:300]}" for problem in problems[:8])
        if specification().available:
            specification().check_events("slidingSync", answer, tolerates_null=self.client.server.passes_on_null)
        self.pos = answer["pos"]
        return answer

    def sync_until(self, condition, *arguments, tries: int = 20, **body) -> dict:
        """The first answer that the condition holds of."""
        for _ in range(tries):
            answer = self.sync(*arguments, timeout=1000, **body)
            if condition(answer):
                return answer
        raise AssertionError(f"nothing after {tries} requests; last answer: {str(answer)[:1000]}")

    # What the forms name differently

    def stripped(self, room: dict) -> list | None:
        return room.get("stripped_state" if self.form == "accepted" else "invite_state")

    def is_expanded(self, room: dict) -> bool:
        return room.get("expanded_timeline" if self.form == "accepted" else "unstable_expanded_timeline", False)
