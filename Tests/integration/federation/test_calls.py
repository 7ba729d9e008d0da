"""Calls between users of two servers: a member of one joins the other's call on its LiveKit, and can begin none there."""

import hashlib
import json
from base64 import b64encode

import pytest
from harness import conferences
from harness.clients import Client, path
from harness.waiting import eventually
from livekit import api
from livekit.api.access_token import Claims

MEMBER = "org.matrix.msc3401.call.member"
SLOT = "m.call#ROOM"


def digest(*texts: str) -> str:
    text = json.dumps(texts, separators=(",", ":"), ensure_ascii=False)
    return b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def request(client: Client, room: str, **more) -> dict:
    token = client.request("POST", path("user", client.user, "openid", "request_token"), json={}).json()
    member = {"id": "m1", "claimed_user_id": client.user, "claimed_device_id": client.device}
    return {"room_id": room, "slot_id": SLOT, "openid_token": token, "member": member, **more}


def ask(server, body: dict, expect: int = 200, where: str = "/livekit/jwt/get_token") -> dict:
    return Client(server).request("POST", where, json=body, token=None, schema=False, expect=expect).json()


def claims(answer: dict) -> Claims:
    return api.TokenVerifier(conferences.KEY, conferences.SECRET).verify(answer["jwt"])


def key(client: Client) -> str:
    return f"_{client.user}_{client.device}"


def test_a_member_of_one_joins_the_others_call(pair, alice, bob, dave, room, outside):
    if all(server.kind != "chappe" for server in pair.both):
        pytest.skip("neither has a LiveKit of its own")
    # Whose call it is: the first Chappe's. The other's user is a guest there.
    own, other = (alice, bob) if pair.here.kind == "chappe" else (bob, alice)
    levels = alice.state(room, "m.room.power_levels")
    alice.set_state(room, "m.room.power_levels", {**levels, "events": {**levels.get("events", {}), MEMBER: 0}})
    alias = digest(room, SLOT)

    # Nobody of another server begins it: the token lets in where nothing is.
    asked = outside.times("/CreateRoom")
    early = claims(ask(own.server, eventually_member(other, own, room)))
    assert early.video.room == alias and early.video.room_join and not early.video.room_create
    assert outside.times("/CreateRoom") == asked and alias not in outside.forwarded

    told = claims(ask(own.server, request(own, room)))
    assert told.identity == digest(own.user, own.device, "m1") and told.video.room == alias and alias in outside.forwarded
    service = f"{own.server.url}/livekit/jwt"
    eventually(lambda: own.state(room, "m.room.power_levels")["events"].get(MEMBER) == 0)
    membership = {
        "application": "m.call", "call_id": "", "scope": "m.room", "device_id": own.device, "expires": 14_400_000,
        "focus_active": {"type": "livekit", "focus_selection": "oldest_membership"},
        "foci_preferred": [{"type": "livekit", "livekit_service_url": service, "livekit_alias": room}],
    }
    where = path("rooms", room, "state", MEMBER, key(own))
    leave = own.request("PUT", where, json={}, params={"org.matrix.msc4140.delay": 60_000}, schema=False).json()["delay_id"]
    ask(own.server, request(own, room, delay_id=leave, delay_timeout=60_000))
    own.set_state(room, MEMBER, membership, key(own))
    found = eventually(lambda: other.state(room, MEMBER, key(own)), what="the other server's user sees the call")
    assert found["foci_preferred"][0]["livekit_service_url"] == service

    # Into which the other's user comes, by both ways of asking, with the restricted grant alone.
    asked = outside.times("/CreateRoom")
    told = claims(ask(own.server, request(other, room)))
    assert told.identity == digest(other.user, other.device, "m1") and told.video.room == alias
    assert told.video.room_join and told.video.can_subscribe and not told.video.room_create and not told.video.room_admin
    legacy = {"room": room, "openid_token": request(other, room)["openid_token"], "device_id": other.device}
    assert claims(ask(own.server, legacy, where="/sfu/get")).identity == f"{other.user}:{other.device}"
    assert outside.times("/CreateRoom") == asked
    other.set_state(room, MEMBER, {**membership, "device_id": other.device}, key(other))
    eventually(lambda: own.state(room, MEMBER, key(other)), what="and is seen there")

    # Whoever is not in the room, says that they are somebody else, or leaves something to this server that is not its user's, is refused.
    stranger = dave if other is bob else None
    if stranger is not None:
        assert ask(own.server, request(stranger, room), expect=401)["errcode"] == "M_UNAUTHORIZED"
    body = request(other, room)
    for wrong in (
        {**body, "member": {**body["member"], "claimed_user_id": own.user}},
        {**body, "openid_token": {**body["openid_token"], "access_token": "nonsense"}},
        {**body, "openid_token": {**body["openid_token"], "matrix_server_name": own.server.server_name}},
    ):
        assert ask(own.server, wrong, expect=401)["errcode"] == "M_UNAUTHORIZED"
    assert ask(own.server, request(other, room, delay_id="x", delay_timeout=1), expect=400)["errcode"] == "M_BAD_JSON"

    # And who crashes is seen to go, everywhere.
    report = {"event": "participant_left", "room": {"name": alias}, "participant": {"identity": digest(own.user, own.device, "m1")}}
    content, headers = conferences.signed(report)
    Client(own.server).request("POST", "/livekit/jwt/sfu_webhook", content=content, headers=headers, token=None, schema=False)
    eventually(lambda: other.state(room, MEMBER, key(own)) == {}, what="the other server's user sees that they are gone")


def eventually_member(client: Client, of: Client, room: str) -> dict:
    """A request of somebody whom the other server knows to be in the room."""
    eventually(lambda: of.state(room, "m.room.member", client.user)["membership"] == "join")
    return request(client, room)
