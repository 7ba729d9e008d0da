"""Application services that a homeserver tells of what happens, on loopback ports. What they are sent is checked against the
application-service API of the specification."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from .clients import Client
from .operations import called
from .schema import specification
from .servers import free_port

API = "/_matrix/app/v1"


class AppService:
    """What a service has been told and asked. Tests change how it answers."""

    def __init__(self, name: str, namespaces: dict | None = None, **extra):
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = f"as_token_of_{name}"
        self.homeserver_token = f"hs_token_of_{name}"
        self.sender = f"_{name}_bot"
        self.registration = {
            "id": name, "url": self.url, "as_token": self.token, "hs_token": self.homeserver_token,
            "sender_localpart": self.sender, "rate_limited": False,
            "namespaces": namespaces or {
                "users": [{"exclusive": True, "regex": f"@_{name}_.*"}],
                "aliases": [{"exclusive": True, "regex": f"#_{name}_.*"}], "rooms": [],
            },
            **extra,
        }
        #: Transactions that it has taken, in order: number and body.
        self.taken: list[tuple[str, dict]] = []
        #: Transactions that it was sent, also those that it did not take: number and bytes.
        self.sent: list[tuple[str, bytes]] = []
        #: What it was asked: method, path, query and body.
        self.asked: list[tuple[str, str, dict, dict | None]] = []
        #: Everything it was sent that is not as the specification says.
        self.problems: list[str] = []
        #: The status it answers transactions with.
        self.status = 200
        self.delay_seconds = 0.0
        #: What it answers on a path after the API's: status and body, or a function that gives them.
        self.answers: dict[str, tuple[int, object] | Callable[[], tuple[int, object]]] = {}
        self._server: ThreadingHTTPServer | None = None

    def write(self, directory: Path) -> str:
        """Writes the registration file, and returns its path."""
        path = directory / f"{self.name}.yaml"
        path.write_text(json.dumps(self.registration))
        return str(path)

    @property
    def events(self) -> list[dict]:
        return [event for _, body in self.taken for event in body["events"]]

    @property
    def texts(self) -> list[str]:
        return [event["content"].get("body") for event in self.events if event["type"] == "m.room.message"]

    @property
    def ephemeral(self) -> list[dict]:
        return [event for _, body in self.taken for event in body.get("ephemeral", [])]

    def client(self, server, **params) -> "AppServiceClient":
        """A client that makes requests with the service's token."""
        return AppServiceClient(self, server, params)

    # Life

    def start(self) -> "AppService":
        service = self

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        class Handler(BaseHTTPRequestHandler):
            # A connection for each request, so that a service that has stopped answers nobody.
            protocol_version = "HTTP/1.0"

            def answer(self):
                service._answer(self)

            do_GET = do_PUT = do_POST = answer

            def log_message(self, *_):
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # Answering

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        sent = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        body = self._check(handler, parts.path, sent)
        path = unquote(parts.path.removeprefix(API))
        if handler.command == "PUT" and path.startswith("/transactions/"):
            number = path.removeprefix("/transactions/")
            self.sent.append((number, sent))
            time.sleep(self.delay_seconds)
            status, answer = self.status, {} if self.status == 200 else {"errcode": "M_UNKNOWN", "error": "no"}
            # Whoever is sent a transaction again takes it once.
            if status == 200 and number not in [taken for taken, _ in self.taken]:
                self.taken.append((number, body))
        else:
            self.asked.append((handler.command, path, dict(parse_qsl(parts.query)), body))
            found = self.answers.get(path, (404, {"errcode": "M_NOT_FOUND", "error": "not here"}))
            status, answer = found() if callable(found) else found
        text = json.dumps(answer).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text)
        except OSError:
            pass  # The homeserver was killed meanwhile.

    def _check(self, handler, path: str, sent: bytes) -> dict | None:
        try:
            body = json.loads(sent) if sent else None
            assert handler.headers["Authorization"] == f"Bearer {self.homeserver_token}", "another token"
            spec = specification("application-service")
            if spec.available:
                operation = spec.operation(handler.command, path)
                spec.check_request(operation, body)
                spec.check_events(operation, body, tolerates_null=False)
                called("application-service", operation.name)
            return body
        except Exception as problem:
            self.problems.append(f"{handler.command} {handler.path}: {problem!r}")
            return None


class AppServiceClient(Client):
    """Makes requests with a service's token: as itself, or as one of its users."""

    def __init__(self, service: AppService, server, params: dict):
        super().__init__(server, token=service.token)
        self.service = service
        self.params = params
        self.user = params.get("user_id", f"@{service.sender}:{server.server_name}")

    def request(self, method, where, *, params=None, **options):
        return super().request(method, where, params={**self.params, **dict(params or {})}, **options)

    def acting_as(self, localpart: str, **params) -> "AppServiceClient":
        """The client of one of its users."""
        return self.service.client(self.server, user_id=f"@{localpart}:{self.server.server_name}", **params)

    def register(self, localpart: str) -> "AppServiceClient":
        """Makes a user, and returns their client."""
        body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        self.request("POST", "/_matrix/client/v3/register", json=body)
        return self.acting_as(localpart)


@contextmanager
def running(*services: AppService) -> Iterator[None]:
    """Services that run as long as the block does. What they were sent must have been as the specification says."""
    try:
        for service in services:
            service.start()
        yield
    finally:
        for service in services:
            service.stop()
    for service in services:
        assert not service.problems, service.problems
