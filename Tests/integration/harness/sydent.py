"""Sydent, the identity server that there is, as a process on a loopback port; its mail goes to the tests' own mail server."""

import itertools
import os
import subprocess
import time
from pathlib import Path

import httpx

from . import mail
from .servers import READY_SECONDS, ROOT, free_port

NAME = "identity.test"

#: What its package leaves out: the mails that it sends, and the page that a link in them leads to.
TEMPLATES = {
    "verification_template.eml": "From: %(from)s\nTo: %(to)s\nSubject: Verify\nMessage-ID: %(messageid)s\n\n%(link)s\n",
    "invite_template.eml": (
        "From: %(from)s\nTo: %(to)s\nSubject: %(subject_header_value)s\nMessage-ID: %(messageid)s\n\n"
        "%(sender_display_name)s invites to %(room_name)s\n"
    ),
    "verify_response_template.html": "%(message)s",
}

#: Sydent 2.6.1 puts bytes where the text that was signed has characters, and so can verify no server's request. Everything else is as it is.
PROGRAM = """
import attr
from sydent.hs_federation import verifier
from sydent.sydent import main

class Request(verifier.SignedMatrixRequest):
    def __init__(self, **fields):
        text = {name: value.decode() if isinstance(value, bytes) else value for name, value in fields.items()}
        super().__init__(**text)

verifier.SignedMatrixRequest = Request
main()
"""

_secrets = itertools.count(1)


def sydent_python() -> str:
    if python := os.environ.get("SYDENT_PYTHON"):
        return python
    environment = ROOT / ".test" / "sydent-venv"
    assert (environment / "requirements.installed").exists(), (
        "there is no Sydent: run Tests/support/python-venv.sh .test/sydent-venv Tests/integration/requirements-sydent.txt")
    return str(environment / "bin" / "python")


class Sydent:
    """An identity server, which can end and begin again."""

    def __init__(self, directory: Path, post: mail.MailServer):
        self.directory = directory
        self.post = post
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None
        templates = directory / "res" / "matrix-org"
        templates.mkdir(parents=True)
        for name, text in TEMPLATES.items():
            (templates / name).write_text(text)
        (directory / "sydent.conf").write_text("\n".join([
            "[general]", f"server.name = {NAME}", "ip.whitelist = 127.0.0.1,::1", f"pidfile.path = {directory}/pid",
            "[db]", f"db.file = {directory}/sydent.db",
            "[http]", "clientapi.http.bind_address = 127.0.0.1", f"clientapi.http.port = {self.port}",
            "federation.verifycerts = False", f"client_http_base = {self.url}",
            "[email]", "email.smtphost = 127.0.0.1", f"email.smtpport = {post.port}", "email.hostname = identity.test",
            "email.from = Identity <identity@identity.test>", "email.ratelimit_sender.burst = 1000", "email.ratelimit_sender.rate_hz = 1000", "[crypto]", "[sms]", "",
        ]))

    def start(self) -> "Sydent":
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sydent_python(), "-c", PROGRAM], cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            assert self.process.poll() is None, self.log()
            try:
                if httpx.get(self.url + "/_matrix/identity/v2").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-6_000:]

    # What clients do there

    def request(self, method: str, path: str, token: str | None = None, **options) -> dict:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = httpx.request(method, f"{self.url}/_matrix/identity/v2/{path}", headers=headers, timeout=60, **options)
        assert answer.status_code == 200, f"{path}: {answer.text}\n{self.log()}"
        return answer.json()

    def token(self, client) -> str:
        """Makes a user known there, who shows who they are by their homeserver's word."""
        openid = client.post("user", client.user, "openid", "request_token")
        return self.request("POST", "account/register", json=openid)["token"]

    def proof(self, address: str, token: str) -> dict:
        """Shows there that an address is one's own."""
        secret = f"secret{next(_secrets)}"
        asked = {"email": address, "client_secret": secret, "send_attempt": 1}
        sid = self.request("POST", "validate/email/requestToken", token, json=asked)["sid"]
        _, query = mail.parts(self.post.link_to(address))
        answer = self.request("POST", "validate/email/submitToken", token, json={"sid": sid, "client_secret": secret, "token": query["token"]})
        assert answer["success"], answer
        return {"sid": sid, "client_secret": secret}

    def user(self, address: str, token: str) -> str | None:
        """Whose an address is."""
        pepper = self.request("GET", "hash_details", token)["lookup_pepper"]
        asked = {"addresses": [f"{address} email"], "algorithm": "none", "pepper": pepper}
        return self.request("POST", "lookup", token, json=asked)["mappings"].get(f"{address} email")
