"""Mail addresses of accounts: shown by a link in a mail, to register, to sign in, to get back in without the password."""

import itertools

import pytest
from harness import mail
from harness.clients import PASSWORD, Client, _remember, login, path, register

pytestmark = pytest.mark.only_chappe(reason="Synapse is set up without mail")

#: What a server is told that sends its mail to a port.
def sends_to(port, **smtp):
    return {"mail": {"smtp": {"host": "127.0.0.1", "port": port, **smtp}, "from": "Chappe@Ministry.example"}}


_secrets = itertools.count(1)


@pytest.fixture(scope="module")
def post():
    with mail.running() as post:
        yield post


@pytest.fixture(scope="module")
def server(make_server, engine, post):
    server = make_server(engine, settings=sends_to(post.port)).start()
    yield server
    assert server.process.poll() is None
    server.end()


@pytest.fixture(autouse=True)
def as_usual(post):
    post.refusal = None


@pytest.fixture
def address(fresh_name):
    return f"{fresh_name('mail')}@example.org"


class Proof:
    """An address that is being shown."""

    def __init__(self, server, post, purpose: tuple[str, ...], address: str, **body):
        self.browser = Client(server)
        self.post = post
        self.purpose = purpose
        self.address = address
        self.secret = f"secret.{next(_secrets)}=_-"
        self.sid = self.ask(**body)["sid"]

    def ask(self, attempt: int = 1, **body):
        body = {"client_secret": self.secret, "email": self.address, "send_attempt": attempt, **body}
        return self.browser.post(*self.purpose, "email", "requestToken", json=body)

    @property
    def link(self) -> str:
        return self.post.link_to(self.address.lower())

    def open(self, method: str = "GET", expect: int = 200, link: str | None = None, **changes):
        where, query = mail.parts(link or self.link)
        return self.browser.request(method, where, params=query | changes, schema=False, expect=expect)

    @property
    def credentials(self) -> dict:
        return {"sid": self.sid, "client_secret": self.secret}

    @property
    def auth(self) -> dict:
        return {"type": "m.login.email.identity", "threepid_creds": self.credentials}


TO_REGISTER, TO_ADD, FOR_PASSWORD = ("register",), ("account", "3pid"), ("account", "password")


def give(server, post, client, address):
    """Gives an address to a user, who is asked for their password."""
    proof = Proof(server, post, TO_ADD, address)
    proof.open()
    client.with_password("POST", "account", "3pid", "add", json=proof.credentials)
    return proof


def addresses(client):
    return [entry["address"] for entry in client.get("account", "3pid")["threepids"]]


def by_address(address, password=PASSWORD):
    return {
        "type": "m.login.password", "password": password,
        "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": address},
    }


# Registering


def test_registering_with_an_address(server, post, address, fresh_name):
    browser, name = Client(server), fresh_name()
    body = {"username": name, "password": PASSWORD}
    challenge = browser.request("POST", path("register"), json=body, expect=401).json()
    assert sorted(flow["stages"] for flow in challenge["flows"]) == [["m.login.dummy"], ["m.login.email.identity"]]
    proof = Proof(server, post, TO_REGISTER, address)
    body["auth"] = {**proof.auth, "session": challenge["session"]}
    # Clients ask again and again until the link has been opened.
    for _ in range(2):
        waiting = browser.request("POST", path("register"), json=body, expect=401).json()
        assert waiting["errcode"] == "M_THREEPID_AUTH_FAILED" and waiting["session"] == challenge["session"]
    assert "confirmed" in proof.open().text
    client = _remember(Client(server), browser.post("register", json=body))
    assert client.user == f"@{name}:{server.server_name}"
    entry, = client.get("account", "3pid")["threepids"]
    assert entry["medium"] == "email" and entry["address"] == address
    assert 0 < entry["validated_at"] <= entry["added_at"]
    # An answer that was lost is asked for again; the proof is not good for anybody else.
    again = browser.post("register", json=body)
    assert again["user_id"] == client.user
    other = {"username": fresh_name(), "password": PASSWORD, "auth": proof.auth}
    refused = browser.request("POST", path("register"), json=other, expect=401).json()
    assert refused["errcode"] == "M_THREEPID_AUTH_FAILED"


