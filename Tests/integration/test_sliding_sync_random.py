"""Sliding sync: whatever happens, and however it is asked for, a client ends up knowing what is there."""

import random

import pytest

from harness.sliding import Loop, rooms_list

STATE = [["m.room.name", ""], ["m.room.topic", ""], ["org.example.thing", "*"], ["m.room.member", "$ME"]]


@pytest.fixture(scope="module", params=[None, 8 << 20], ids=["usual", "forgetful"])
def server(request, make_server, engine):
    """A server; or one with so little memory that a client can be further behind than its tail of the journal reaches."""
    server = make_server(engine, settings=request.param and {"cache_bytes": request.param}).start()
    yield server
    server.finish()


class Known:
    """What a client knows of a room, put together from the answers."""

    def __init__(self):
        self.timeline: list[str] = []
        self.state: dict[tuple[str, str], str] = {}
        self.name = None
        self.joined = None

    def take(self, room: dict, loop: Loop) -> None:
        if room.get("initial"):
            self.__init__()
        shown = [event["event_id"] for event in room.get("timeline", [])]
        if room.get("initial") or loop.is_expanded(room) or room.get("limited"):
            self.timeline = shown
        else:
            assert not set(shown) & set(self.timeline), "an event was told twice"
            self.timeline += shown
        for event in room.get("required_state", []):
            self.state[event["type"], event["state_key"]] = event["event_id"]
        self.name = room.get("name", self.name)
        self.joined = room.get("joined_count", self.joined)


def lists(chance: random.Random, count: int) -> dict:
    limit, top = chance.choice([0, 1, 2, 5]), chance.randrange(count)
    return chance.choice([
        {"all": rooms_list(limit, STATE, (0, top))}, {"all": rooms_list(limit, STATE, (0, 99))}, {},
        {"all": rooms_list(limit, STATE, None), "other": rooms_list(1, [["m.room.create", ""]], (0, 1))},
        {"other": rooms_list(3, STATE[:2], (0, top), is_encrypted=False)},
    ])


def act(chance: random.Random, rooms: list[str], owner, alice, others) -> None:
    """Something happens in a room; what is not allowed at the moment does not."""
    room, somebody = chance.choice(rooms), chance.choice([*others, owner, alice])
    kind = chance.choices(
        ["say", "topic", "name", "thing", "join", "leave", "alice leaves", "alice is kicked", "alice joins", "called"],
        [8, 2, 1, 2, 2, 2, 1, 1, 3, 1],
    )[0]
    options = {"expect": (200, 403)}
    unique = str(chance.random())
    match kind:
        case "say":
            somebody.request("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{unique}", json={"msgtype": "m.text", "body": unique}, **options)
        case "topic" | "name" | "thing":
            where = {"topic": "m.room.topic/", "name": "m.room.name/", "thing": f"org.example.thing/{chance.randrange(3)}"}[kind]
            owner.request("PUT", f"/_matrix/client/v3/rooms/{room}/state/{where}", json={"topic": unique, "name": unique}, **options)
        case "join" | "leave":
            other = chance.choice(others)
            other.request("POST", f"/_matrix/client/v3/rooms/{room}/{kind}", json={}, **options)
        case "alice leaves":
            alice.request("POST", f"/_matrix/client/v3/rooms/{room}/leave", json={}, **options)
        case "alice is kicked":
            owner.request("POST", f"/_matrix/client/v3/rooms/{room}/kick", json={"user_id": alice.user}, **options)
        case "alice joins":
            alice.request("POST", f"/_matrix/client/v3/rooms/{room}/join", json={}, **options)
        case "called":
            alice.put("profile", alice.user, "displayname", json={"displayname": unique})


@pytest.mark.parametrize("form", ["experimental", pytest.param("accepted", marks=pytest.mark.only_chappe(reason="Synapse has only the experiment"))])
@pytest.mark.only_chappe(reason="Synapse forgets some of what it kept back when a list changes")
@pytest.mark.parametrize("turn", range(2))
def test_a_client_ends_up_knowing_what_is_there(request, users, seed, form, turn):
    chance = random.Random(f"{seed} {turn}")
    owner, alice, *others = users("owner", "alice", "bob", "carol")
    rooms = [owner.create_room(preset="public_chat", name=f"Room {number}") for number in range(5)]
    for room in rooms:
        for user in (alice, *others):
            user.join(room)
    elsewhere, forgets = owner.create_room(), "forgetful" in request.node.name
    loop, known = Loop(alice, form), {}
    rules = lists(chance, len(rooms))
    for _ in range(60):
        for _ in range(chance.choice([0, 1, 1, 3, 8])):
            act(chance, rooms, owner, alice, others)
        if forgets and chance.random() < 0.2:
            for _ in range(36):
                owner.say(elsewhere, "x" * 40_000)
        if chance.random() < 0.3:
            rules = lists(chance, len(rooms))
        subscriptions = {room: {"timeline_limit": 4, "required_state": STATE} for room in rooms if chance.random() < 0.1}
        base = loop.pos
        answer = loop.sync(rules, subscriptions)
        if chance.random() < 0.2:  # it is lost, and so perhaps are others
            for _ in range(chance.randrange(3)):
                act(chance, rooms, owner, alice, others)
                loop.sync(lists(chance, len(rooms)), pos=base)
            answer = loop.sync(rules, subscriptions, pos=base)
        for room, told in answer["rooms"].items():
            known.setdefault(room, Known()).take(told, loop)
    everything = {"all": rooms_list(3, STATE, (0, 99))}
    for room, told in loop.sync(everything)["rooms"].items():
        known.setdefault(room, Known()).take(told, loop)
    assert not loop.sync(everything)["rooms"]
    joined = alice.get("joined_rooms")["joined_rooms"]
    assert set(joined) <= set(known)
    for room in joined:
        state = {(event["type"], event["state_key"]): event["event_id"] for event in alice.get("rooms", room, "state")}
        wanted = {
            key: event for key, event in state.items()
            if key[0] in ("m.room.name", "m.room.topic", "org.example.thing") or key == ("m.room.member", alice.user)
        }
        told = {key: event for key, event in known[room].state.items() if key[0] not in ("m.room.create", "m.room.member") or key == ("m.room.member", alice.user)}
        assert told == wanted
        assert known[room].name == alice.state(room, "m.room.name")["name"]
        assert known[room].joined == len(alice.get("rooms", room, "joined_members")["joined"])
        count = len(known[room].timeline)
        assert count >= 1
        newest = [event["event_id"] for event in alice.messages(room, limit=count)["chunk"]]
        assert known[room].timeline == list(reversed(newest))
    for room in set(rooms) - set(joined) & set(known):
        member = known[room].state.get(("m.room.member", alice.user))
        if member is not None:
            assert alice.event(room, member)["content"]["membership"] == "leave"
