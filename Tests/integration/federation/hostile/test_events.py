"""Events that no honest server would send: each is dropped, redacted or rejected, and what comes after it is heard."""

import base64

import pytest
from harness.clients import path
from harness.lies import SECRET
from harness.pdus import SigningKey
from harness.peer_room import PeerRoom
from harness.rooms import arrives, becomes, has, state_of
from harness.waiting import eventually


def afterwards(peer, target, alice, known, sender):
    """An honest event, heard: so whatever was sent before it has been dealt with."""
    event = known.message("Honest", sender)
    known.add(event)
    peer.send(target, [event])
    arrives(alice, known.room_id, known.id_of(event))


def invented(count):
    """Identifiers of events that there are none of."""
    return [f"${number:043}" for number in range(count)]


def corrupted(event):
    """The event with its signature changed."""
    server, = event["signatures"]
    name, signature = next(iter(event["signatures"][server].items()))
    other = "A" if signature[0] != "A" else "B"
    return {**event, "signatures": {server: {name: other + signature[1:]}}}


def test_changed_content_is_redacted(peer, target, alice, known, mallory):
    event = {**known.message("As it was signed", mallory), "content": {"msgtype": "m.text", "body": SECRET}}
    peer.send(target, [event])
    afterwards(peer, target, alice, known, mallory)
    response = alice.request("GET", path("rooms", known.room_id, "event", known.id_of(event)), expect=(200, 404))
    if response.status_code == 200:
        assert response.json()["content"] == {}
    assert SECRET not in str(alice.all_messages(known.room_id))
    # A member event keeps its membership, and loses what else was put in.
    member = known.event("m.room.member", {"membership": "join", "displayname": "Signed"}, mallory, mallory)
    known.add(member)
    peer.send(target, [{**member, "content": {"membership": "join", "displayname": SECRET}}])
    afterwards(peer, target, alice, known, mallory)
    assert alice.state(known.room_id, "m.room.member", mallory)["membership"] == "join"
    assert SECRET not in str(alice.state(known.room_id, "m.room.member", mallory))