def test_a_registration_that_fails_leaves_the_proof(server, post, address, fresh_name):
    browser, name = Client(server), fresh_name()
    proof = Proof(server, post, TO_REGISTER, address)
    proof.open()
    browser.refused("M_MISSING_PARAM", 400, "POST", "register", json={"username": name, "auth": proof.auth})
    answer = browser.post("register", json={"username": name, "password": PASSWORD, "auth": proof.auth})
    assert addresses(_remember(Client(server), answer)) == [address]


def test_the_mail(server, post, address):
    Proof(server, post, TO_REGISTER, address)
    message, = post.mails_to(address)
    assert message["From"] == "chappe@ministry.example" and message["To"] == address
    assert server.server_name in message["Subject"]
    assert message["Date"].datetime and message["Message-ID"] and message["Auto-Submitted"] == "auto-generated"
    assert mail.link_in(message).startswith(server.url + "/")
    assert ("chappe@ministry.example", [address]) in post.envelopes


# https://spec.matrix.org/v1.19/appendices/#e-mail
def test_addresses_are_compared_without_case(server, post, users, address):
    alice, = users("alice")
    give(server, post, alice, address.upper())
    assert addresses(alice) == [address]
    Client(server).post("login", json=by_address(address.title()))
    taken = {"client_secret": "s", "email": address.upper(), "send_attempt": 1}
    Client(server).refused("M_THREEPID_IN_USE", 400, "POST", "register", "email", "requestToken", json=taken)


@pytest.mark.parametrize("wrong", [
    "", "nobody", "@example.org", "a@", "a@b@example.org", "a b@example.org", "a@example.org\r\nRCPT TO:<b@example.org>",
    "a@example.org\nBcc: b@example.org", "<a@example.org>", "a@exa mple.org", '"a"@example.org', "a@[127.0.0.1]", "a..b@example.org",
    "a@-x.example", "-oQ/tmp@example.org", "a\0@example.org", "a,b@example.org", "a" * 65 + "@example.org", "a@" + "b" * 300,
])
def test_what_is_no_address_is_refused(server, post, wrong):
    before = len(post.envelopes)
    body = {"client_secret": "s", "email": wrong, "send_attempt": 1}
    Client(server).refused("M_INVALID_PARAM", 400, "POST", "register", "email", "requestToken", json=body)
    assert len(post.envelopes) == before


@pytest.mark.parametrize("body", [
    {"client_secret": ""}, {"client_secret": "a b"}, {"client_secret": "é"}, {"client_secret": "a" * 256},
    {"next_link": "javascript:alert(1)"}, {"next_link": "file:///etc/passwd"}, {"next_link": "no link"},
    {"next_link": "https://a.example/\r\nx"}, {"next_link": "https://a.example/" + "a" * 2100},
])
def test_what_clients_may_not_send(server, post, address, body):
    body = {"client_secret": "s", "email": address, "send_attempt": 1, **body}
    Client(server).refused("M_INVALID_PARAM", 400, "POST", "account", "3pid", "email", "requestToken", json=body)
    assert not post.mails_to(address)


# Giving a proof


def test_links_that_are_not_right(server, post, address, users):
    alice, = users("alice")
    proof = Proof(server, post, TO_ADD, address)
    for wrong in ({"token": "x"}, {"token": ""}, {"sid": "x"}, {"client_secret": "x"}):
        answer = proof.open(expect=400, **wrong)
        assert answer.headers["content-type"].startswith("text/html") and "not valid" in answer.text
        proof.open("POST", expect=400, **wrong)
    refused = alice.refused("M_THREEPID_AUTH_FAILED", 403, "POST", "account", "3pid", json={"three_pid_creds": proof.credentials})
    assert refused["error"]
    page = proof.open()
    assert page.headers["referrer-policy"] == "no-referrer" and page.headers["cache-control"] == "no-store"
    # The link can be opened twice: programs that look into mail do so.
    proof.open()
    # The proof is bound to the client that asked for it, and to what it asked for.
    for wrong in ({"client_secret": "other"}, {"sid": "other"}):
        alice.refused(
            "M_THREEPID_AUTH_FAILED", 403, "POST", "account", "3pid", json={"three_pid_creds": proof.credentials | wrong})
    body = {"username": "x", "password": PASSWORD, "auth": proof.auth}
    answer = proof.browser.request("POST", path("register"), json=body, expect=401).json()
    assert answer["errcode"] == "M_THREEPID_AUTH_FAILED"
    alice.with_password("POST", "account", "3pid", "add", json=proof.credentials)
    assert addresses(alice) == [address]
    proof.open(expect=400)


