"""Requests from somebody who is not who he says, or says what nobody can read."""

import pytest
from harness.clients import escaped
from harness.pdus import SigningKey
from harness.peer import FEDERATION, now

PROFILE = FEDERATION + "/v1/query/profile"


@pytest.fixture
def ask(peer, target, alice):
    """A function that asks for alice's profile, with whatever is wrong about the request."""
    return lambda **options: peer.request(target, "GET", PROFILE, params={"user_id": alice.user}, **options)


def refused(response, *statuses):
    assert response.status_code in (statuses or (401,)), response.text
    codes = {400: ("M_INVALID_PARAM",)}.get(response.status_code, ()) + ("M_UNAUTHORIZED", "M_FORBIDDEN")
    assert response.json()["errcode"] in codes, response.text


def test_an_honest_request(ask, alice):
    assert ask().status_code == 200
    assert ask(claimed_destination=None).status_code == 200  # as servers before Matrix 1.3 ask


def test_no_authorization(ask):
    refused(ask(authorization=None))


@pytest.mark.parametrize("header", [
    "X-Matrix", "Bearer x", "X-Matrix origin=", 'X-Matrix origin="a b",key="ed25519:a",sig="AAAA"',
    'X-Matrix origin="{name}"', 'X-Matrix origin="{name}",key="ed25519:peer",sig="',
    'X-Matrix origin="{name}",key="rsa:peer",sig="AAAA"', 'X-Matrix origin="{name}",key="ed25519:peer",sig="not base64!"',
    'X-Matrix origin="{name}",key="ed25519:peer",sig="AAAA"', 'X-Matrix origin="{name}",key="ed25519:\\"",sig="AAAA"',
    "X-Matrix " + "a=b," * 2_000,
])
def test_garbled_authorization(ask, peer, header):
    refused(ask(authorization=header.replace("{name}", peer.name)), 400, 401, 431)


def test_another_destination(ask):
    # What was signed for somebody else, sent on to us as it is.
    refused(ask(destination="elsewhere.example"))
    # The header names us, the signature somebody else.
    refused(ask(destination="elsewhere.example", claimed_destination=None))


def test_the_header_names_another_destination(ask):
    refused(ask(claimed_destination="elsewhere.example"))


def test_forged_origin(ask, target):
    refused(ask(origin=target.server_name))
    refused(ask(origin="127.0.0.1:1"))  # whose keys cannot be had


def test_a_signature_for_another_request(peer, target, alice):
    other = header_of(peer, target, "GET", PROFILE + "?user_id=somebody")
    refused(peer.request(target, "GET", PROFILE, params={"user_id": alice.user}, authorization=other))
    other = header_of(peer, target, "POST", PROFILE + f"?user_id={escaped(alice.user)}")
    refused(peer.request(target, "GET", PROFILE + f"?user_id={escaped(alice.user)}", authorization=other))


def header_of(peer, target, method, where, text=None):
    return peer.authorization(method, where, text, peer.name, target.server_name, "", peer.key)


def test_a_body_that_was_not_signed(peer, target, alice):
    where = FEDERATION + "/v1/user/keys/query"
    signed = '{"device_keys":{}}'
    authorization = header_of(peer, target, "POST", where, signed)
    assert peer.request(target, "POST", where, text=signed, authorization=authorization).status_code == 200
    other = {"device_keys": {alice.user: []}}
    refused(peer.request(target, "POST", where, body=other, authorization=authorization))


def test_a_key_that_was_not_published(ask):
    refused(ask(key=SigningKey("ed25519:other")))
    refused(ask(key=SigningKey()))  # the name of the published one


