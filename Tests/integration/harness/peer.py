"""Another homeserver, in Python, that does what a test wants: also what no honest server does.

By itself it is honest: it serves its keys, lets others join its rooms, and keeps what it is sent. A test changes single
answers (`peer.answers["state_ids"] = …`), and sends whatever requests and events it likes, signed or badly signed.
"""

import itertools
import json
import re
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from .clients import escaped
from .crypto import canonical
from .federation import Authority
from .pdus import SigningKey
from .peer_room import PeerRoom
from .operations import called
from .schema import check_response, specification
from .servers import free_port

FEDERATION = "/_matrix/federation"

_transactions = itertools.count(1)

#: What is asked, by name.
ROUTES = [
    ("GET", r"/_matrix/key/v2/server(/.*)?", "keys"),
    ("GET", FEDERATION + r"/v1/version", "version"),
    ("PUT", FEDERATION + r"/v1/send/([^/]+)", "send"),
    ("GET", FEDERATION + r"/v1/make_(?:join|knock|leave)/([^/]+)/([^/]+)", "make_join"),
    ("PUT", FEDERATION + r"/v2/send_join/([^/]+)/([^/]+)", "send_join"),
    ("PUT", FEDERATION + r"/v2/send_leave/([^/]+)/([^/]+)", "send_leave"),
    ("PUT", FEDERATION + r"/v2/invite/([^/]+)/([^/]+)", "invite"),
    ("GET", FEDERATION + r"/v1/event/([^/]+)", "event"),
    ("GET", FEDERATION + r"/v1/state_ids/([^/]+)", "state_ids"),
    ("GET", FEDERATION + r"/v1/state/([^/]+)", "state"),
    ("GET", FEDERATION + r"/v1/event_auth/([^/]+)/([^/]+)", "event_auth"),
    ("GET", FEDERATION + r"/v1/backfill/([^/]+)", "backfill"),
    ("POST", FEDERATION + r"/v1/get_missing_events/([^/]+)", "missing_events"),
    ("GET", FEDERATION + r"/v1/query/profile", "profile"),
    ("GET", FEDERATION + r"/v1/query/directory", "directory"),
    ("(?:GET|POST)", FEDERATION + r"/v1/publicRooms", "public_rooms"),
    ("GET", FEDERATION + r"/v1/user/devices/([^/]+)", "devices"),
    ("POST", FEDERATION + r"/v1/user/keys/query", "keys_query"),
    ("POST", FEDERATION + r"/v1/user/keys/claim", "keys_claim"),
    ("GET", FEDERATION + r"/v1/media/(?:download|thumbnail)/([^/]+)", "media"),
]

UNKNOWN = (404, {"errcode": "M_UNRECOGNIZED", "error": "Unrecognized request"})
NOT_FOUND = (404, {"errcode": "M_NOT_FOUND", "error": "Not found"})


@dataclass(frozen=True)
class Asked:
    """A request that the peer has received. `parts` are the parameters of the path, decoded."""

    name: str
    method: str
    target: str
    parts: tuple[str, ...]
    query: dict[str, list[str]]
    body: Any
    authorization: str


#: An answer: its status, and a body that is JSON, or bytes to be sent as they are (then with these headers).
Answer = tuple[int, Any] | tuple[int, bytes, dict[str, str]]


