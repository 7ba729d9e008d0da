"""Who is let into calls on LiveKit, by tokens that LiveKit's own library reads; and who leaves them, also if their client never says so."""

import hashlib
import json
from base64 import b64encode

import pytest
from harness import conferences
from harness.clients import Client, path, register
from harness.waiting import eventually
from livekit import api
from livekit.api.access_token import Claims

pytestmark = pytest.mark.only_chappe(reason="elsewhere it is a service of its own")

MSC4140 = "/_matrix/client/unstable/org.matrix.msc4140"
MEMBER = "org.matrix.msc3401.call.member"
SLOT = "m.call#ROOM"


def digest(*texts: str) -> str:
    text = json.dumps(texts, separators=(",", ":"), ensure_ascii=False)
    return b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture(scope="module")
def outside():
    with conferences.running() as both:
        yield both


@pytest.fixture(scope="module")
def server(make_server, engine, outside):
    server = make_server(engine, settings=conferences.settings(outside)).start()
    yield server
    server.finish()


def open_id(client: Client) -> dict:
    return client.request("POST", path("user", client.user, "openid", "request_token"), json={}).json()


def ask(client: Client, where: str, body: dict, expect=200) -> dict:
    return client.request("POST", where, json=body, token=None, schema=False, expect=expect).json()


def request(client: Client, room: str, **more) -> dict:
    member = {"id": "m1", "claimed_user_id": client.user, "claimed_device_id": client.device}
    return {"room_id": room, "slot_id": SLOT, "openid_token": open_id(client), "member": member, **more}


def claims(answer: dict) -> Claims:
    return api.TokenVerifier(conferences.KEY, conferences.SECRET).verify(answer["jwt"])


def delayed_leave(client: Client, room: str, milliseconds: int) -> str:
    where = path("rooms", room, "state", MEMBER, f"_{client.user}_{client.device}")
    return client.request("PUT", where, json={}, params={"org.matrix.msc4140.delay": milliseconds}, schema=False).json()["delay_id"]


def joined(client: Client, room: str) -> None:
    client.set_state(room, MEMBER, {"application": "m.call"}, f"_{client.user}_{client.device}")


def is_member(client: Client, room: str, of: Client) -> bool:
    return client.state(room, MEMBER, f"_{of.user}_{of.device}") != {}


def test_members_are_let_in(server, users, outside):
    alice, bob = users("alice", "bob")
    room = alice.create_room()
    answer = ask(alice, "/get_token", request(alice, room))
    assert answer["url"] == outside.url.replace("http", "ws")
    told = claims(answer)
    assert told.identity == digest(alice.user, alice.device, "m1") and told.video.room == digest(room, SLOT)
    assert told.video.room_join and told.video.can_publish and told.video.can_subscribe and not told.video.room_create
    assert digest(room, SLOT) in outside.forwarded
    # The same below the address that clients are told of, in the form of before, and as the proposal has it now.
    where, = alice.request("GET", "/_matrix/client/v1/rtc/transports", schema=False).json()["rtc_transports"]
    assert where == {"type": "livekit", "livekit_service_url": f"{server.url}/livekit/jwt"}
    legacy = {"room": room, "openid_token": open_id(alice), "device_id": alice.device}
    told = claims(ask(alice, "/livekit/jwt/sfu/get", legacy))
    assert told.identity == f"{alice.user}:{alice.device}" and told.video.room == digest(room, SLOT)
    own = {"room_id": room, "slot_id": SLOT, "member": {"id": "m1", "claimed_device_id": alice.device}}
    mine = "/_matrix/client/v1/rtc/livekit/get_token"
    assert claims(alice.request("POST", mine, json=own, schema=False).json()).identity == digest(alice.user, alice.device, "m1")
    assert alice.request("POST", mine, json=own, schema=False, token=None, expect=401).json()["errcode"] == "M_MISSING_TOKEN"
    bob.request("POST", mine, json=own, schema=False, expect=401)
    # Who is not in the room, is somebody else, or shows what is no token.
    made = len(outside.forwarded)
    refused = [
        request(bob, room), request(alice, "!nothing:elsewhere.test"),
        {**request(alice, room), "member": {"id": "m1", "claimed_user_id": bob.user, "claimed_device_id": "D"}},
        {**request(alice, room), "openid_token": {**open_id(alice), "access_token": "nonsense"}},
        {**request(alice, room), "openid_token": {**open_id(alice), "matrix_server_name": "elsewhere.test"}},
    ]
    for body in refused:
        assert ask(alice, "/get_token", body, expect=401)["errcode"] == "M_UNAUTHORIZED"
    for missing in ("room_id", "slot_id", "openid_token", "member"):
        body = request(alice, room)
        del body[missing]
        assert ask(alice, "/get_token", body, expect=400)["errcode"] == "M_BAD_JSON"
    assert ask(alice, "/get_token", request(alice, room, delay_id="x"), expect=400)["errcode"] == "M_BAD_JSON"
    assert ask(alice, "/get_token", request(alice, room, delay_id="x", delay_timeout=1), expect=404)["errcode"] == "M_NOT_FOUND"
    assert len(outside.forwarded) == made


