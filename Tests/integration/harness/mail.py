"""Mail servers that a homeserver hands its mail to, on loopback ports: a real one, and one that says what a test wants."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from .servers import free_port


class MailServer:
    """What has arrived at a mail server. Tests change how it answers."""

    def __init__(self, port: int):
        self.port = port
        self.mails: list[EmailMessage] = []
        #: From whom and to whom, as the server was told.
        self.envelopes: list[tuple[str, list[str]]] = []
        #: User and password that the homeserver has shown.
        self.logins: list[tuple[bytes, bytes]] = []
        #: What recipients are refused with; None: they are not.
        self.refusal: str | None = None

    # What aiosmtpd calls

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refusal is not None:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    # What tests ask

    def mails_to(self, address: str) -> list[EmailMessage]:
        return [mail for mail, (_, recipients) in zip(self.mails, self.envelopes) if recipients == [address]]

    def link_to(self, address: str) -> str:
        """The link in the newest mail to an address."""
        return link_in(self.mails_to(address)[-1])


def link_in(mail: EmailMessage) -> str:
    return re.search(r"http\S*", text_of(mail))[0]


def text_of(mail: EmailMessage) -> str:
    """What it says, as plain text."""
    return mail.get_body(("plain",)).get_content()


def parts(link: str) -> tuple[str, dict[str, str]]:
    """A link's path and its query."""
    split = urlsplit(link)
    return split.path, {name: values[0] for name, values in parse_qs(split.query, keep_blank_values=True).items()}


@contextmanager
def running(*, password: bytes | None = None, port: int | None = None, **options) -> Iterator[MailServer]:
    """A mail server, as long as the block runs. With a password it takes mail only from who shows it, encrypted."""
    server = MailServer(port or free_port())

    def authenticate(smtp, session, envelope, mechanism, data):
        server.logins.append((data.login, data.password))
        # Not handled: the answer is the server's to give.
        return AuthResult(success=data.password == password, handled=False)

    if password is not None:
        options |= {"authenticator": authenticate, "auth_required": True}
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


class Script:
    """What was said to a server that answers by a script."""

    def __init__(self):
        self.port = 0
        self.heard: list[bytes] = []


@contextmanager
def scripted(greeting: bytes, answers: dict[bytes, bytes]) -> Iterator[Script]:
    """A server that answers each line that begins with one of these words; it closes the connection at any other."""
    script = Script()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(greeting)
            while line := self.rfile.readline():
                script.heard.append(line)
                answer = next((answer for word, answer in answers.items() if line.startswith(word)), None)
                if answer is None:
                    return
                self.wfile.write(answer)
                if answer.startswith(b"354"):
                    while self.rfile.readline() not in (b".\r\n", b""):
                        pass
                    self.wfile.write(b"250\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
