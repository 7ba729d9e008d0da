"""Bad input gets a Matrix error with the right code and status: never a crash, a hang or a 500."""

import http.client
import itertools
import json
import random
import socket

import pytest
from harness.clients import V3, path, register
from harness.endpoints import ENDPOINTS, Endpoint, filled, places, replaced

_transactions = itertools.count(1)

#: No answer may take longer.
SECONDS = 60

#: Bodies that are not JSON at all. (Lone surrogates and the like depend on the parser's strictness: see below.)
NOT_JSON = {
    "cut short": b'{"a": ',
    "words": b"hello",
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "two values": b'{"a": 1} {"b": 2}',
    "comment": b'{"a": 1 /* one */}',
    "invalid UTF-8": b'{"a": "\xff\xfe"}',
    "control character": b'{"a": "\x01"}',
}

#: JSON, and not what these endpoints take.
NOT_AN_OBJECT = {"list": b"[]", "number": b"1", "string": b'"text"', "null": b"null", "true": b"true"}

#: Put in place of every part of a right body.
WRONG = [None, True, -1, 2**53, 1.5, "", "text", "\0", "é" * 300, [], [1], ["", {}], {}, {"a": {"b": []}}, "@nobody", "!x:" + "y" * 300]


@pytest.fixture(scope="module")
def ground(server):
    """A user with a room, an event and all that the endpoints' paths name. Some tests may log them out: so one a module."""
    client, other = register(server, "ground"), register(server, "other")
    room = client.create_room(preset="public_chat")
    names = {
        "user": client.user, "other": other.user, "device": client.device, "room": room, "event": client.say(room, "hello"),
        "alias": f"#bad-input:{server.server_name}",
    }
    yield client, names
    client.close()
    other.close()


def ask(client, names, endpoint: Endpoint, *, content: bytes, expect=None, **options):
    """Sends these bytes to the endpoint; the answer must be prompt, and either a success or a Matrix error."""
    names = {**names, "transaction": f"bad{next(_transactions)}"}
    headers = {"Content-Type": "application/json"}
    if endpoint.public:
        options.setdefault("token", None)
    answer = client.request(
        endpoint.method, endpoint.path(names), content=content, headers=headers, schema=False, expect=expect,
        timeout=SECONDS, **options,
    )
    check_error(answer)
    return answer


def check_error(answer):
    """A refusal is a Matrix error: an errcode, a sentence, and no secrets of the implementation."""
    if answer.status_code == 200:
        return
    assert answer.headers["content-type"].split(";")[0] == "application/json", answer.headers
    body = answer.json()
    if answer.status_code == 401 and "flows" in body:
        return
    assert isinstance(body["errcode"], str) and isinstance(body["error"], str), body


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_what_is_not_json_is_refused(ground, endpoint):
    client, names = ground
    for name, content in NOT_JSON.items():
        answer = ask(client, names, endpoint, content=content, expect=400)
        assert answer.json()["errcode"] in ("M_NOT_JSON", "M_BAD_JSON"), (name, answer.json())


@pytest.mark.only_chappe(reason="Synapse takes null for an empty object, and answers some lists with other codes")
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_what_is_not_an_object_is_refused(ground, endpoint):
    client, names = ground
    for name, content in NOT_AN_OBJECT.items():
        answer = ask(client, names, endpoint, content=content, expect=400)
        assert answer.json()["errcode"] in ("M_BAD_JSON", "M_NOT_JSON"), (name, answer.json())


