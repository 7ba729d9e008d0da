"""A web server on a loopback port whose pages are those that a test wants, and a proxy before an internet of its own."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Page:
    """What is answered at a path."""

    body: bytes = b""
    kind: str | None = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    #: Sends the body instead: it is given what writes bytes.
    writes: Callable[[Callable[[bytes], None]], None] | None = None


class Web:
    """The pages, by path (or, behind the proxy, by address), and what was asked."""

    def __init__(self):
        self.url = ""
        self.pages: dict[str, Page] = {}
        #: Path (or address) and headers of every request.
        self.asked: list[tuple[str, dict[str, str]]] = []
        #: How many bytes of bodies went out.
        self.sent = 0

    def put(self, path: str, body: bytes | str = b"", kind: str | None = "text/html; charset=utf-8", **options) -> str:
        """Puts a page there, and returns its address."""
        body = body.encode() if isinstance(body, str) else body
        self.pages[path] = Page(body, kind, **options)
        return path if "://" in path else self.url + path

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        return self.put(path, kind=None, status=status, headers={"Location": to})

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for asked, _ in self.asked if asked == path)


@contextmanager
def running() -> Iterator[Web]:
    """A web server; also a proxy for plain HTTP, behind which a page's path is its whole address."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        #: What a connection through the proxy leads to.
        origin = ""

        def do_CONNECT(self):
            self.origin = "http://" + self.path.removesuffix(":80")
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            self.path = self.origin + self.path
            web.asked.append((self.path, dict(self.headers)))
            page = web.pages.get(self.path)
            if page is None:
                page = web.pages.get(urlsplit(self.path).path, Page(b"nothing", status=404))
            self.close_connection = page.writes is not None
            self.send_response(page.status)
            if page.kind is not None:
                self.send_header("Content-Type", page.kind)
            for name, value in page.headers.items():
                self.send_header(name, value)
            if page.writes is None:
                self.send_header("Content-Length", str(len(page.body)))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            try:
                if page.writes is None:
                    self.write(page.body)
                else:
                    page.writes(self.write)
            except OSError:
                # The server has seen enough.
                self.close_connection = True

        def write(self, data: bytes):
            self.wfile.write(data)
            web.sent += len(data)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def endless(piece: bytes, pause: float = 0, most: int = 200_000):
    """Writes the same again and again."""

    def write(out: Callable[[bytes], None]):
        for _ in range(most):
            out(piece)
            if pause:
                time.sleep(pause)

    return write