@pytest.mark.parametrize(("failure", "status", "reason"), [
    ("silence", 504, "timeout"), (401, 502, "unauthorized"), (403, 403, "forbidden"), (429, 429, "rate_limited"),
    (500, 502, "unavailable"), ("nonsense", 502, "malformed"), ({"name": "other"}, 502, "malformed"),
])
def test_what_is_wrong_with_livekit_is_told(alice, outside, failure, status, reason):
    room = alice.create_room()
    outside.failures["/CreateRoom"] = [failure]
    told = ask(alice, "/get_token", request(alice, room), expect=status)
    assert told["fr.gouv.chappe.conference_error"] == reason and "jwt" not in told
    assert told.get("retry_after_ms") == (7_000 if status == 429 else None)
    assert claims(ask(alice, "/get_token", request(alice, room))).video.room in outside.forwarded


def hear(server, report: dict, expect: int = 200, **options) -> None:
    body, headers = conferences.signed(report, **options)
    Client(server).request("POST", "/sfu_webhook", content=body, headers=headers, token=None, schema=False, expect=expect)


def test_who_is_gone_leaves_and_who_is_there_stays(server, users, outside):
    alice, bob = users("alice", "bob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alias, identity = digest(room, SLOT), digest(bob.user, bob.device, "m1")
    report = {"room": {"name": alias}, "participant": {"identity": identity}}
    joined(bob, room)
    leave = delayed_leave(bob, room, 1_000)
    ask(bob, "/get_token", request(bob, room, delay_id=leave, delay_timeout=1_000))
    outside.forwarded[alias].add(identity)
    hear(server, {**report, "event": "participant_joined"})
    asked = outside.times("/GetParticipant")
    # The client never says anything again, for much longer than its delay.
    eventually(lambda: outside.times("/GetParticipant") >= asked + 3, what="LiveKit is asked again and again")
    assert is_member(alice, room, bob)
    # Nobody else says so: not without the key, not with what was said of something else.
    hear(server, {**report, "event": "participant_left"}, expect=401, secret="another secret, which is as long as secrets are")
    hear(server, {**report, "event": "participant_left"}, expect=401, key="another")
    body, headers = conferences.signed({**report, "event": "participant_left"})
    Client(server).request("POST", "/sfu_webhook", content=body + b" ", headers=headers, token=None, schema=False, expect=401)
    assert is_member(alice, room, bob)
    outside.forwarded[alias].clear()
    hear(server, {**report, "event": "participant_left"})
    assert not is_member(alice, room, bob)
    # What is said afterwards, or again, changes nothing; nobody can leave what is not theirs.
    hear(server, {**report, "event": "participant_left"})
    joined(alice, room)
    leave = delayed_leave(alice, room, 60_000)
    assert ask(bob, "/delegate_delayed_leave", request(bob, room, delay_id=leave, delay_timeout=1), expect=404)["errcode"] == "M_NOT_FOUND"
    ask(alice, "/delegate_delayed_leave", request(alice, room, delay_id=leave, delay_timeout=60_000))
    left = {"event": "participant_left", "room": {"name": alias}, "participant": {"identity": digest(alice.user, alice.device, "m1")}}
    hear(server, left)
    assert not is_member(alice, room, alice)


def test_no_ghosts_after_a_restart(server, users, outside):
    """Four crashed clients, and one that is there: the server is killed while their delays run."""
    alice, gone, there, alone, never = users("alice", "gone", "there", "alone", "never")
    room = alice.create_room(preset="public_chat")
    alias = digest(room, SLOT)
    everybody = (gone, there, alone, never)
    for client in everybody:
        client.join(room)
        joined(client, room)
    for client in (gone, there, never):
        leave = delayed_leave(client, room, 1_200)
        ask(client, "/get_token", request(client, room, delay_id=leave, delay_timeout=1_200))
    delayed_leave(alone, room, 1_200)
    for client in (gone, there):
        identity = digest(client.user, client.device, "m1")
        outside.forwarded[alias].add(identity)
        hear(server, {"event": "participant_joined", "room": {"name": alias}, "participant": {"identity": identity}})
    server.kill()
    # It says so, and nobody hears it.
    outside.forwarded[alias].discard(digest(gone.user, gone.device, "m1"))
    server.start()
    for client in (gone, alone, never):
        eventually(lambda client=client: not is_member(alice, room, client), what=client.user)
    asked = outside.times("/GetParticipant")
    eventually(lambda: outside.times("/GetParticipant") >= asked + 3)
    assert is_member(alice, room, there)
    # And a LiveKit that does not answer keeps nobody in.
    outside.failures["/GetParticipant"] = [500] * 50
    eventually(lambda: not is_member(alice, room, there), what="who cannot be asked about")
    outside.failures.clear()
