"""Too much, too deep, too slow: what is meant to exhaust a server."""

import socket
import ssl
import time

import httpx
import pytest
from harness.clients import escaped
from harness.peer import FEDERATION, now
from harness.rooms import arrives, bodies
from harness.servers import memory_bytes

SEND = FEDERATION + "/v1/send/limits"

_transactions = iter(range(1_000_000))


def where():
    return f"{SEND}{next(_transactions)}"


def test_too_many_in_a_transaction(peer, target, known, mallory):
    events = [known.message(f"number {number}", mallory) for number in range(51)]
    response = peer.request(target, "PUT", where(), body=peer.transaction(events))
    assert response.status_code == 400, response.text
    edus = [{"edu_type": "m.typing", "content": {"room_id": known.room_id, "user_id": mallory, "typing": True}}] * 101
    response = peer.request(target, "PUT", where(), body=peer.transaction((), edus))
    assert response.status_code == 400, response.text


def test_as_many_as_are_allowed(peer, target, known, mallory, alice):
    events = []
    for number in range(50):
        events.append(known.message(f"number {number}", mallory))
        known.add(events[-1])
    peer.send(target, events)
    arrives(alice, known.room_id, known.id_of(events[-1]))
    assert bodies(alice, known.room_id) == [f"number {number}" for number in range(50)]


def test_one_transaction_twice(peer, target, known, mallory, alice):
    event = known.message("once", mallory)
    body, path = peer.transaction([event]), where()
    for _ in range(2):
        assert peer.request(target, "PUT", path, body=body).status_code == 200
    assert peer.request(target, "PUT", where(), body=body).status_code == 200  # and under another name
    arrives(alice, known.room_id, known.id_of(event))
    assert [seen["content"].get("body") for seen in alice.all_messages(known.room_id)].count("once") == 1


@pytest.mark.parametrize("text", [
    '{"pdus":' + "[" * 100_000 + "]" * 100_000 + "}",
    '{"a":' * 50_000 + "1" + "}" * 50_000,
    "{", "", "[]", "null", '"text"', '{"pdus":1,"edus":[]}', '{"pdus":[1,null,"x",[]],"edus":[1,null,"x",[]]}', "{}",
    '{"pdus":[],"edus":[],"origin_server_ts":' + "9" * 5_000 + "}",
    '{"edus":[],"pdus":[{"type":"' + "\\u0000" * 1000 + '"}]}', '{"a":"\\ud800","pdus":[]}',
], ids=[
    "deep list", "deep object", "half", "nothing", "list", "null", "text", "number of events", "no events", "empty", "long number",
    "nul", "surrogate",
])
def test_strange_bodies(peer, target, text):
    response = peer.request(target, "PUT", where(), text=text)
    assert response.status_code < 500 or target.kind == "synapse", response.text
    if response.status_code != 200:
        assert 400 <= response.status_code
        assert target.kind == "synapse" or response.json()["errcode"].startswith("M_")


def test_bytes_that_are_no_text(peer, target):
    request = peer.http.build_request("PUT", f"https://{target.server_name}{where()}", content=b'{"pdus":["\xff\xfe"]}')
    request.headers["Authorization"] = peer.authorization(
        "PUT", request.url.raw_path.decode(), None, peer.name, target.server_name, "", peer.key
    )
    assert peer.http.send(request).status_code in (400, 401)


def test_a_body_without_end(peer, target):
    """A hundred megabytes, unsigned: they must be refused as they come, and not kept."""
    before, sent, highest = memory_bytes(target.process), 0, 0

    def chunks():
        nonlocal sent, highest
        yield b'{"pdus":["'
        while sent < 100 << 20:
            sent += 1 << 16
            yield b"x" * (1 << 16)
            if sent % (8 << 20) == 0:
                highest = max(highest, memory_bytes(target.process))

    try:
        response = peer.http.put(f"https://{target.server_name}{where()}", content=chunks(), headers={"Authorization": "X-Matrix"})
        assert response.status_code in (400, 401, 413), response.text
    except httpx.TransportError:
        pass  # hung up on
    assert max(highest, memory_bytes(target.process)) - before < 200 << 20


def handshake(authority, target, timeout: float = 20) -> ssl.SSLSocket:
    host = target.server_name.rsplit(":", 1)[0]
    plain = socket.create_connection(("127.0.0.1", target.federation_port), timeout=timeout)
    return authority.client_context.wrap_socket(plain, server_hostname=host)


def test_slow_loris(authority, peer, target, alice, known, mallory):
    """Transactions that come a byte at a time, on a hundred connections, hold up nobody."""
    head = f"PUT {where()} HTTP/1.1\r\nHost: {target.server_name}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n"
    connections = []
    try:
        for number in range(100):
            connection = handshake(authority, target)
            connections.append(connection)
            # Half of them stop within the head, half within the body.
            connection.sendall(head.encode() if number % 2 else head.encode() + b'\r\n{"pdus":[')
        slowest = 0.0
        for number in range(10):
            for connection in connections:
                try:
                    connection.sendall(b" " if number % 2 else b"x")
                except OSError:
                    pass  # hung up on, as is its right
            begun = time.monotonic()
            event = known.message(f"through the crowd {number}", mallory)
            known.add(event)
            peer.send(target, [event])
            arrives(alice, known.room_id, known.id_of(event))
            alice.say(known.room_id, "and here")
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 10
    finally:
        for connection in connections:
            connection.close()


def test_connections_that_say_nothing_or_nonsense(authority, peer, target, alice):
    connections = []
    try:
        for number in range(150):
            plain = socket.create_connection(("127.0.0.1", target.federation_port), timeout=20)
            connections.append(plain)
            if number % 3 == 1:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # no TLS
            if number % 3 == 2:
                plain.sendall(bytes([22, 3, 1, 255, 255]) + b"\0" * 100)  # half a greeting
        assert peer.request(target, "GET", FEDERATION + "/v1/version").status_code == 200
        response = peer.request(target, "GET", FEDERATION + "/v1/query/profile", params={"user_id": alice.user})
        assert response.status_code == 200
    finally:
        for connection in connections:
            connection.close()


def test_heads_without_end(authority, target):
    for line in (b"A: " + b"b" * 1000 + b"\r\n", b"X" * 1000):
        with handshake(authority, target, timeout=5) as connection:
            connection.sendall(b"GET " + FEDERATION.encode() + b"/v1/version HTTP/1.1\r\nHost: x\r\n")
            answer = b""
            try:
                for _ in range(4_000):
                    connection.sendall(line)
                connection.sendall(b"\r\n\r\n")
                answer = connection.recv(100)
            except OSError:
                pass  # hung up on
            assert not answer.startswith(b"HTTP/1.1 200")


def test_long_paths(peer, target):
    response = peer.request(target, "GET", FEDERATION + "/v1/event/" + escaped("$" + "a" * 6_000))
    assert 400 <= response.status_code < 500
    strange = "/v1/make_join/" + "%00" * 100 + "/" + "%ff" * 100
    response = peer.request(target, "GET", FEDERATION + strange, params={"ver": "x" * 500})
    assert 400 <= response.status_code < 500


def test_many_rooms_that_nobody_knows(peer, target, known, mallory, alice):
    strangers = [
        {**known.message("?", mallory), "room_id": f"!room{number}:{peer.name}", "origin_server_ts": now()} for number in range(50)
    ]
    for _ in range(10):
        peer.send(target, strangers)
    event = known.message("still here", mallory)
    peer.send(target, [event])
    arrives(alice, known.room_id, known.id_of(event))
