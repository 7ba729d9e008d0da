"""How mail is handed on: encrypted, to the right server, with its password; and what servers are not listened to."""

import ssl

import pytest
from harness import mail
from harness.clients import Client
from harness.federation import Authority

pytestmark = pytest.mark.only_chappe(reason="Synapse is set up without mail")

WHERE = ("account", "3pid", "email", "requestToken")


@pytest.fixture(scope="module")
def engine():
    return "sqlite"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def context(authority, tmp_path):
    """A function that makes what a mail server of that name encrypts with."""

    def make(host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.certificate(tmp_path, host))
        return context

    return make


@pytest.fixture
def sending(make_server, engine):
    """A function that starts a homeserver that sends its mail as told."""
    servers = []

    def start(port: int, **smtp):
        smtp = {"host": "127.0.0.1", "port": port, **smtp}
        server = make_server(engine, settings={"mail": {"smtp": smtp}})
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.end()


def ask(server, address="a@example.org", **options):
    body = {"client_secret": "s", "email": address, "send_attempt": 1}
    return Client(server).post(*WHERE, json=body, **options)


def fails(server):
    body = {"client_secret": "s", "email": "a@example.org", "send_attempt": 1}
    Client(server).refused("M_UNKNOWN", 503, "POST", *WHERE, json=body)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("encryption", ["required", "implicit"])
def test_encrypted_with_a_password(sending, authority, context, tmp_path, host, encryption):
    secret = tmp_path / "password"
    secret.write_text("p\u00e4ss word\n")
    way = {"ssl_context": context(host), "auth_require_tls": False} if encryption == "implicit" else {
        "tls_context": context(host), "require_starttls": True}
    with mail.running(password="p\u00e4ss word".encode(), **way) as post:
        server = sending(
            post.port, host=host, encryption=encryption, trusted_ca=str(authority.certificate_path), user="chappe",
            password_file=str(secret))
        ask(server)
        assert len(post.mails_to("a@example.org")) == 1
        assert post.logins == [(b"chappe", "p\u00e4ss word".encode())]
        # Named by default after the server.
        assert post.envelopes[0][0] == f"noreply@{server.server_name}"


@pytest.mark.parametrize("encryption", ["required", "implicit"])
@pytest.mark.parametrize(("named", "trusted"), [("elsewhere.example", True), ("127.0.0.1", False)])
def test_a_certificate_that_is_not_right(sending, authority, context, encryption, named, trusted):
    way = {"ssl_context": context(named), "auth_require_tls": False} if encryption == "implicit" else {"tls_context": context(named)}
    with mail.running(password=b"secret", **way) as post:
        smtp = {"trusted_ca": str(authority.certificate_path)} if trusted else {}
        server = sending(post.port, encryption=encryption, user="chappe", password="secret", **smtp)
        fails(server)
        assert not post.mails and not post.logins
        assert "mail not sent" in server.log_path.read_text()
        assert "secret" not in server.log_path.read_text()


def test_a_server_that_does_not_encrypt(sending):
    with mail.running() as post:
        fails(sending(post.port, encryption="required"))
        assert not post.mails


def test_by_default_encrypted_where_that_is_offered(sending, context):
    """On the same machine, whoever it says it is."""
    with mail.running(tls_context=context("elsewhere.example"), require_starttls=True) as post:
        ask(sending(post.port))
        assert len(post.mails) == 1


def test_a_wrong_password(sending, authority, context):
    with mail.running(password=b"right", tls_context=context("127.0.0.1")) as post:
        server = sending(
            post.port, encryption="required", trusted_ca=str(authority.certificate_path), user="chappe", password="wrong")
        fails(server)
        # Refused, and not waited for until it was too late.
        [line] = [line for line in server.log_tail().splitlines() if "mail not sent" in line]
        assert "535" in line, line
        assert post.logins == [(b"chappe", b"wrong")] and not post.mails


def test_letters_of_other_languages(sending):
    with mail.running(enable_SMTPUTF8=True) as post:
        ask(sending(post.port), "Ren\u00e9.Strau\u00df@exemple.example")
        assert post.envelopes[0][1] == ["ren\u00e9.strauss@exemple.example"]
        assert mail.link_in(post.mails[0])


HELLO = b"220 mail.example\r\n"
#: What a server says that takes everything.
TAKES = {b"EHLO": b"250-mail.example\r\n250 8BITMIME\r\n", b"MAIL": b"250 OK\r\n", b"RCPT": b"250 OK\r\n"}


def test_letters_that_a_server_does_not_know(sending):
    with mail.scripted(HELLO, TAKES) as script:
        body = {"client_secret": "s", "email": "ren\u00e9@exemple.example", "send_attempt": 1}
        Client(sending(script.port)).refused("M_UNKNOWN", 503, "POST", *WHERE, json=body)
        assert not any(line.startswith(b"RCPT") for line in script.heard)


def test_a_server_of_long_ago(sending):
    """One that knows HELO only, and says no more than its codes."""
    answers = {b"HELO": b"250\r\n", b"EHLO": b"500 what\r\n", b"MAIL": b"250\r\n", b"RCPT": b"250\r\n", b"DATA": b"354\r\n"}
    with mail.scripted(HELLO, answers) as script:
        ask(sending(script.port))
        assert [line.split()[0] for line in script.heard[:5]] == [b"EHLO", b"HELO", b"MAIL", b"RCPT", b"DATA"]


@pytest.mark.parametrize("said", [
    b"220 go on\r\n250-forged\r\n250 AUTH PLAIN\r\n250 OK\r\n", b"220 go on\r\n250 forged\r\n",
])
def test_nothing_said_in_the_clear_counts_behind_encryption(sending, said):
    """https://nostarttls.secvuln.info: what somebody in between adds to the answer to STARTTLS."""
    with mail.scripted(HELLO, {b"EHLO": b"250-mail.example\r\n250 STARTTLS\r\n", b"STARTTLS": said}) as script:
        fails(sending(script.port, encryption="required", user="chappe", password="secret"))
        assert script.heard[-1].startswith(b"STARTTLS")


@pytest.mark.parametrize("greeting", [
    b"hello\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"554 no\r\n", b"220-" + b"x" * 100_000, b"220-x\r\n" * 500,
    b"220-x\r\n250 y\r\n", b"\xff\xfe\r\n", b"22\r\n", b"+20 x\r\n", b"2\xd9\xa20 x\r\n",
])
def test_what_is_no_mail_server(sending, greeting):
    with mail.scripted(greeting, {}) as script:
        fails(sending(script.port))


def test_a_step_that_is_refused(sending):
    for word in (b"MAIL", b"DATA"):
        for answer in (b"550 no\r\n", b"421 closing\r\n"):
            with mail.scripted(HELLO, TAKES | {word: answer}) as script:
                fails(sending(script.port))
