"""The part of a Matrix Authentication Service that a homeserver asks: its metadata, and whose a token is."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

API = "urn:matrix:client:api:*"
DEVICE = "urn:matrix:client:device:"


class AuthenticationService:
    """The tokens that it knows, and what it was asked. Tests change them."""

    def __init__(self, secret: str):
        self.secret = secret
        self.url = ""
        #: What it says of each token that is good.
        self.tokens: dict[str, dict] = {}
        #: Tokens that it was asked about.
        self.asked: list[str] = []
        self.metadata_asked = 0
        #: Whether it answers nothing but errors.
        self.is_down = False

    def give(self, token: str, username: str, device: str | None, *more: str, **claims) -> str:
        """Makes a token, as for a user who has signed in."""
        scope = [API, *([DEVICE + device] if device else []), *more]
        self.tokens[token] = {"active": True, "scope": " ".join(scope), "username": username, "sub": f"01{username}", **claims}
        return token

    @property
    def metadata(self) -> dict:
        return {
            "issuer": self.url + "/", "authorization_endpoint": self.url + "/authorize", "token_endpoint": self.url + "/oauth2/token",
            "registration_endpoint": self.url + "/oauth2/registration", "revocation_endpoint": self.url + "/oauth2/revoke",
            "response_types_supported": ["code"], "response_modes_supported": ["query", "fragment"],
            "grant_types_supported": ["authorization_code", "refresh_token"], "code_challenge_methods_supported": ["S256"],
            "account_management_uri": self.url + "/account/", "account_management_actions_supported": ["org.matrix.profile"],
        }


@contextmanager
def running(secret: str) -> Iterator[AuthenticationService]:
    """The service, as long as the block runs."""
    service = AuthenticationService(secret)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: dict) -> None:
            content = json.dumps(body).encode()
            self.send_response(503 if service.is_down else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            if self.path != "/.well-known/openid-configuration":
                return self.answer(404, {})
            service.metadata_asked += 1
            self.answer(200, service.metadata)

        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if self.path != "/oauth2/introspect" or self.headers["Authorization"] != f"Bearer {service.secret}":
                return self.answer(401, {"error": "invalid_client"})
            token = form["token"][0]
            service.asked.append(token)
            self.answer(200, service.tokens.get(token, {"active": False}))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
