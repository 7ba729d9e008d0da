"""Lies about what users look up on another server: profiles, aliases, rooms, files."""

import json

import pytest
from harness.clients import V1, path
from harness.lies import NONSENSE, PATIENCE_SECONDS, statuses
from harness.peer import NOT_FOUND

LOOKUPS = {
    "profile": (lambda user, name: path("profile", user), None),
    "directory": (lambda user, name: path("directory", "room", f"#alias:{name}"), None),
    "public_rooms": (lambda user, name: path("publicRooms"), "server"),
    "media": (lambda user, name: path("media", "download", name, "abc", base=V1), None),
}


@pytest.mark.parametrize("what", LOOKUPS)
@pytest.mark.parametrize("lie", [*NONSENSE, "numbers"])
def test_lookups(peer, target, alice, mallory, what, lie):
    peer.answers[what] = NONSENSE.get(lie) or (lambda asked: (200, {
        "displayname": 1, "avatar_url": [], "room_id": 5, "servers": "x", "chunk": [1, {"room_id": 1}],
        "total_room_count_estimate": "x",
    }))
    where, parameter = LOOKUPS[what][0](mallory, peer.name), LOOKUPS[what][1]
    response = alice.request(
        "GET", where, params={parameter: peer.name} if parameter else None, timeout=PATIENCE_SECONDS,
        expect=statuses(target, 200, 400, 403, 404, 413, 502, 504),
        # What is given to a client has the shape that the specification wants, or is not given.
        schema=target.kind == "chappe",
    )
    if what == "media":
        assert response.status_code != 200 or target.kind == "synapse"
    assert len(response.content) < 1 << 20 or target.kind == "synapse"


def test_media_that_are_no_files(peer, target, alice):
    def answer(parts: bytes, boundary: str = "x"):
        return lambda asked: (200, parts, {"Content-Type": f"multipart/mixed; boundary={boundary}"})

    # A file elsewhere: on our own network, at a port where nobody may send us.
    metadata = b"--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n"
    for number, body in enumerate([
        b"", b"--x--\r\n", metadata + b"Location: http://127.0.0.1:1/secret\r\n\r\n\r\n--x--\r\n",
        metadata + b"Location: file:///etc/passwd\r\n\r\n\r\n--x--\r\n", metadata, b"\r\n" * 100_000, metadata + b"A: b\r\n" * 100_000,
    ]):
        peer.answers["media"] = answer(body)
        response = alice.request(
            "GET", path("media", "download", peer.name, f"m{number}", base=V1), timeout=PATIENCE_SECONDS, schema=False,
            expect=statuses(target, 400, 404, 502, 504),
        )
        assert b"root:" not in response.content


def test_a_page_among_the_media(peer, target, alice):
    """A peer's file is never shown as a page of our own."""
    page = b"<script>alert(1)</script>"
    body = (
        b"--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\nContent-Type: text/html\r\n"
        b'Content-Disposition: inline; filename="a\\"b.html"\r\n\r\n' + page + b"\r\n--x--\r\n"
    )
    peer.answers["media"] = lambda asked: (200, body, {"Content-Type": "multipart/mixed; boundary=x"})
    response = alice.request("GET", path("media", "download", peer.name, "page", base=V1), timeout=PATIENCE_SECONDS)
    assert response.content == page
    assert "attachment" in response.headers["content-disposition"]
    assert "sandbox" in response.headers["content-security-policy"]


def test_a_room_list_of_another_server_has_only_what_it_may(peer, target, alice):
    listed = {"num_joined_members": 1, "world_readable": True, "guest_can_join": False}
    rooms = [{"room_id": f"!r{number}:{peer.name}", **listed} for number in range(20)]
    peer.answers["public_rooms"] = lambda asked: (200, {"chunk": rooms, "next_batch": "n", "total_room_count_estimate": 20})
    found = alice.get("publicRooms", params={"server": peer.name})
    assert json.dumps(found["chunk"]).count(peer.name) == 20


def test_an_alias_that_leads_nowhere(peer, target, alice):
    servers = [peer.name] * 1_000 + ["?", "", 5]
    peer.answers["directory"] = lambda asked: (200, {"room_id": f"!room:{peer.name}", "servers": servers})
    peer.answers["make_join"] = lambda asked: NOT_FOUND
    response = alice.request(
        "POST", path("join", f"#alias:{peer.name}"), json={}, expect=statuses(target, 400, 403, 404, 502), timeout=PATIENCE_SECONDS,
        schema=False,
    )
    assert response.json()["errcode"]
    assert len(peer.asked) < 50, "the same server was asked again and again"