def test_where_to_go_on_to_is_a_text(server, post, address):
    proof = Proof(server, post, TO_ADD, address, next_link='https://client.example/"><script>x</script>')
    page = proof.open()
    assert "client.example" in page.text and "<script>" not in page.text
    assert page.status_code == 200 and "script-src" not in page.headers["content-security-policy"]


def test_a_mail_an_attempt(server, post, address):
    proof = Proof(server, post, TO_ADD, address)
    first = proof.link
    assert proof.ask(attempt=1)["sid"] == proof.sid and proof.ask(attempt=0)["sid"] == proof.sid
    assert len(post.mails_to(address)) == 1
    assert proof.ask(attempt=2)["sid"] == proof.sid
    assert len(post.mails_to(address)) == 2 and proof.link != first
    proof.open(expect=400, link=first)
    proof.open()


def test_nobodys_mailbox_is_filled(server, post, address, fresh_name):
    proof = Proof(server, post, TO_ADD, address)
    for attempt in range(2, 6):
        proof.ask(attempt=attempt)
    body = {"client_secret": "another", "email": address.upper(), "send_attempt": 1}
    for purpose in (TO_REGISTER, TO_ADD, FOR_PASSWORD):
        refused = proof.browser.refused("M_LIMIT_EXCEEDED", 429, "POST", *purpose, "email", "requestToken", json=body)
        assert 0 < refused["retry_after_ms"] <= 3_600_000
    assert len(post.mails_to(address)) == 5
    Proof(server, post, TO_ADD, f"{fresh_name('other')}@example.org")
    # A restart forgets none of it.
    server.restart()
    proof.browser.refused("M_LIMIT_EXCEEDED", 429, "POST", *TO_ADD, "email", "requestToken", json=body)


# Addresses of accounts


def test_adding_listing_and_taking_away(server, post, users, fresh_name):
    alice, bob = users("alice", "bob")
    one, two = f"{fresh_name('one')}@example.org", f"{fresh_name('two')}@example.org"
    assert alice.get("capabilities")["capabilities"]["m.3pid_changes"] == {"enabled": True}
    assert addresses(alice) == []
    give(server, post, alice, one)
    give(server, post, alice, two)
    assert addresses(alice) == [one, two]
    taken = {"client_secret": "s", "email": one, "send_attempt": 1}
    for purpose in (TO_REGISTER, TO_ADD):
        bob.refused("M_THREEPID_IN_USE", 400, "POST", *purpose, "email", "requestToken", json=taken, token=None)
    # Nobody takes away what is another's.
    bob.post("account", "3pid", "delete", json={"medium": "email", "address": one})
    assert addresses(alice) == [one, two]
    answer = alice.post("account", "3pid", "delete", json={"medium": "email", "address": one.upper()})
    assert answer == {"id_server_unbind_result": "no-support"}
    assert addresses(alice) == [two]
    alice.post("account", "3pid", "delete", json={"medium": "msisdn", "address": two})
    assert addresses(alice) == [two]
    give(server, post, bob, one)
    assert addresses(bob) == [one]


def test_of_two_who_show_an_address_one_gets_it(server, post, users, address):
    alice, bob = users("alice", "bob")
    first = Proof(server, post, TO_ADD, address)
    first.open()
    second = Proof(server, post, TO_ADD, address)
    second.open()
    alice.with_password("POST", "account", "3pid", "add", json=first.credentials)
    challenge = bob.request("POST", path("account", "3pid", "add"), json=second.credentials, expect=401).json()
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": bob.user}, "password": PASSWORD,
        "session": challenge["session"]}
    bob.refused("M_THREEPID_IN_USE", 400, "POST", "account", "3pid", "add", json=second.credentials | {"auth": auth})
    assert addresses(alice) == [address] and addresses(bob) == []


