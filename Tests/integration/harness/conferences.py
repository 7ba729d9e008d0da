"""Visio and LiveKit on a loopback port: what they publish of their APIs, with the failures that a test wants."""

import hashlib
import hmac
import itertools
import json
import threading
import time
import uuid
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from livekit import api

EXTERNAL = "/external-api/v1.0"
ROOM_SERVICE = "/twirp/livekit.RoomService/"

#: What the homeserver is called by either, and what shows that it is it.
CLIENT_ID, CLIENT_SECRET = "chappe", "the secret of the application"
KEY, SECRET = "APIchappe", "the secret of LiveKit, which is as long as its secrets are"
WEBHOOK_SECRET = "the secret of Visio's reports, which is as long as secrets are"

_numbers = itertools.count(1)


class Conferences:
    """What the two know, and how they are to fail."""

    def __init__(self):
        self.url = ""
        #: Visio's rooms, by their owner's address, newest first.
        self.rooms: dict[str, list[dict]] = defaultdict(list)
        #: LiveKit's rooms, and who is in them.
        self.forwarded: dict[str, set[str]] = {}
        #: Every request: method and path.
        self.asked: list[tuple[str, str]] = []
        #: By the path's end, failures in turn: a status, "silence", "lost" (done, and no answer), "nonsense", or a dict: an answer.
        self.failures: dict[str, list] = defaultdict(list)
        #: Whether the application may list rooms.
        self.lists = True
        self.lock = threading.Lock()
        self.released = threading.Event()

    def times(self, end: str) -> int:
        return sum(1 for _, path in self.asked if path.endswith(end))

    @property
    def made(self) -> list[dict]:
        return [room for rooms in self.rooms.values() for room in rooms]

    # What they do

    def token(self, form: dict) -> tuple[int, dict]:
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return 401, {"detail": "Invalid credentials"}
        if form.get("grant_type") != "client_credentials":
            return 400, {"grant_type": ["not a valid choice"]}
        address = form.get("scope", "")
        if "@" not in address:
            return 400, {"error": "Scope should be a valid email address."}
        if address.endswith("@denied.example"):
            return 403, {"error": "This application is not authorized for this email domain."}
        if address.endswith("@unknown.example"):
            return 404, {"detail": "User not found."}
        return 200, {"access_token": f"token-of-{address}", "token_type": "Bearer", "expires_in": 3600, "scope": "rooms:list rooms:create"}

    def make_room(self, address: str, wanted: dict) -> tuple[int, dict]:
        level = wanted.get("access_level", "trusted")
        if level not in ("trusted", "restricted") or set(wanted) - {"access_level", "configuration"}:
            return 400, {"access_level": ["Public rooms are disabled for the external API."]}
        slug = f"abc-defg-{next(_numbers):03d}"
        room = {"id": str(uuid.uuid4()), "name": slug, "slug": slug, "access_level": level, "configuration": {}, "url": f"{self.url}/{slug}"}
        with self.lock:
            self.rooms[address].insert(0, room)
        return 201, room

    def room_service(self, method: str, grants: api.VideoGrants, body: dict) -> tuple[int, dict]:
        if method == "CreateRoom":
            if not grants.room_create:
                return 403, {"code": "permission_denied", "msg": "no permission"}
            with self.lock:
                self.forwarded.setdefault(body["name"], set())
            return 200, {
                "sid": "RM_x", "name": body["name"], "emptyTimeout": body["empty_timeout"], "departureTimeout": body["departure_timeout"],
                "maxParticipants": body["max_participants"], "creationTime": str(int(time.time())), "numParticipants": 0,
            }
        if method == "GetParticipant":
            if not grants.room_admin or grants.room != body["room"]:
                return 403, {"code": "permission_denied", "msg": "no permission"}
            if body["identity"] not in self.forwarded.get(body["room"], ()):
                return 404, {"code": "not_found", "msg": "participant does not exist"}
            return 200, {"sid": "PA_x", "identity": body["identity"], "state": "ACTIVE", "name": ""}
        return 404, {"code": "bad_route", "msg": method}


def signed(report: dict, key: str = KEY, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A report as LiveKit sends it: body and header fields."""
    report = {"id": f"EV_{uuid.uuid4().hex}", "createdAt": str(int(time.time())), **report}
    body = json.dumps(report).encode()
    digest = b64encode(hashlib.sha256(body).digest()).decode()
    token = api.AccessToken(key, secret).with_sha256(digest).to_jwt()
    return body, {"Authorization": token, "Content-Type": "application/webhook+json"}


def sealed(report: dict, secret: str = WEBHOOK_SECRET) -> tuple[bytes, dict[str, str]]:
    """A report with an HMAC of its body."""
    report = {"id": uuid.uuid4().hex, "created_at": int(time.time()), **report}
    body = json.dumps(report).encode()
    return body, {"X-Visio-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@contextmanager
def running() -> Iterator[Conferences]:
    """Both services, as long as the block runs."""
    conferences = Conferences()
    verifier = api.TokenVerifier(KEY, SECRET)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.act({})

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = "form" in self.headers.get("Content-Type", "")
            self.act({name: values[0] for name, values in parse_qs(body).items()} if form else json.loads(body or "{}"))

        def act(self, body: dict):
            path = urlsplit(self.path).path
            conferences.asked.append((self.command, path))
            turns = next((turns for end, turns in conferences.failures.items() if turns and path.endswith(end)), None)
            failure = turns.pop(0) if turns else None
            if failure == "silence":
                conferences.released.wait(30)
                self.close_connection = True
                return
            if isinstance(failure, int):
                return self.answer(failure, {"detail": "as wanted"})
            if isinstance(failure, dict):
                return self.answer(200, failure)
            if failure == "nonsense":
                return self.answer(200, None)
            status, answer = self.result(path, body)
            if failure == "lost":
                self.close_connection = True
                return
            self.answer(status, answer)

        def result(self, path: str, body: dict) -> tuple[int, object]:
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if path == f"{EXTERNAL}/application/token/" and self.command == "POST":
                return conferences.token(body)
            if path == f"{EXTERNAL}/rooms/":
                if not bearer.startswith("token-of-"):
                    return 401, {"detail": "Invalid token."}
                address = bearer.removeprefix("token-of-")
                if self.command == "POST":
                    return conferences.make_room(address, body)
                if not conferences.lists:
                    return 403, {"detail": "Insufficient permissions. Required scope: rooms:list"}
                rooms = conferences.rooms[address]
                return 200, {"count": len(rooms), "next": None, "previous": None, "results": rooms}
            if path.startswith(ROOM_SERVICE) and self.command == "POST":
                try:
                    grants = verifier.verify(bearer).video
                except Exception:
                    return 401, {"code": "unauthenticated", "msg": "invalid token"}
                return conferences.room_service(path.removeprefix(ROOM_SERVICE), grants, body)
            return 404, {"detail": "Not found."}

        def answer(self, status: int, answer: object):
            body = b"<html>down for maintenance</html>" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    conferences.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield conferences
    finally:
        conferences.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def settings(conferences: Conferences, **changes: dict) -> dict:
    """What a configuration says of both."""
    calls = {
        "livekit": {"url": conferences.url.replace("http", "ws"), "key": KEY, "secret": SECRET, "timeout_seconds": 1},
        "visio": {
            "url": conferences.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "timeout_seconds": 1,
            "account": "chappe@ministry.example", "webhook_key": KEY, "webhook_secret": WEBHOOK_SECRET,
        },
    }
    return {"calls": {name: {**calls.get(name, {}), **changes.get(name, {})} for name in calls.keys() | changes.keys()}}