@pytest.mark.only_chappe(reason="Synapse takes such JSON, or answers 500")
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_json_that_parsers_disagree_on_is_refused(ground, endpoint):
    client, names = ground
    depth = 10_000
    for content in (
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b'{"a":' + b"[" * depth + b"]" * depth + b"}",
        b'{"a":' * depth + b"1" + b"}" * depth,
        b'{"a": NaN}',
        b'{"a": 01}',
        b'\xef\xbb\xbf{"a": 1}',
    ):
        answer = ask(client, names, endpoint, content=content, expect=400)
        assert answer.json()["errcode"] in ("M_NOT_JSON", "M_BAD_JSON"), (content[:40], answer.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_wrong_types_anywhere_in_the_body(ground, endpoint, server):
    client, names = ground
    body = filled(endpoint.body, {**names, "transaction": "t"})
    for place in places(body):
        for wrong in WRONG:
            content = json.dumps(replaced(body, place, wrong)).encode()
            expect = None if server.kind == "chappe" else tuple(range(200, 600))  # Synapse answers some with 500
            ask_tolerantly(client, names, endpoint, content, expect)


def ask_tolerantly(client, names, endpoint, content, expect):
    names = {**names, "transaction": f"bad{next(_transactions)}"}
    answer = client.request(
        endpoint.method, endpoint.path(names), content=content, headers={"Content-Type": "application/json"}, schema=False,
        expect=expect, timeout=SECONDS, token=None if endpoint.public else client.token,
    )
    check_error(answer)
    return answer


@pytest.mark.only_chappe(reason="Synapse answers some of these with 500")
def test_bodies_changed_at_random(ground, seed):
    client, names = ground
    chance = random.Random(seed)
    for _ in range(600):
        endpoint = chance.choice(ENDPOINTS)
        raw = bytearray(json.dumps(filled(endpoint.body, {**names, "transaction": "t"})).encode())
        for _ in range(chance.randint(1, 8)):
            position = chance.randrange(len(raw))
            if chance.random() < 0.5:
                raw[position] = chance.randrange(256)
            else:
                raw[position:position + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        ask(client, names, endpoint, content=bytes(raw))


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in ENDPOINTS if not endpoint.public], ids=str)
def test_tokens_are_needed_and_known(ground, endpoint):
    client, names = ground
    content = json.dumps(filled(endpoint.body, {**names, "transaction": "t"})).encode()
    missing = ask(client, names, endpoint, content=content, token=None, expect=401).json()
    # The password may be changed without a session, by whoever authenticates otherwise.
    assert missing.get("errcode") == "M_MISSING_TOKEN" or (endpoint.template == "account/password" and "flows" in missing)
    for token in ("unknown", "syt_" + "a" * 5000, "é".encode().hex(), "%00"):
        answer = ask(client, names, endpoint, content=content, token=token, expect=401)
        assert answer.json()["errcode"] == "M_UNKNOWN_TOKEN"


@pytest.mark.only_chappe(reason="Synapse's limits are others")
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_oversized_bodies_are_refused(ground, endpoint, server):
    client, names = ground
    # Announced and never sent: the server must not wait for it, nor make room for it.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    connection.putrequest(endpoint.method, endpoint.path({**names, "transaction": "t"}))
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(10**12))
    if not endpoint.public:
        connection.putheader("Authorization", f"Bearer {client.token}")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["errcode"] == "M_TOO_LARGE"
    connection.close()


@pytest.mark.only_chappe(reason="Synapse's limits are others")
def test_a_body_that_grows_beyond_the_limit_is_refused(ground, server):
    client, names = ground

    def endless():
        yield b'{"msgtype":"m.text","body":"'
        for _ in range(4096):
            yield b"x" * 65_536
        yield b'"}'

    where = path("rooms", names["room"], "send", "m.room.message", "endless")
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        head = f"PUT {where} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        try:
            for part in endless():
                connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has heard enough
        try:
            assert connection.recv(12) in (b"HTTP/1.1 413", b"")
        except ConnectionResetError:
            pass
    client.get("account", "whoami")


BAD_QUERIES = [
    ("sync", {"since": "garbage"}), ("sync", {"since": "-1"}), ("sync", {"since": "9" * 30}), ("sync", {"timeout": "soon"}),
    ("sync", {"filter": "{"}), ("sync", {"filter": '{"room": 1}'}), ("sync", {"filter": "no-such-filter"}),
    ("sync", {"set_presence": "asleep"}),
    ("rooms/{room}/messages", {"dir": "sideways"}), ("rooms/{room}/messages", {"dir": "b", "limit": "many"}),
    ("rooms/{room}/messages", {"dir": "b", "from": "garbage"}), ("rooms/{room}/messages", {"dir": "b", "filter": "{"}),
    ("rooms/{room}/context/{event}", {"limit": "x"}), ("rooms/{room}/members", {"at": "garbage"}),
    ("keys/changes", {"from": "garbage", "to": "garbage"}),
    ("register/available", {}), ("register/available", {"username": "É"}), ("publicRooms", {"limit": "x"}),
]


