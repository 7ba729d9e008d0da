"""A push gateway on a loopback port: it checks what it is told against the specification, and can be slow, fail and reject."""

import functools
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from .operations import called
from .schema import specification

PATH = "/_matrix/push/v1/notify"


@functools.cache
def validator() -> Draft202012Validator | None:
    """What the specification says of a request; nothing where its data is missing."""
    if not specification().available:
        return None
    document = yaml.safe_load((specification().folder / "api/push-gateway/push_notifier.yaml").read_text())
    body = document["paths"]["/notify"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator(body)


class Gateway:
    """What the gateway was told. Tests change how it answers."""

    def __init__(self):
        self.port = 0
        self.url = ""
        #: Everything that was told and answered with 200, in order.
        self.told: list[dict] = []
        #: How often it was asked, whatever was answered.
        self.asked = 0
        #: Requests that break the specification.
        self.wrong: list[str] = []
        #: The status to answer with.
        self.status = 200
        #: Seconds before it answers.
        self.delay = 0.0
        #: Push keys to reject.
        self.rejected: set[str] = set()
        #: Where it redirects to, with a status of 3xx.
        self.location = ""
        self._changed = threading.Condition()

    def take(self, path: str, kind: str, body: bytes) -> tuple[int, bytes]:
        with self._changed:
            self.asked += 1
            try:
                notification = json.loads(body)
                assert path == PATH, path
                assert kind.startswith("application/json"), kind
                if validator() is not None:
                    validator().validate(notification)
                called("push-gateway", "notify")
            except Exception as error:  # noqa: BLE001 - whatever is wrong fails the test
                self.wrong.append(f"{error}: {body!r}")
                return 400, b"{}"
        time.sleep(self.delay)
        with self._changed:
            if self.status != 200:
                return self.status, b"{}"
            self.told.append(notification["notification"])
            self._changed.notify_all()
            keys = [device["pushkey"] for device in notification["notification"]["devices"]]
            return 200, json.dumps({"rejected": [key for key in keys if key in self.rejected]}).encode()

    def wait(self, count: int, seconds: float = 20) -> list[dict]:
        """Waits until that many notifications were told."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.told) >= count, seconds)
            assert arrived, f"{len(self.told)} of {count} notifications after {seconds} s: {self.told}"
            return list(self.told)

    def wait_for(self, condition, seconds: float = 20) -> dict:
        """Waits for a notification of which the condition holds."""
        with self._changed:
            found = []

            def look() -> bool:
                found[:] = [one for one in self.told if condition(one)]
                return bool(found)

            assert self._changed.wait_for(look, seconds), f"not among {self.told}"
            return found[0]

    def event(self, event_id: str, seconds: float = 20) -> dict:
        """Waits for the notification of an event."""
        return self.wait_for(lambda told: told.get("event_id") == event_id, seconds)

    def events(self) -> list[str]:
        """The events that were told, in order."""
        with self._changed:
            return [told["event_id"] for told in self.told if "event_id" in told]

    def forget(self) -> None:
        with self._changed:
            self.told.clear()


def own_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but its owner vouches for, with its key."""
    file = folder / "gateway.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key.pem"),
         "-out", str(file)],
        check=True, capture_output=True,
    )
    file.write_text(file.read_text() + (folder / "key.pem").read_text())
    return file


@contextmanager
def running(port: int = 0, certificate: Path | None = None) -> Iterator[Gateway]:
    """A gateway, as long as the block runs; with TLS if it has a certificate."""
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        # Of HTTP/1.0, so that no connection outlives the gateway.
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = gateway.take(self.path, self.headers.get("Content-Type", ""), body)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", gateway.location)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", port), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake is for the thread of the connection: one that fails must not end the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    gateway.port = server.server_port
    gateway.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{gateway.port}{PATH}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        assert not gateway.wrong, gateway.wrong
