"""Rooms of a peer that lies about them to whoever joins, and invitations that are none."""

import pytest
from harness.clients import escaped, path
from harness.lies import NONSENSE, PATIENCE_SECONDS, SECRET, statuses
from harness.peer_room import PeerRoom
from harness.rooms import arrives, invited
from harness.waiting import eventually


def changed(template, **changes):
    return {**template, "event": {**template["event"], **changes}}


def join_lies(room, user):
    """Templates for alice's join that are not hers."""
    honest = room.join_template(user)
    return NONSENSE | {
        "another room": lambda asked: (200, changed(honest, room_id="!other:elsewhere.example")),
        "another sender": lambda asked: (200, changed(honest, sender="@other:elsewhere.example")),
        "another state key": lambda asked: (200, changed(honest, state_key="@other:elsewhere.example")),
        "another type": lambda asked: (200, changed(honest, type="m.room.power_levels", state_key="")),
        "no type": lambda asked: (200, changed(honest, type=5)),
        "another membership": lambda asked: (200, changed(honest, content={"membership": "ban"})),
        "a version nobody knows": lambda asked: (200, {**honest, "room_version": "org.example.1"}),
        "no event": lambda asked: (200, {"room_version": "11"}),
        "an event that is a text": lambda asked: (200, {"room_version": "11", "event": "x"}),
        "very large": lambda asked: (200, changed(honest, content={"membership": "join", "x": "x" * 100_000})),
        "many before it": lambda asked: (200, changed(honest, prev_events=[f"${n:043}" for n in range(1_000)])),
    }


def refused(alice, response, room):
    assert response.status_code != 200, response.text
    assert response.json()["errcode"]
    assert room.room_id not in alice.get("joined_rooms")["joined_rooms"]


def joins_or_says_so(alice, peer, room, refusal=True):
    """Joins; a lie about the room must be answered with an error of the gateway or of the request, and leave nothing behind."""
    response = alice.request(
        "POST", path("join", room.room_id), json={}, params={"via": peer.name}, timeout=PATIENCE_SECONDS, schema=False,
        expect=statuses(alice.server, 200, 400, 403, 404, 502, 504),
    )
    if refusal:
        refused(alice, response, room)
    return response


def test_an_honest_room_is_joined(peer, target, alice, mallory):
    for version in ("2", "10", "11", "12"):
        room = PeerRoom.create(peer, mallory, version)
        assert joins_or_says_so(alice, peer, room, refusal=False).json() == {"room_id": room.room_id}
        event = room.message("Welcome", mallory)
        room.add(event)
        peer.send(target, [event])
        arrives(alice, room.room_id, room.id_of(event))
        said = alice.say(room.room_id, "Thank you")
        eventually(lambda: said in room.events, what="alice's message at the peer")


@pytest.mark.parametrize("lie", [
    *NONSENSE, "another room", "another sender", "another state key", "another type", "no type", "another membership",
    "a version nobody knows", "no event", "an event that is a text", "very large", "many before it",
])
def test_make_join(peer, target, alice, mallory, lie):
    room = PeerRoom.create(peer, mallory, "11")
    peer.answers["make_join"] = join_lies(room, alice.user)[lie]
    response = joins_or_says_so(alice, peer, room, refusal=False)
    if response.status_code == 200:
        # Whoever takes nothing from the template but what it needs joins all the same, as himself.
        join = room.events[room.state["m.room.member", alice.user]]
        assert (join["sender"], join["type"], join["content"]["membership"]) == (alice.user, "m.room.member", "join")
        assert join["room_id"] == room.room_id
    else:
        refused(alice, response, room)
    assert not [event for event in room.events.values() if event["sender"] == alice.user and event["type"] != "m.room.member"]


def without(events, kind):
    return [event for event in events if event["type"] != kind]


def unsigned(events, kind):
    return [{**event, "signatures": {}} if event["type"] == kind else event for event in events]


#: What the peer makes of the honest answer to send_join.
STATE_LIES = {
    "no state": lambda room, given: {**given, "state": []},
    "no beginning": lambda room, given: {
        **given, "state": without(given["state"], "m.room.create"), "auth_chain": without(given["auth_chain"], "m.room.create")
    },
    "an unsigned beginning": lambda room, given: {
        **given, "state": unsigned(given["state"], "m.room.create"), "auth_chain": unsigned(given["auth_chain"], "m.room.create")
    },
    "no keys": lambda room, given: {},
    "state that is an object": lambda room, given: {**given, "state": {"a": 1}},
    "events that are none": lambda room, given: {**given, "state": [1, None, "x"], "auth_chain": [[]]},
    "another room's state": lambda room, given: {
        **given, "state": (other := list(PeerRoom.create(room.peer, room.peer.user("other"), "11").events.values())),
        "auth_chain": other,
    },
    "a beginning of another version": lambda room, given: {
        **given, "state": [
            room.event("m.room.create", {"room_version": "1"}, event["sender"], "", prev_events=[], auth_events=[])
            if event["type"] == "m.room.create" else event for event in given["state"]
        ],
    },
}


@pytest.mark.parametrize("lie", [*NONSENSE, *STATE_LIES])
def test_send_join(peer, target, alice, mallory, lie):
    if target.kind == "synapse" and lie == "deep":
        pytest.skip("Synapse dies of it")
    room = PeerRoom.create(peer, mallory, "11")
    if lie in NONSENSE:
        peer.answers["send_join"] = NONSENSE[lie]
    else:
        peer.answers["send_join"] = lambda asked: (200, STATE_LIES[lie](room, room.let_in(asked.body)))
    joins_or_says_so(alice, peer, room)