class Peer:
    """The server. `name` is its server name."""

    def __init__(self, authority: Authority, directory: Path):
        self.key = SigningKey()
        self.answers: dict[str, Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        self.rooms: dict[str, PeerRoom] = {}
        #: What it was sent in transactions.
        self.pdus: list[dict] = []
        self.edus: list[dict] = []
        #: Set when the test is over: answers that wait forever must end then.
        self.ended = threading.Event()
        self.http = httpx.Client(verify=authority.client_context, timeout=60)
        certificate, key = authority.certificate(directory, "127.0.0.1")
        self._server = _Listener(self, certificate, key)
        self.name = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self.http.close()

    def user(self, name: str) -> str:
        return f"@{name}:{self.name}"

    # Asking

    def request(
        self, server, method: str, where: str, *, body: Any = None, text: str | None = None, params: dict | None = None,
        origin: str | None = None, destination: str | None = None, claimed_destination: str | None = "",
        key: SigningKey | None = None, authorization: str | None = "", timeout: float | None = None,
    ) -> httpx.Response:
        """Sends a signed request to a server.

        `text` is a body's canonical JSON when it is not to be made from `body`. `origin`, `destination` and `key` lie about who
        asks whom, also in what is signed; `claimed_destination`, only in the header (None: leaves it out); `authorization` takes
        the header's place (None: leaves it out).
        """
        text = canonical_whole(body) if text is None and body is not None else text
        request = self.http.build_request(
            method, f"https://{server.server_name}{where}", params=params, content=text.encode() if text is not None else None,
            **({} if timeout is None else {"timeout": timeout}),
        )
        if text is not None:
            request.headers["Content-Type"] = "application/json"
        if authorization == "":
            authorization = self.authorization(
                method, request.url.raw_path.decode(), text, origin or self.name, destination or server.server_name,
                claimed_destination, key or self.key,
            )
        if authorization is not None:
            request.headers["Authorization"] = authorization
        return self.http.send(request)

    @staticmethod
    def authorization(
        method: str, target: str, text: str | None, origin: str, destination: str, claimed_destination: str | None,
        key: SigningKey,
    ) -> str:
        """The X-Matrix header of a request.

        https://spec.matrix.org/v1.19/server-server-api/#request-authentication
        """
        rest = canonical({"destination": destination, "method": method, "origin": origin, "uri": target})
        # "content" sorts before the other keys; as text, so that it may be what no JSON library writes.
        signature = key.sign("{" + (f'"content":{text},' if text is not None else "") + rest[1:])
        claimed = destination if claimed_destination == "" else claimed_destination
        named = f'destination="{claimed}",' if claimed is not None else ""
        return f'X-Matrix origin="{origin}",{named}key="{key.name}",sig="{signature}"'

    def ask(self, server, method: str, where: str, expect: int = 200, **options) -> Any:
        """The decoded answer to an honest request; its shape is checked against the specification."""
        response = self.request(server, method, FEDERATION + where, **options)
        assert response.status_code == expect, f"{method} {where}: {response.status_code} {response.text[:500]}"
        if (known := specification("server-server")).available:
            operation = known.operation(method, FEDERATION + where)
            check_response(operation, response, tolerates_null=server.kind == "synapse", api="server-server")
            if response.status_code < 400 and server.kind == "chappe":
                called("server-server", operation.name)
        return response.json()

    def transaction(self, pdus=(), edus=()) -> dict:
        return {"origin": self.name, "origin_server_ts": now(), "pdus": list(pdus), "edus": list(edus)}

    def send(self, server, pdus=(), edus=(), **options) -> dict:
        """Sends a transaction, and returns what became of its events."""
        where = f"/v1/send/peer{next(_transactions)}"
        return self.ask(server, "PUT", where, body=self.transaction(pdus, edus), **options)["pdus"]

    def join(self, server, room_id: str, user: str, version: str) -> PeerRoom:
        """Joins a room of another server, as the specification says."""
        made = self.ask(
            server, "GET", f"/v1/make_join/{escaped(room_id)}/{escaped(user)}", params={"ver": version}
        )
        assert made["room_version"] == version
        room = PeerRoom(self, room_id, version)
        event = room.finished({**made["event"], **room.own_id(), "origin_server_ts": now()})
        where = f"/v2/send_join/{escaped(room_id)}/{escaped(room.id_of(event))}"
        given = self.ask(server, "PUT", where, body=event)
        for known in given["auth_chain"] + given["state"]:
            room.keep(known)
        for known in given["state"]:
            room.state[known["type"], known["state_key"]] = room.id_of(known)
        room.add(event)
        self.rooms[room_id] = room
        return room

    # Answering

    def handle(self, method: str, target: str, headers, data: bytes) -> Answer:
        url = urlsplit(target)
        for wanted, pattern, name in ROUTES:
            if re.fullmatch(wanted, method) and (match := re.fullmatch(pattern, url.path)):
                break
        else:
            return UNKNOWN
        asked = Asked(
            name, method, target, tuple(unquote(part) for part in match.groups() if part), parse_qs(url.query),
            json.loads(data) if data else None, headers.get("Authorization", ""),
        )
        self.asked.append(asked)
        answer = self.answers.get(name) or getattr(self, f"answer_{name}", None)
        return answer(asked) if answer else UNKNOWN

    def key_document(self, **changes) -> dict:
        document = {
            "server_name": self.name, "valid_until_ts": now() + 86_400_000, "old_verify_keys": {},
            "verify_keys": {self.key.name: {"key": self.key.public}}, **changes,
        }
        return self.key.signed(document, self.name)

    def answer_keys(self, asked: Asked) -> Answer:
        return 200, self.key_document()

    def answer_version(self, asked: Asked) -> Answer:
        return 200, {"server": {"name": "Peer of the tests", "version": "1"}}

    def answer_send(self, asked: Asked) -> Answer:
        self.pdus += asked.body.get("pdus", [])
        self.edus += asked.body.get("edus", [])
        for event in asked.body.get("pdus", []):
            if room := self.rooms.get(event.get("room_id", "")):
                room.add(event)
        return 200, {"pdus": {}}

    def answer_make_join(self, asked: Asked) -> Answer:
        room = self.rooms.get(asked.parts[0])
        return (200, room.join_template(asked.parts[1])) if room else NOT_FOUND

    def answer_send_join(self, asked: Asked) -> Answer:
        room = self.rooms.get(asked.parts[0])
        return (200, room.let_in(asked.body)) if room else NOT_FOUND

    def answer_send_leave(self, asked: Asked) -> Answer:
        return 200, {}

    def answer_invite(self, asked: Asked) -> Answer:
        room = PeerRoom(self, asked.body["event"]["room_id"], asked.body["room_version"])
        return 200, {"event": room.signed(asked.body["event"])}

    def answer_event(self, asked: Asked) -> Answer:
        for room in self.rooms.values():
            if event := room.events.get(asked.parts[0]):
                return 200, self.transaction([event])
        return NOT_FOUND

    def answer_state_ids(self, asked: Asked) -> Answer:
        room = self.rooms.get(asked.parts[0])
        if not room:
            return NOT_FOUND
        return 200, {"pdu_ids": list(room.state.values()), "auth_chain_ids": [room.id_of(event) for event in room.auth_chain()]}

    def answer_state(self, asked: Asked) -> Answer:
        room = self.rooms.get(asked.parts[0])
        if not room:
            return NOT_FOUND
        return 200, {"pdus": [room.events[event] for event in room.state.values()], "auth_chain": room.auth_chain()}

    def answer_missing_events(self, asked: Asked) -> Answer:
        return 200, {"events": []}

    def answer_backfill(self, asked: Asked) -> Answer:
        return 200, self.transaction()

    def answer_devices(self, asked: Asked) -> Answer:
        return 200, {"user_id": asked.parts[0], "stream_id": 1, "devices": []}

    def answer_keys_query(self, asked: Asked) -> Answer:
        return 200, {"device_keys": {}}

    def answer_keys_claim(self, asked: Asked) -> Answer:
        return 200, {"one_time_keys": {}}

    def answer_profile(self, asked: Asked) -> Answer:
        return 200, {"displayname": "Somebody"}


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def canonical_whole(value: Any) -> str:
    """Canonical JSON of a request's body, signatures and all."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, peer: Peer, certificate: Path, key: Path):
        self.peer = peer
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        super().__init__(("127.0.0.1", free_port()), _Handler)

    def finish_request(self, request, client_address) -> None:
        # The handshake belongs to the connection's own thread: one that hangs must not hold up the others.
        request.settimeout(60)
        try:
            with self._tls.wrap_socket(request, server_side=True) as connection:
                super().finish_request(connection, client_address)
        except OSError:
            pass  # what the other side breaks off

    def handle_error(self, request, client_address) -> None:
        if not self.peer.ended.is_set():
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _serve(self) -> None:
        status, body, *headers = self.server.peer.handle(self.command, self.path, self.headers, self._read_body())
        data = body if isinstance(body, bytes) else canonical_whole(body).encode()
        self.send_response(status)
        for name, value in (headers[0] if headers else {"Content-Type": "application/json"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = _serve

    def log_message(self, *_) -> None:
        pass