#: Each gives one event, from what the peer knows of the room and the attacker.
FORGERIES = {
    # Signatures
    "no signature": lambda room, user: {**room.message(SECRET, user), "signatures": {}},
    "a changed signature": lambda room, user: corrupted(room.message(SECRET, user)),
    "a key that nobody published": lambda room, user: room.finished(
        room.draft("m.room.message", {"body": SECRET}, user), SigningKey("ed25519:other")
    ),
    "another key of the same name": lambda room, user: room.finished(
        room.draft("m.room.message", {"body": SECRET}, user), SigningKey()
    ),
    "a signature that is no base64": lambda room, user: {
        **room.message(SECRET, user), "signatures": {room.peer.name: {room.peer.key.name: "?" * 86}}
    },
    "signatures that are a list": lambda room, user: {**room.message(SECRET, user), "signatures": [1]},
    "no hashes": lambda room, user: room.signed(room.draft("m.room.message", {"body": SECRET}, user)),
    "hashes that are a text": lambda room, user: room.signed(
        {**room.draft("m.room.message", {"body": SECRET}, user), "hashes": "x"}
    ),
    # Who speaks
    "one who never joined": lambda room, user: room.message(SECRET, room.peer.user("nobody")),
    "a sender that is none": lambda room, user: room.message(SECRET, "nobody"),
    "a sender that is a number": lambda room, user: room.message(SECRET, 5),
    "a join for another": lambda room, user: room.event("m.room.member", {"membership": "join"}, user, room.peer.user("other")),
    # What is allowed
    "a name without the power": lambda room, user: room.event("m.room.name", {"name": SECRET}, user, ""),
    "power for oneself": lambda room, user: room.event("m.room.power_levels", {"users": {user: 100}}, user, ""),
    "a second beginning": lambda room, user: room.event("m.room.create", {"room_version": "11"}, user, ""),
    "a beginning without anything before": lambda room, user: room.event(
        "m.room.create", {"room_version": "11"}, user, "", prev_events=[], auth_events=[]
    ),
    "a state key of somebody else": lambda room, user: room.event(
        "org.example.own", {"a": SECRET}, user, "@alice:elsewhere.example"
    ),
    # What it rests on
    "no auth events": lambda room, user: room.message(SECRET, user, auth_events=[]),
    "unknown auth events": lambda room, user: room.message(SECRET, user, auth_events=["$" + "a" * 43]),
    "auth events that do not belong": lambda room, user: room.message(
        SECRET, user,
        auth_events=room.draft("m.room.message", {}, user)["auth_events"] + [room.state["m.room.history_visibility", ""]],
    ),
    "an auth event twice": lambda room, user: room.message(
        SECRET, user, auth_events=room.draft("m.room.message", {}, user)["auth_events"] * 2
    ),
    "eleven auth events": lambda room, user: room.message(SECRET, user, auth_events=list(room.events)[:4] * 3),
    "no auth for the sender": lambda room, user: room.message(
        SECRET, user, auth_events=[room.state["m.room.create", ""], room.state["m.room.power_levels", ""]]
    ),
    "nothing before it": lambda room, user: room.message(SECRET, user, prev_events=[]),
    "21 before it": lambda room, user: room.message(SECRET, user, prev_events=invented(21)),
    "1,000 before it": lambda room, user: room.message(SECRET, user, prev_events=invented(1_000)),
    "10,000 before it": lambda room, user: room.message(SECRET, user, prev_events=invented(10_000)),
    "itself before it": lambda room, user: room.message(SECRET, user, prev_events=["$itself"]),
    "prev_events that are numbers": lambda room, user: room.message(SECRET, user, prev_events=[1, 2]),
    "prev_events that are an object": lambda room, user: room.message(SECRET, user, prev_events={"a": 1}),
    # Form
    "65,536 bytes and more": lambda room, user: room.message(SECRET + "x" * 65_536, user),
    "a long type": lambda room, user: room.event("x" * 256, {"a": SECRET}, user),
    "a long state key": lambda room, user: room.event("org.example.x", {"a": SECRET}, user, "x" * 256),
    "a long sender": lambda room, user: room.message(SECRET, room.peer.user("x" * 256)),
    "a type that is a number": lambda room, user: room.event(5, {"a": SECRET}, user),
    "no type": lambda room, user: room.message(SECRET, user, type=...),
    "content that is a list": lambda room, user: room.finished(
        {**room.draft("m.room.message", {}, user), "content": [SECRET]}
    ),
    "no content": lambda room, user: room.finished(
        {key: value for key, value in room.draft("m.room.message", {}, user).items() if key != "content"}
    ),
    "a fraction": lambda room, user: room.event("m.room.message", {"body": SECRET, "n": 1.5}, user),
    "a number too large": lambda room, user: room.event("m.room.message", {"body": SECRET, "n": 2**53}, user),
    "a depth that is a text": lambda room, user: room.message(SECRET, user, depth="1"),
    "a negative depth": lambda room, user: room.message(SECRET, user, depth=-1),
    "a depth too large": lambda room, user: room.message(SECRET, user, depth=2**63),
    "a time that is a text": lambda room, user: room.message(SECRET, user, origin_server_ts="now"),
    "a state key that is a number": lambda room, user: room.event("m.room.topic", {"topic": SECRET}, user, 5),
    "another room's ID": lambda room, user: room.message(SECRET, user, room_id="!other:elsewhere.example"),
    "no room": lambda room, user: room.message(SECRET, user, room_id=...),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgeries(peer, target, alice, known, mallory, forgery):
    before = state_of(alice, known.room_id)
    event = FORGERIES[forgery](known, mallory)
    peer.send(target, [event])
    afterwards(peer, target, alice, known, mallory)
    assert SECRET not in str(alice.all_messages(known.room_id))
    assert state_of(alice, known.room_id) == before
    try:
        name = known.id_of(event)
    except (AttributeError, TypeError):
        return  # too malformed to have an identifier
    seen = alice.request("GET", path("rooms", known.room_id, "event", name), expect=(200, 400, 403, 404))
    assert seen.status_code != 200 or not seen.json()["content"]


def test_in_the_name_of_the_server_itself(peer, target, alice, known, mallory):
    for key in (None, SigningKey("ed25519:tests")):
        draft = known.draft("m.room.message", {"body": SECRET}, alice.user)
        event = known.finished(draft, key)
        peer.send(target, [event, known.signed(event, key, server=target.server_name)])
    # Neither may it end what alice began.
    draft = known.draft("m.room.tombstone", {"body": SECRET, "replacement_room": known.room_id}, alice.user, "")
    peer.send(target, [known.finished(draft)])
    afterwards(peer, target, alice, known, mallory)
    assert SECRET not in str(alice.all_messages(known.room_id))
    assert alice.request("GET", path("rooms", known.room_id, "state", "m.room.tombstone", ""), expect=404)


def test_what_rests_on_a_rejected_event_is_rejected(peer, target, alice, known, mallory):
    levels = known.event("m.room.power_levels", {"users": {mallory: 100}}, mallory, "")
    grab = known.keep(levels)
    auth = [known.state["m.room.create", ""], known.state["m.room.member", mallory], grab]
    name = known.event("m.room.name", {"name": SECRET}, mallory, "", auth_events=list(auth))
    auth.append(known.state["m.room.member", alice.user])
    ban = known.event("m.room.member", {"membership": "ban"}, mallory, alice.user, auth_events=auth)
    peer.send(target, [levels, name, ban])
    afterwards(peer, target, alice, known, mallory)
    assert alice.state(known.room_id, "m.room.name")["name"] == "Honest"
    assert alice.state(known.room_id, "m.room.member", alice.user)["membership"] == "join"
    assert mallory not in alice.state(known.room_id, "m.room.power_levels").get("users", {})


def test_auth_events_of_another_room(peer, target, alice, known, mallory):
    own = PeerRoom.create(peer, mallory, "11")
    auth = [own.state["m.room.create", ""], own.state["m.room.power_levels", ""], own.state["m.room.member", mallory]]
    for event in own.events.values():
        known.keep(event)
    event = known.event("m.room.name", {"name": SECRET}, mallory, "", auth_events=auth)
    peer.answers["event"] = lambda asked: (200, peer.transaction([own.events[asked.parts[0]]]))
    peer.answers["event_auth"] = lambda asked: (200, {"auth_chain": list(own.events.values())})
    peer.send(target, [event])
    afterwards(peer, target, alice, known, mallory)
    assert alice.state(known.room_id, "m.room.name")["name"] == "Honest"


def test_redaction_of_what_is_not_ones_own(peer, target, alice, known, mallory):
    event = alice.say(known.room_id, "This stays")
    eventually(lambda: any(known.id_of(seen) == event for seen in peer.pdus), what="alice's message at the peer")
    since = alice.sync()["next_batch"]
    elsewhere = alice.say(alice.create_room(), "This stays too")
    for content, fields in (
        ({"redacts": event}, {}), ({}, {"redacts": event}), ({"redacts": event}, {"redacts": event}), ({"redacts": elsewhere}, {}),
    ):
        peer.send(target, [known.event("m.room.redaction", content, mallory, **fields)])
    afterwards(peer, target, alice, known, mallory)
    # Nor are clients told of what redacts nothing that it names.
    timeline = alice.sync(since)["rooms"]["join"][known.room_id]["timeline"]["events"]
    assert timeline and not any("redacts" in seen or "redacts" in seen["content"] for seen in timeline)
    seen = alice.event(known.room_id, event)
    assert seen["content"]["body"] == "This stays" and "redacted_because" not in seen.get("unsigned", {})


def test_what_was_banned_is_soft_failed(peer, target, alice, known, mallory):
    """Somebody banned goes on from before the ban. What he says is not seen, and nobody goes on from it."""
    before, joined = list(known.tips), known.state["m.room.member", mallory]
    alice.post("rooms", known.room_id, "ban", json={"user_id": mallory})
    eventually(
        lambda: any(event.get("state_key") == mallory and event["content"]["membership"] == "ban" for event in peer.pdus),
        what="the ban",
    )
    auth = [known.state["m.room.create", ""], known.state["m.room.power_levels", ""], joined]
    events = []
    for number in range(3):
        events.append(known.message(f"{SECRET} {number}", mallory, prev_events=before, auth_events=auth))
        before = [known.keep(events[-1])]
    peer.send(target, events)
    said = alice.say(known.room_id, "Quiet now")
    eventually(lambda: has(alice, known.room_id, said))
    assert SECRET not in str(alice.all_messages(known.room_id))
    assert SECRET not in str(alice.sync())
    # The peer's server is not in the room any more: what is said is not for it.
    assert not any(event.get("content", {}).get("body") == "Quiet now" for event in peer.pdus)


def test_what_sticks_and_was_soft_failed_is_looked_at_again(peer, target, alice, known, mallory):
    """Somebody banned says something that sticks, from before the ban: it is not seen, until they are let in again."""
    if target.kind == "synapse":
        pytest.skip("Synapse has sticky events only as an experiment")
    before, joined = list(known.tips), known.state["m.room.member", mallory]
    alice.post("rooms", known.room_id, "ban", json={"user_id": mallory})
    eventually(
        lambda: any(event.get("state_key") == mallory and event["content"]["membership"] == "ban" for event in peer.pdus),
        what="the ban",
    )
    auth = [known.state["m.room.create", ""], known.state["m.room.power_levels", ""], joined]
    sticky = known.message(
        "I am in the call", mallory, prev_events=before, auth_events=auth, msc4354_sticky={"duration_ms": 600_000})
    plain = known.message("I say so", mallory, prev_events=before, auth_events=auth)
    peer.send(target, [sticky, plain])
    said = alice.say(known.room_id, "Quiet now")
    eventually(lambda: has(alice, known.room_id, said))
    assert not has(alice, known.room_id, known.id_of(sticky))
    alice.post("rooms", known.room_id, "unban", json={"user_id": mallory})
    assert not has(alice, known.room_id, known.id_of(sticky)), "they are outside yet"
    peer.join(target, known.room_id, mallory, known.version)
    eventually(lambda: has(alice, known.room_id, known.id_of(sticky)), what="what stuck, once they are in again")
    assert not has(alice, known.room_id, known.id_of(plain))
    assert known.id_of(sticky) in str(alice.sync())


def test_a_server_that_is_shut_out(peer, target, alice, known, mallory):
    alice.set_state(known.room_id, "m.room.server_acl", {"allow": ["*"], "allow_ip_literals": False})
    event = known.message(SECRET, mallory)
    response = peer.request(target, "PUT", "/_matrix/federation/v1/send/acl1", body=peer.transaction([event]))
    assert response.status_code in (200, 403), response.text
    if response.status_code == 200 and target.kind == "synapse":
        assert response.json()["pdus"][known.id_of(event)]["error"]
    for where in (
        f"/v1/make_join/{known.room_id}/{peer.user('other')}", f"/v1/state_ids/{known.room_id}?event_id={known.tips[0]}",
    ):
        refused = peer.request(target, "GET", "/_matrix/federation" + where)
        assert refused.status_code == 403 and refused.json()["errcode"] == "M_FORBIDDEN", refused.text
    alice.say(known.room_id, "Alone again")
    assert SECRET not in str(alice.all_messages(known.room_id))


def old_room(peer, target, alice, mallory):
    """A room of version 2, where whoever writes an event gives it its ID."""
    room = alice.create_room(preset="public_chat", room_version="2", name="Honest")
    return peer.join(target, room, mallory, "2")


def test_events_that_follow_each_other_in_a_circle(peer, target, alice, mallory):
    known = old_room(peer, target, alice, mallory)
    nothing = {"sha256": base64.b64encode(b"x" * 32).decode().rstrip("=")}

    def following(name, before):
        fields = {"event_id": f"${name}:{peer.name}", "prev_events": [[f"${before}:{peer.name}", nothing]]}
        return known.message(f"{SECRET} {name}", mallory, **fields)

    first, second, third = following("first", "third"), following("second", "first"), following("third", "second")
    own = following("own", "own")
    circle = {event["event_id"]: event for event in (first, second, third, own)}
    peer.answers["missing_events"] = lambda asked: (200, {"events": list(circle.values())})
    peer.answers["event"] = lambda asked: (200, peer.transaction([circle.get(asked.parts[0], first)]))
    peer.answers["state_ids"] = lambda asked: (200, {"pdu_ids": list(circle), "auth_chain_ids": list(circle)})
    peer.send(target, [third, own])
    afterwards(peer, target, alice, known, mallory)
    assert len(peer.asked) < 300


def test_auth_events_in_a_circle(peer, target, alice, mallory):
    known = old_room(peer, target, alice, mallory)
    nothing = {"sha256": base64.b64encode(b"x" * 32).decode().rstrip("=")}
    names = [f"$auth{number}:{peer.name}" for number in range(3)]
    circle = {
        name: known.event(
            "m.room.member", {"membership": "join"}, mallory, mallory, event_id=name, auth_events=[[names[number - 1], nothing]]
        ) for number, name in enumerate(names)
    }
    peer.answers["event"] = lambda asked: (200, peer.transaction([circle.get(asked.parts[0], circle[names[0]])]))
    peer.answers["event_auth"] = lambda asked: (200, {"auth_chain": list(circle.values())})
    peer.send(target, [circle[names[2]]])
    afterwards(peer, target, alice, known, mallory)
    assert alice.state(known.room_id, "m.room.member", mallory)["membership"] == "join"
    assert len(peer.asked) < 300


def test_one_id_for_two_events(peer, target, alice, mallory):
    known = old_room(peer, target, alice, mallory)
    first = known.message("The first", mallory)
    known.add(first)
    peer.send(target, [first])
    arrives(alice, known.room_id, first["event_id"])
    peer.send(target, [known.message(SECRET, mallory, event_id=first["event_id"])])
    # Nor may one take the ID of somebody else's event, or of one that another server should have named.
    alices = alice.say(known.room_id, "Alice's own")
    peer.send(target, [known.message(SECRET, mallory, event_id=alices)])
    peer.send(target, [known.message(SECRET, mallory, event_id=f"$invented:{target.server_name}")])
    afterwards(peer, target, alice, known, mallory)
    assert alice.event(known.room_id, first["event_id"])["content"]["body"] == "The first"
    assert alice.event(known.room_id, alices)["content"]["body"] == "Alice's own"
    assert SECRET not in str(alice.all_messages(known.room_id))


def test_one_bad_event_among_good_ones(peer, target, alice, known, mallory):
    good = []
    for number in range(5):
        good.append(known.message(f"good {number}", mallory))
        known.add(good[-1])
    bad = [FORGERIES["a changed signature"](known, mallory), FORGERIES["no type"](known, mallory), 1, None, "x", []]
    mixed = [event for pair in zip(good, bad) for event in pair]
    if target.kind == "synapse":  # which refuses the whole where an event is no object
        mixed = [event for event in mixed if isinstance(event, dict)]
    peer.request(target, "PUT", "/_matrix/federation/v1/send/mixed1", body=peer.transaction(mixed))
    for event in good:
        arrives(alice, known.room_id, known.id_of(event))
    becomes(alice, known.room_id, mallory, "join")