def test_logging_in_with_an_address(server, post, users, address):
    alice, = users("alice")
    refusal = alice.refused("M_FORBIDDEN", 403, "POST", "login", json=by_address(address), token=None)
    give(server, post, alice, address)
    assert alice.post("login", json=by_address(address), token=None)["user_id"] == alice.user
    old = {"type": "m.login.password", "medium": "email", "address": address, "password": PASSWORD}
    assert alice.post("login", json=old, token=None)["user_id"] == alice.user
    # The same is said of an address that nobody has, and of a wrong password.
    assert alice.refused("M_FORBIDDEN", 403, "POST", "login", json=by_address(address, "wrong"), token=None) == refusal
    alice.refused("M_FORBIDDEN", 403, "POST", "login", token=None, json=by_address(address) | {
        "identifier": {"type": "m.id.thirdparty", "medium": "msisdn", "address": address}})
    alice.post("account", "3pid", "delete", json={"medium": "email", "address": address})
    alice.refused("M_FORBIDDEN", 403, "POST", "login", json=by_address(address), token=None)


def test_an_address_names_the_user_whose_password_is_shown(server, post, users, address, fresh_name):
    alice, bob = users("alice", "bob")
    give(server, post, alice, address)
    challenge = bob.request("POST", path("account", "deactivate"), json={}, expect=401).json()
    auth = by_address(address) | {"session": challenge["session"]}
    bob.refused("M_FORBIDDEN", 403, "POST", "account", "deactivate", json={"auth": auth})
    new = {"new_password": PASSWORD + "!", "logout_devices": False}
    alice.post("account", "password", json=new | {"auth": by_address(address)})
    login(server, alice.user, PASSWORD + "!")


def test_a_deactivated_account_gives_its_addresses_back(server, post, users, address):
    alice, bob = users("alice", "bob")
    give(server, post, alice, address)
    alice.with_password("POST", "account", "deactivate")
    alice.refused("M_FORBIDDEN", 403, "POST", "login", json=by_address(address), token=None)
    give(server, post, bob, address)


# A new password


def test_a_new_password_by_mail(server, post, users, address):
    alice, = users("alice")
    give(server, post, alice, address)
    proof = Proof(server, post, FOR_PASSWORD, address)
    body = {"new_password": "a new passphrase", "auth": proof.auth}
    ask = lambda expect: proof.browser.request("POST", path("account", "password"), json=body, expect=expect).json()
    waiting = ask(401)
    assert waiting["errcode"] == "M_THREEPID_AUTH_FAILED" and waiting["flows"] == [{"stages": ["m.login.email.identity"]}]
    # That a program opens the link is not enough: the page asks.
    assert "<form" in proof.open().text
    ask(401)
    assert "<form" not in proof.open("POST").text
    assert ask(200) == {}
    alice.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    alice.refused("M_FORBIDDEN", 403, "POST", "login", json=by_address(address), token=None)
    login(server, alice.user, "a new passphrase")
    # Once only.
    assert ask(401)["errcode"] == "M_THREEPID_AUTH_FAILED"
    proof.open("POST", expect=400)


def test_a_password_of_an_address_that_nobody_has(server, post, users, address):
    """Who asks learns nothing; who reads the mail does."""
    proof = Proof(server, post, FOR_PASSWORD, address)
    message, = post.mails_to(address)
    assert "no account" in message.get_content() and "http" not in message.get_content()
    body = {"new_password": "a new passphrase", "auth": proof.auth}
    answer = proof.browser.request("POST", path("account", "password"), json=body, expect=401).json()
    assert answer["errcode"] == "M_THREEPID_AUTH_FAILED"


def test_an_address_taken_away_resets_no_password(server, post, users, address):
    alice, = users("alice")
    give(server, post, alice, address)
    proof = Proof(server, post, FOR_PASSWORD, address)
    proof.open("POST")
    alice.post("account", "3pid", "delete", json={"medium": "email", "address": address})
    body = {"new_password": "a new passphrase", "auth": proof.auth}
    proof.browser.refused("M_THREEPID_NOT_FOUND", 400, "POST", "account", "password", json=body)
    login(server, alice.user)


def test_an_address_added_without_a_password_replaces_none(server, post, users, address):
    """A stolen token must not be enough to take the account over for good."""
    alice, = users("alice")
    added = Proof(server, post, TO_ADD, address)
    added.open()
    assert alice.post("account", "3pid", json={"three_pid_creds": added.credentials}) == {}
    assert addresses(alice) == [address]
    alice.post("login", json=by_address(address), token=None)
    Proof(server, post, FOR_PASSWORD, address)
    assert "http" not in post.mails_to(address)[-1].get_content()