def test_state_that_nobody_allowed(peer, target, alice, person, mallory):
    """The state given contains what the rules forbid: it is left out, whatever becomes of the join."""
    victim = person("victim")
    room = PeerRoom.create(peer, mallory, "11")
    grab = room.event("m.room.power_levels", {"users": {peer.user("nobody"): 100}}, peer.user("nobody"), "")
    forged = room.finished(room.draft("m.room.member", {"membership": "join"}, victim.user, victim.user))
    topic = room.event("m.room.topic", {"topic": SECRET}, peer.user("nobody"), "")

    def answer(asked):
        given = room.let_in(asked.body)
        return 200, {**given, "state": [*without(given["state"], "m.room.power_levels"), grab, forged, topic]}

    peer.answers["send_join"] = answer
    response = joins_or_says_so(alice, peer, room, refusal=False)
    assert room.room_id not in victim.get("joined_rooms")["joined_rooms"]
    victim.refused("M_FORBIDDEN", 403, "GET", "rooms", room.room_id, "state")
    if response.status_code == 200:
        state = {(event["type"], event["state_key"]): event for event in alice.get("rooms", room.room_id, "state")}
        assert ("m.room.topic", "") not in state and ("m.room.member", victim.user) not in state
        assert peer.user("nobody") not in str(state.get(("m.room.power_levels", "")))


def invitation(room, user, mallory, **changes):
    event = room.finished({**room.draft("m.room.member", {"membership": "invite"}, mallory, user), **changes})
    return event, {"room_version": room.version, "event": event, "invite_room_state": []}


def invite(peer, target, room, event, body):
    where = f"/_matrix/federation/v2/invite/{escaped(room.room_id)}/{escaped(room.id_of(event))}"
    return peer.request(target, "PUT", where, body=body)


def test_an_honest_invitation(peer, target, alice, mallory):
    room = PeerRoom.create(peer, mallory, "11")
    event, body = invitation(room, alice.user, mallory)
    answer = invite(peer, target, room, event, body).json()["event"]
    assert set(answer["signatures"]) == {peer.name, target.server_name}
    assert room.id_of(answer) == room.id_of(event)
    invited(alice, room.room_id)


INVITATIONS = {
    "no invitation": lambda room, user, mallory: invitation(room, user, mallory, content={"membership": "join"}),
    "another type": lambda room, user, mallory: invitation(room, user, mallory, type="m.room.name"),
    "for somebody of another server": lambda room, user, mallory: invitation(room, "@bob:elsewhere.example", mallory),
    "from somebody of another server": lambda room, user, mallory: invitation(room, user, "@bob:elsewhere.example"),
    "from oneself": lambda room, user, mallory: invitation(room, user, user),
    "another room": lambda room, user, mallory: invitation(room, user, mallory, room_id="!other:elsewhere.example"),
    "a version nobody knows": lambda room, user, mallory: (
        (made := invitation(room, user, mallory))[0], {**made[1], "room_version": "org.example.1"}
    ),
    "unsigned": lambda room, user, mallory: (
        (made := invitation(room, user, mallory))[0], {**made[1], "event": {**made[0], "signatures": {}}}
    ),
    "no event": lambda room, user, mallory: (invitation(room, user, mallory)[0], {"room_version": "11"}),
    "an event that is a list": lambda room, user, mallory: (invitation(room, user, mallory)[0], {"room_version": "11", "event": []}),
}

#: Synapse reads the event's own room.
SYNAPSE_INVITES = {"another room", "from somebody of another server"}


@pytest.mark.parametrize("lie", INVITATIONS)
def test_invitations(peer, target, alice, mallory, lie):
    if target.kind == "synapse" and lie in SYNAPSE_INVITES:
        pytest.skip("Synapse lets it pass")
    room = PeerRoom.create(peer, mallory, "11")
    event, body = INVITATIONS[lie](room, alice.user, mallory)
    response = invite(peer, target, room, event, body)
    assert 400 <= response.status_code < 500 or (target.kind == "synapse" and response.status_code == 500), response.text
    assert not alice.sync().get("rooms", {}).get("invite")


def test_an_invitation_does_not_tell_who_exists(peer, target, alice, mallory):
    room = PeerRoom.create(peer, mallory, "11")
    event, body = invitation(room, f"@nobody:{target.server_name}", mallory)
    answer = invite(peer, target, room, event, body)
    assert answer.status_code == 200 and set(answer.json()["event"]["signatures"]) == {peer.name, target.server_name}
    assert not alice.sync().get("rooms", {}).get("invite")


def test_invitation_with_strange_state(peer, target, alice, mallory):
    room = PeerRoom.create(peer, mallory, "11")
    event, body = invitation(room, alice.user, mallory)
    long = {"type": "m.room.name", "state_key": "", "content": {"name": "x" * 100_000}, "sender": mallory}
    strange = [1, None, {}, {"type": 1}, long]
    response = invite(peer, target, room, event, {**body, "invite_room_state": strange})
    assert response.status_code < 500 or target.kind == "synapse"
    alice.sync()  # whose shape is checked
