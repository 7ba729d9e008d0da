"""A room as the `Peer` knows it: enough of it to write events that other servers accept."""

import itertools
import os
import time
from typing import Any

from .pdus import SigningKey, event_id, hashed, reference, signed, unpadded

_numbers = itertools.count(1)


class PeerRoom:
    """What a peer knows of a room. Events refer to each other as the room's version has it."""

    def __init__(self, peer, room_id: str, version: str):
        self.peer = peer
        self.room_id = room_id
        self.version = version
        #: All events, by ID, in the order in which they became known.
        self.events: dict[str, dict] = {}
        #: The current state: event IDs by type and state key. The last one told wins: nobody else writes at the same time.
        self.state: dict[tuple[str, str], str] = {}
        #: The events that no other follows yet.
        self.tips: list[str] = []

    @classmethod
    def create(cls, peer, creator: str, version: str = "12", join_rule: str = "public") -> "PeerRoom":
        """A room of the peer's own."""
        number = int(version)
        room = cls(peer, "" if number >= 12 else f"!room{next(_numbers)}:{peer.name}", version)
        content = {"room_version": version} | ({"creator": creator} if number < 11 else {})
        created = room.event("m.room.create", content, creator, "")
        if number >= 12:
            room.room_id = "!" + room.id_of(created)[1:]
        room.add(created)
        room.add(room.event("m.room.member", {"membership": "join"}, creator, creator))
        levels = {"users": {creator: 100} if number < 12 else {}, "state_default": 50, "users_default": 0}
        room.add(room.event("m.room.power_levels", levels, creator, ""))
        room.add(room.event("m.room.join_rules", {"join_rule": join_rule}, creator, ""))
        room.add(room.event("m.room.history_visibility", {"history_visibility": "shared"}, creator, ""))
        peer.rooms[room.room_id] = room
        return room

    # Writing

    def draft(self, kind: str, content: Any, sender: str, key: str | None = None, **fields) -> dict:
        """An event on top of what is known, neither hashed nor signed; `fields` take the place of what it would have."""
        event = {
            "type": kind, "sender": sender, "content": content, "origin_server_ts": int(time.time() * 1000),
            "depth": self.depth + 1, "prev_events": self.references(self.tips),
            "auth_events": self.references(self.auth_event_ids(kind, content, sender, key)),
        }
        if self.room_id:  # in room version 12 its first event makes the room's ID, and so has none
            event["room_id"] = self.room_id
        if key is not None:
            event["state_key"] = key
        event.update(self.own_id())
        event.update(fields)
        return {name: value for name, value in event.items() if value is not ...}

    def own_id(self) -> dict:
        """What an event has in the versions where whoever writes it gives it its ID."""
        if int(self.version) >= 3:
            return {}
        return {"event_id": f"${unpadded(os.urandom(12), url=True)}:{self.peer.name}", "origin": self.peer.name}

    def finished(self, draft: dict, key: SigningKey | None = None) -> dict:
        """The event, hashed and signed by the peer (or with another key in its name)."""
        return self.signed(hashed(draft), key)

    def signed(self, event: dict, key: SigningKey | None = None, server: str | None = None) -> dict:
        return signed(event, self.version, server or self.peer.name, key or self.peer.key)

    def event(self, kind: str, content: Any, sender: str, key: str | None = None, **fields) -> dict:
        """An event on top of what is known; a field that is `...` is left out."""
        return self.finished(self.draft(kind, content, sender, key, **fields))

    def message(self, text: str, sender: str, **fields) -> dict:
        return self.event("m.room.message", {"msgtype": "m.text", "body": text}, sender, **fields)

    def auth_event_ids(self, kind: str, content: Any, sender: str, key: str | None) -> list[str]:
        """https://spec.matrix.org/v1.19/server-server-api/#auth-events-selection"""
        if kind == "m.room.create":
            return []
        wanted = [("m.room.power_levels", ""), ("m.room.member", sender)]
        if int(self.version) < 12:
            wanted.append(("m.room.create", ""))
        if kind == "m.room.member" and isinstance(content, dict):
            wanted.append(("m.room.member", key))
            if content.get("membership") in ("join", "invite", "knock"):
                wanted.append(("m.room.join_rules", ""))
        return list(dict.fromkeys(self.state[place] for place in wanted if place in self.state))

    # Knowing

    def id_of(self, event: dict) -> str:
        return event_id(event, self.version)

    def references(self, ids: list[str]) -> list:
        return [reference(self.events[name], self.version) for name in ids]

    def referred(self, references: list) -> list[str]:
        return [name if isinstance(name, str) else name[0] for name in references]

    @property
    def depth(self) -> int:
        return max((self.events[name]["depth"] for name in self.tips), default=0)

    def keep(self, event: dict) -> str:
        """Remembers an event, without making it the room's latest; returns its ID."""
        name = self.id_of(event)
        self.events[name] = event
        return name

    def add(self, event: dict) -> str:
        """Takes an event as the room's latest; returns its ID."""
        name = self.keep(event)
        followed = self.referred(event["prev_events"])
        self.tips = [tip for tip in self.tips if tip not in followed] + [name]
        if "state_key" in event:
            self.state[event["type"], event["state_key"]] = name
        return name

    def auth_chain(self, of: list[str] | None = None) -> list[dict]:
        """The events that the state (or these events) rests on."""
        found: dict[str, dict] = {}
        waiting = [name for start in (of or self.state.values()) for name in self.referred(self.events[start]["auth_events"])]
        if int(self.version) >= 12:
            waiting.append(self.state["m.room.create", ""])
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.events:
                found[name] = self.events[name]
                waiting += self.referred(self.events[name]["auth_events"])
        return list(found.values())

    # Letting others in

    def join_template(self, user: str) -> dict:
        return {"room_version": self.version, "event": self.draft("m.room.member", {"membership": "join"}, user, user)}

    def let_in(self, event: dict) -> dict:
        """Takes a join, and gives the state before it."""
        state = [self.events[name] for name in self.state.values()]
        chain = self.auth_chain()
        self.add(event)
        return {
            "origin": self.peer.name, "state": state, "auth_chain": chain, "event": event, "members_omitted": False,
            "servers_in_room": [self.peer.name],
        }
