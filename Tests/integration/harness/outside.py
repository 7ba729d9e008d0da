"""Services outside that a homeserver asks: a CAS server and a judge of captchas, on a loopback port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.sax.saxutils import escape

CAS = "http://www.yale.edu/tp/cas"


class Outside:
    """What the services know. Tests change it; the services answer by it."""

    def __init__(self):
        self.url = ""
        #: Who signs in next at the CAS server's login page.
        self.user = "ada"
        #: Tickets given out, with user and service: each is good once, and for that service.
        self.tickets: dict[str, tuple[str, str]] = {}
        #: Answers to captchas that are right.
        self.captchas: set[str] = set()
        #: What the homeserver asked: path and query or form.
        self.asked: list[tuple[str, dict]] = []
        #: Sent in place of the CAS server's answer.
        self.answer: bytes | None = None

    def login(self, service: str) -> str:
        """Signs the user in; where the browser goes next."""
        ticket = f"ST-{len(self.tickets) + 1}-cas"
        self.tickets[ticket] = (self.user, service)
        return service + ("&" if "?" in service else "?") + urlencode({"ticket": ticket})

    def validate(self, ticket: str, service: str) -> bytes:
        if self.answer is not None:
            return self.answer
        user, expected = self.tickets.pop(ticket, ("", ""))
        if expected != service or not user:
            inner = f'<cas:authenticationFailure code="INVALID_TICKET">{escape(ticket)}</cas:authenticationFailure>'
        else:
            inner = f"<cas:authenticationSuccess><cas:user>{escape(user)}</cas:user></cas:authenticationSuccess>"
        return f'<cas:serviceResponse xmlns:cas="{CAS}">{inner}</cas:serviceResponse>'.encode()


@contextmanager
def running() -> Iterator[Outside]:
    """The services, as long as the block runs."""
    outside = Outside()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            outside.asked.append((parts.path, query))
            if parts.path == "/cas/login":
                self.send_response(302)
                self.send_header("Location", outside.login(query["service"]))
                self.end_headers()
            elif parts.path == "/cas/proxyValidate":
                self.reply(outside.validate(query.get("ticket", ""), query.get("service", "")), "application/xml")
            else:
                self.send_error(404)

        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked = {name: values[0] for name, values in form.items()}
            outside.asked.append((self.path, asked))
            right = asked.get("secret") == "private" and asked.get("response") in outside.captchas
            self.reply(b'{"success": true}' if right else b'{"success": false}', "application/json")

        def reply(self, body: bytes, kind: str):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    outside.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