def test_without_a_token_and_without_mail_no_password_changes(server, address):
    body = {"new_password": "a new passphrase", "auth": {"type": "m.login.password", "password": PASSWORD}}
    answer = Client(server).request("POST", path("account", "password"), json=body, expect=401).json()
    assert answer["flows"] == [{"stages": ["m.login.email.identity"]}] and answer["completed"] == []


# What goes wrong with mail


def test_what_is_durable_outlives_kills(server, post, users, address):
    alice, = users("alice")
    proof = Proof(server, post, TO_ADD, address)
    server.kill()
    server.start()
    proof.open()
    server.kill()
    server.start()
    alice.with_password("POST", "account", "3pid", "add", json=proof.credentials)
    server.kill()
    server.start()
    assert addresses(alice) == [address]


def test_a_mail_server_that_is_away(make_server, engine):
    with mail.running() as post:
        server = make_server(engine, settings=sends_to(post.port)).start()
        early = Proof(server, post, TO_ADD, "early@example.org")
        link = early.link
    try:
        browser = Client(server)
        body = {"client_secret": "s", "email": "late@example.org", "send_attempt": 1}
        # More often than mails may be sent in an hour: what was not sent does not count.
        for _ in range(7):
            refused = browser.refused("M_UNKNOWN", 503, "POST", *TO_ADD, "email", "requestToken", json=body)
            assert "later" in refused["error"]
        again = {"client_secret": early.secret, "email": early.address, "send_attempt": 2}
        browser.refused("M_UNKNOWN", 503, "POST", *TO_ADD, "email", "requestToken", json=again)
        # What was sent before is as good as it was.
        early.open(link=link)
        with mail.running(port=post.port) as back:
            assert browser.post(*TO_ADD, "email", "requestToken", json=body)["sid"]
            assert len(back.mails_to("late@example.org")) == 1
        assert "mail not sent" in server.log_path.read_text()
    finally:
        server.end()


def test_a_recipient_that_is_refused(server, post, address):
    body = {"client_secret": "s", "email": address, "send_attempt": 1}
    post.refusal = "550 No such user"
    Client(server).refused("M_INVALID_PARAM", 400, "POST", *TO_ADD, "email", "requestToken", json=body)
    post.refusal = "451 Later"
    Client(server).refused("M_UNKNOWN", 503, "POST", *TO_ADD, "email", "requestToken", json=body)
    post.refusal = None
    Client(server).post(*TO_ADD, "email", "requestToken", json=body)


def test_without_mail(make_server, engine):
    server = make_server(engine).start()
    try:
        alice = register(server, "alice")
        assert alice.get("capabilities")["capabilities"]["m.3pid_changes"] == {"enabled": False}
        body = {"client_secret": "s", "email": "a@example.org", "send_attempt": 1}
        number = {"client_secret": "s", "country": "FR", "phone_number": "1", "send_attempt": 1}
        for purpose in (TO_REGISTER, TO_ADD, FOR_PASSWORD):
            for medium, asked in (("email", body), ("msisdn", number)):
                alice.refused(
                    "M_THREEPID_MEDIUM_NOT_SUPPORTED", 400, "POST", *purpose, medium, "requestToken", json=asked, token=None)
        alice.refused("M_FORBIDDEN", 403, "POST", "account", "3pid", "add", json={"sid": "s", "client_secret": "s"})
        alice.refused("M_MISSING_TOKEN", 401, "POST", "account", "password", json={"new_password": "x"}, token=None, schema=False)
        challenge = alice.request("POST", path("register"), json={"username": "b"}, token=None, expect=401).json()
        assert [flow["stages"] for flow in challenge["flows"]] == [["m.login.dummy"]]
        assert addresses(alice) == []
    finally:
        server.end()


def test_nobody_registers_with_mail_where_registration_is_closed(make_server, engine, post):
    settings = sends_to(post.port) | {"registration": {"mode": "closed"}}
    server = make_server(engine, settings=settings).start()
    try:
        body = {"client_secret": "s", "email": "closed@example.org", "send_attempt": 1}
        Client(server).refused("M_THREEPID_DENIED", 403, "POST", *TO_REGISTER, "email", "requestToken", json=body)
        assert not post.mails_to("closed@example.org")
    finally:
        server.end()