@pytest.mark.parametrize(("template", "query"), BAD_QUERIES, ids=lambda value: json.dumps(value) if isinstance(value, dict) else value)
def test_bad_queries(ground, server, template, query):
    client, names = ground
    where = Endpoint("GET", template).path(names)
    answer = client.request("GET", where, params=query, schema=False, expect=tuple(range(200, 500)), timeout=SECONDS)
    check_error(answer)
    if server.kind == "chappe":
        assert answer.status_code in (400, 404)
        assert answer.json()["errcode"] in ("M_INVALID_PARAM", "M_BAD_JSON", "M_NOT_JSON", "M_UNKNOWN", "M_INVALID_USERNAME",
                                            "M_MISSING_PARAM", "M_NOT_FOUND", "M_UNKNOWN_POS")


FOREIGN = {
    "room": ["!room:elsewhere.invalid", "!nothing", "room", "#alias:elsewhere.invalid", "!" + "x" * 300, "!a\0b:c", "é"],
    "user": ["@somebody:elsewhere.invalid", "somebody", "@:", "@a", "!x:y", "@" + "x" * 300 + ":y", "@a:b:c:d"],
    "event": ["$nothing", "nothing", "$" + "x" * 300, "$ev:elsewhere.invalid", "\0"],
    "alias": ["#nothing:elsewhere.invalid", "nothing", "#:", "#" + "x" * 300 + ":y"],
    "other": ["@somebody:elsewhere.invalid", "somebody", "@", ""],
    "device": ["NOSUCH", "x" * 600, "é"],
}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_ids_of_others_and_ids_that_are_none(ground, server, endpoint):
    client, names = ground
    used = endpoint.template + json.dumps(endpoint.body)
    for name, values in FOREIGN.items():
        if "{%s}" % name not in used:
            continue
        for value in values:
            changed = {**names, name: value, "transaction": f"f{next(_transactions)}"}
            content = json.dumps(filled(endpoint.body, changed)).encode()
            # Synapse tries to reach the other server, and fails with 502 or 500.
            expect = None if server.kind == "chappe" else tuple(range(200, 600))
            ask_tolerantly(client, changed, endpoint, content, expect)


GETS = [
    "rooms/{room}/state", "rooms/{room}/members", "rooms/{room}/joined_members", "rooms/{room}/event/{event}",
    "rooms/{room}/context/{event}", "rooms/{room}/state/m.room.topic/", "rooms/{room}/aliases", "directory/room/{alias}",
    "profile/{user}", "presence/{user}/status", "user/{user}/account_data/x", "user/{user}/rooms/{room}/tags",
    "user/{user}/filter/{event}", "devices/{device}", "room_keys/version/{event}", "directory/list/room/{room}",
]


@pytest.mark.parametrize("template", GETS)
def test_reading_what_is_not_there(ground, server, template):
    client, names = ground
    for name, values in FOREIGN.items():
        if "{%s}" % name not in template:
            continue
        for value in values:
            where = Endpoint("GET", template).path({**names, name: value})
            expect = None if server.kind == "chappe" else tuple(range(200, 600))
            answer = client.request("GET", where, schema=False, expect=expect, timeout=SECONDS)
            check_error(answer)


def test_unknown_paths_and_methods(ground):
    client, _ = ground
    for where in (V3 + "/nothing", "/_matrix/client/v99/sync", "/_matrix/nothing", V3 + "/rooms/x/y/z/%00"):
        answer = client.request("GET", where, schema=False, expect=404)
        assert answer.json()["errcode"] == "M_UNRECOGNIZED"
    answer = client.request("DELETE", path("account", "whoami"), schema=False, expect=405)
    assert answer.json()["errcode"] == "M_UNRECOGNIZED"


RAW = {
    "no request": b"hello\r\n\r\n",
    "no host": b"GET /_matrix/client/versions HTTP/1.1\r\n\r\n",
    "endless header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
    "two lengths": b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "negative length": b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "bad chunk": b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bad escape": b"GET /_matrix/client/v3/profile/%zz%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    "climbing path": b"GET /_matrix/client/v3/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "other protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_hardly_http(ground, server, name):
    client, _ = ground
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        try:
            connection.sendall(RAW[name])
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 200")), answer[:100]
    assert b"root:" not in answer
    client.get("account", "whoami")


def test_a_half_sent_request_holds_up_no_one(ground, server):
    client, _ = ground
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(b"PUT /_matrix/client/v3/profile/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        client.get("account", "whoami", timeout=SECONDS)
    finally:
        for connection in slow:
            connection.close()