LIES = {
    "another server's document": lambda peer: peer.key_document(server_name="elsewhere.example"),
    "no signature": lambda peer: {**peer.key_document(), "signatures": {}},
    "signed with another key": lambda peer: SigningKey().signed({**peer.key_document(), "signatures": {}}, peer.name),
    "signed by another server": lambda peer: peer.key.signed({**peer.key_document(), "signatures": {}}, "elsewhere.example"),
    "long expired": lambda peer: peer.key_document(valid_until_ts=now() - 86_400_000),
    "no keys": lambda peer: peer.key_document(verify_keys={}),
    "only old keys": lambda peer: peer.key_document(
        verify_keys={}, old_verify_keys={peer.key.name: {"key": peer.key.public, "expired_ts": now() - 1000}}
    ),
    "a short key": lambda peer: peer.key_document(verify_keys={peer.key.name: {"key": "AAAA"}}),
    "keys of another type": lambda peer: peer.key_document(verify_keys=[peer.key.public]),
    "a validity that is no number": lambda peer: peer.key_document(valid_until_ts="tomorrow"),
    "a list": lambda peer: [peer.key_document()],
    "many keys": lambda peer: peer.key_document(
        verify_keys={f"ed25519:k{number}": {"key": peer.key.public} for number in range(100_000)}
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_key_server(ask, peer, target, lie):
    if target.kind == "synapse" and lie == "a validity that is no number":
        pytest.skip("Synapse answers 500")
    document = LIES[lie](peer)
    peer.answers["keys"] = lambda asked: (200, document)
    refused(ask())


@pytest.mark.parametrize("answer", [
    (500, {"errcode": "M_UNKNOWN", "error": "no"}),
    (200, b"{"), (200, b""), (200, b"[" * 100_000), (200, b'"' + b"x" * (20 << 20) + b'"'),
    (302, b"", {"Location": "http://127.0.0.1:1/"}),
], ids=["an error", "half", "nothing", "deep", "huge", "elsewhere"])
def test_key_server_that_gives_no_keys(ask, peer, answer):
    peer.answers["keys"] = lambda asked: answer if len(answer) == 3 else (*answer, {"Content-Type": "application/json"})
    refused(ask())


def test_keys_are_not_asked_for_again_and_again(ask, peer):
    peer.answers["keys"] = lambda asked: (500, {"errcode": "M_UNKNOWN", "error": "no"})
    for _ in range(30):
        refused(ask())
    # Whoever can make us ask could have us attack somebody else.
    assert len([asked for asked in peer.asked if asked.name == "keys"]) <= 60


def test_key_server_that_never_answers(ask, peer, alice):
    def silent(asked):
        peer.ended.wait(60)
        return 500, {}

    peer.answers["keys"] = silent
    try:
        ask(timeout=3)
    except Exception as error:  # it may make us wait, but nobody else
        assert "timed out" in str(error)
    assert alice.get("account", "whoami")["user_id"] == alice.user


READING = {
    "state": ("GET", "/v1/state/{room}", {"event_id": "{event}"}, None),
    "state_ids": ("GET", "/v1/state_ids/{room}", {"event_id": "{event}"}, None),
    "event": ("GET", "/v1/event/{event}", None, None),
    "event_auth": ("GET", "/v1/event_auth/{room}/{event}", None, None),
    "backfill": ("GET", "/v1/backfill/{room}", {"v": "{event}", "limit": "10"}, None),
    "timestamp_to_event": ("GET", "/v1/timestamp_to_event/{room}", {"ts": "0", "dir": "f"}, None),
    "make_join": ("GET", "/v1/make_join/{room}/{mallory}", {"ver": "11"}, None),
    "make_leave": ("GET", "/v1/make_leave/{room}/{mallory}", None, None),
    "make_knock": ("GET", "/v1/make_knock/{room}/{mallory}", {"ver": "11"}, None),
    "missing_events": ("POST", "/v1/get_missing_events/{room}", None, {"latest_events": ["{event}"], "earliest_events": []}),
    "hierarchy": ("GET", "/v1/hierarchy/{room}", None, None),
}


@pytest.mark.parametrize("what", READING)
def test_outsiders_read_nothing(peer, target, alice, mallory, what):
    room = alice.create_room(preset="private_chat", room_version="11", name="Cabinet secret")
    event = alice.say(room, "A secret")
    names = {"room": room, "event": event, "mallory": mallory}
    method, where, params, body = READING[what]
    filled = {key: value.format(**names) for key, value in (params or {}).items()}
    if body:
        body = {key: [value.format(**names) for value in values] for key, values in body.items()}
    where = FEDERATION + where.format(**{name: escaped(value) for name, value in names.items()})
    response = peer.request(target, method, where, params=filled or None, body=body)
    assert response.status_code in (403, 404), response.text
    assert response.json()["errcode"] in ("M_FORBIDDEN", "M_NOT_FOUND") or target.kind == "synapse"
    assert "secret" not in response.text


def test_invisible_history_is_redacted_or_refused(peer, target, alice, mallory):
    room = alice.create_room(
        preset="public_chat", room_version="11",
        initial_state=[{"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}],
    )
    event = alice.say(room, "A secret from before")
    known = peer.join(target, room, mallory, "11")
    response = peer.request(target, "GET", FEDERATION + f"/v1/backfill/{escaped(room)}", params={"v": known.tips[0], "limit": "50"})
    assert "A secret from before" not in response.text
    response = peer.request(target, "GET", FEDERATION + f"/v1/event/{escaped(event)}")
    assert "A secret from before" not in response.text


def test_unknown_endpoints_and_methods(peer, target):
    for method, where, status in (("GET", "/v1/no_such_thing", 404), ("DELETE", "/v1/version", 405), ("PATCH", "/v1/send/1", 405)):
        response = peer.request(target, method, FEDERATION + where)
        assert response.status_code == status, f"{method} {where}: {response.status_code}"
        assert response.json()["errcode"] == "M_UNRECOGNIZED"


def test_honest_answers_have_the_specified_shape(peer, target, alice, known, mallory):
    """No attack: what the peer may ask, and what it is answered, by the schemas of the specification."""
    room, tip = escaped(known.room_id), known.tips[0]
    event = alice.say(known.room_id, "Something to be fetched")
    asked = {"event_id": event}
    state = peer.ask(target, "GET", f"/v1/state/{room}", params=asked)
    ids = peer.ask(target, "GET", f"/v1/state_ids/{room}", params=asked)
    assert {known.id_of(found) for found in state["pdus"]} == set(ids["pdu_ids"])
    assert set(ids["pdu_ids"]) == set(known.state.values())
    found, = peer.ask(target, "GET", f"/v1/event/{escaped(event)}")["pdus"]
    assert known.id_of(found) == event and set(found["signatures"]) == {target.server_name}
    chain = peer.ask(target, "GET", f"/v1/event_auth/{room}/{escaped(event)}")["auth_chain"]
    assert {known.id_of(found) for found in chain} >= {known.state["m.room.create", ""], known.state["m.room.power_levels", ""]}
    filled = peer.ask(target, "GET", f"/v1/backfill/{room}", params={"v": tip, "limit": "100"})["pdus"]
    assert {known.id_of(found) for found in filled} == set(known.events) - {event}, "from the tip back to the beginning"
    limited = peer.ask(target, "GET", f"/v1/backfill/{room}", params={"v": tip, "limit": "2"})["pdus"]
    assert 1 <= len(limited) <= 2
    missing = peer.ask(
        target, "POST", f"/v1/get_missing_events/{room}",
        body={"latest_events": [event], "earliest_events": [known.state["m.room.create", ""]], "limit": 3, "min_depth": 0},
    )["events"]
    assert tip in {known.id_of(found) for found in missing} and len(missing) <= 3
    peer.ask(target, "GET", "/v1/query/profile", params={"user_id": alice.user})
    peer.ask(target, "GET", f"/v1/user/devices/{escaped(alice.user)}")
    peer.ask(target, "POST", "/v1/user/keys/query", body={"device_keys": {alice.user: []}})
    peer.ask(target, "POST", "/v1/user/keys/claim", body={"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}})
    peer.ask(target, "GET", "/v1/publicRooms", params={"limit": "1"})
    peer.ask(target, "GET", f"/v1/hierarchy/{room}")
    peer.ask(target, "GET", "/v1/version")
    made = peer.ask(target, "GET", f"/v1/make_leave/{room}/{escaped(mallory)}")
    leave = known.finished({**made["event"], "content": {"membership": "leave"}})
    peer.ask(target, "PUT", f"/v2/send_leave/{room}/{escaped(known.id_of(leave))}", body=leave)
    assert alice.state(known.room_id, "m.room.member", mallory)["membership"] == "leave"


def test_keys_are_published_and_vouched_for(ask, peer, target):
    """A server's own key document, and what it says of another's as a notary."""
    assert ask().status_code == 200
    for where in ("/_matrix/key/v2/server", f"/_matrix/key/v2/query/{peer.name}"):
        document = peer.http.get(f"https://{target.server_name}{where}").json()
        document = document["server_keys"][0] if "server_keys" in document else document
        assert target.server_name in document["signatures"]
        assert document["valid_until_ts"] > now()
    assert document["server_name"] == peer.name and peer.name in document["signatures"]
    body = {"server_keys": {peer.name: {}, target.server_name: {}}}
    answer = peer.http.post(f"https://{target.server_name}/_matrix/key/v2/query", json=body).json()
    assert peer.name in {document["server_name"] for document in answer["server_keys"]}
