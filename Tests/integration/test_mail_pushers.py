"""Mail about what users have not read: when it comes, what it says, and how it ends."""

import itertools
from contextlib import contextmanager

import httpx
import pytest
from harness import mail
from harness.clients import Client, register
from harness.waiting import eventually

pytestmark = pytest.mark.only_chappe(reason="Synapse is set up without mail")

_secrets = itertools.count(1)


def settings(port: int, **notifications) -> dict:
    quick = {"delay_seconds": 1, "pause_seconds": 1, "longest_pause_seconds": 1}
    return {"mail": {"smtp": {"host": "127.0.0.1", "port": port}, "notifications": {**quick, **notifications}}}


@pytest.fixture(scope="module")
def post():
    with mail.running() as post:
        yield post


@pytest.fixture(scope="module")
def server(make_server, engine, post):
    server = make_server(engine, settings=settings(post.port)).start()
    yield server
    assert server.process.poll() is None
    server.finish()


@pytest.fixture(autouse=True)
def as_usual(post):
    post.refusal = None


@pytest.fixture
def address(fresh_name, engine):
    return f"{fresh_name('reader')}.{engine}@example.org"


def give(client, post, address):
    """Shows that an address is the user's."""
    proof = {"client_secret": f"pusher{next(_secrets)}"}
    asked = {**proof, "email": address, "send_attempt": 1}
    proof["sid"] = client.post("account", "3pid", "email", "requestToken", json=asked)["sid"]
    where, query = mail.parts(post.link_to(address))
    client.request("GET", where, params=query, schema=False)
    client.with_password("POST", "account", "3pid", "add", json=proof)


def pusher(address, **options) -> dict:
    return {
        "kind": "email", "app_id": "m.email", "pushkey": address, "app_display_name": "Mail", "device_display_name": address,
        "lang": "en", "data": {}, **options,
    }


def wants_mail(client, post, address, **options):
    give(client, post, address)
    client.post("pushers", "set", json=pusher(address, **options))


def letters(post, address) -> list:
    return [letter for letter in post.mails_to(address) if letter["List-Unsubscribe"]]


def letter(post, address, number: int = 1):
    """The mail of that number, once it is there."""
    eventually(lambda: len(letters(post, address)) >= number, seconds=60)
    return letters(post, address)[number - 1]


def name(client) -> str:
    """What others see of somebody who has not chosen a name."""
    return client.user[1:].split(":")[0]


@contextmanager
def held(post):
    """Nothing is taken before the end of the block: what happens in it is told together, however slow the machine is."""
    post.refusal = "451 try again later"
    try:
        yield
    finally:
        post.refusal = None


def room_of(owner, *others, **options) -> str:
    room = owner.create_room(preset="public_chat", **options)
    for other in others:
        other.join(room)
    return room


# What it says


def test_a_mail_about_all_rooms(alice, bob, carol, post, address):
    alice.put("profile", alice.user, "displayname", json={"displayname": "Alice <A>"})
    one, two = room_of(alice, bob, name="Réunion & co"), room_of(carol, bob, name="Second")
    wants_mail(bob, post, address)
    with held(post):
        alice.say(one, "Bonjour <b>à tous</b>")
        carol.say(two, "second room\r\n.\r\nend")
        alice.send(one, {"msgtype": "m.image", "body": "picture.png", "url": "mxc://a/b"})
        bob.say(one, "of my own")
        alice.create_room(name="Third", invite=[bob.user])
    told = letter(post, address)
    text, html = mail.text_of(told), told.get_body(("html",)).get_content()
    assert told["To"] == address and alice.server.server_name in told["Subject"] and "4 unread" in told["Subject"]
    for words in ("Réunion & co", "Alice <A>: Bonjour <b>à tous</b>", "Alice <A> has sent a file: picture.png", "Third", "invites you"):
        assert words in text, text
    assert "Réunion &amp; co" in html and "Alice &lt;A&gt;: Bonjour &lt;b&gt;à tous&lt;/b&gt;" in html and "<b>" not in html
    assert f"{name(carol)}: second room" in text and "of my own" not in text
    assert told["Auto-Submitted"] == "auto-generated" and told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_nothing_of_what_is_encrypted(alice, bob, post, address):
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room = room_of(alice, bob, name="Secret", initial_state=[encryption])
    wants_mail(bob, post, address, lang="fr-FR")
    with held(post):
        alice.say(room, "in the clear by mistake")
        alice.send(room, {"msgtype": "m.file", "body": "salaries.ods", "url": "mxc://a/b"})
        alice.send(room, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}, kind="m.room.encrypted")
    told = letter(post, address)
    text = mail.text_of(told)
    assert "3 messages non lus" in told["Subject"] and f"{name(alice)} a envoyé un message." in text and "a envoyé un fichier." in text
    assert "mistake" not in told.as_string() + text and "salaries" not in text


def test_a_room_where_much_happens(alice, bob, post, address):
    room = room_of(alice, bob)
    wants_mail(bob, post, address)
    with held(post):
        for number in range(8):
            alice.say(room, f"number {number}")
        alice.send(room, {"msgtype": "m.text", "body": "y" * 10_000})
    text = mail.text_of(letter(post, address))
    assert "A room without a name" in text and "4 earlier messages" in text
    assert "number 3" not in text and "number 7" in text and len(text) < 3_000


# When it comes


def test_what_has_been_read_or_redacted_is_not_told(alice, bob, carol, post, address):
    room, other = room_of(alice, bob), room_of(carol, bob)
    wants_mail(bob, post, address)
    with held(post):
        alice.say(room, "read one")
        last = alice.say(room, "read two")
        gone = carol.say(other, "redacted")
        bob.post("rooms", room, "receipt", "m.read", last)
        carol.put("rooms", other, "redact", gone, "redaction", json={})
        carol.say(other, "unread")
    text = mail.text_of(letter(post, address))
    assert "unread" in text and "read one" not in text and "read two" not in text and "redacted" not in text
    assert "One unread" in letters(post, address)[0]["Subject"]


def test_who_has_read_everything_gets_none(alice, bob, carol, post, address):
    room, other = room_of(alice, bob, carol), f"other.{address}"
    wants_mail(bob, post, address)
    wants_mail(carol, post, other)
    with held(post):
        event = alice.say(room, "hello")
        bob.post("rooms", room, "receipt", "m.read.private", event)
    assert "hello" in mail.text_of(letter(post, other))
    alice.say(room, "again")
    assert "hello" not in mail.text_of(letter(post, address)) and len(letters(post, address)) == 1


def test_mails_become_rare(another_server, post, address, fresh_name):
    slow = settings(post.port, pause_seconds=3_600, longest_pause_seconds=86_400)
    server = another_server(slow)
    alice, bob, carol = (register(server, fresh_name(stem)) for stem in ("alice", "bob", "carol"))
    room, other = room_of(alice, bob, carol), f"other.{address}"
    wants_mail(bob, post, address)
    alice.say(room, "first")
    letter(post, address)
    wants_mail(carol, post, other)
    alice.say(room, "second")
    assert "second" in mail.text_of(letter(post, other))
    server.restart()
    carol.post("pushers", "set", json=pusher(other, kind=None))
    alice.say(room, "third")
    carol.post("pushers", "set", json=pusher(other))
    alice.say(room, "fourth")
    letter(post, other, 2)
    assert len(letters(post, address)) == 1


def test_what_waits_outlives_the_server(another_server, post, address, fresh_name):
    server = another_server(settings(post.port, delay_seconds=5))
    alice, bob = register(server, fresh_name("alice")), register(server, fresh_name("bob"))
    room = room_of(alice, bob)
    wants_mail(bob, post, address)
    alice.say(room, "before the crash")
    server.kill()
    server.start()
    assert "before the crash" in mail.text_of(letter(post, address))
    # Nor does a mail server that is away lose anything, or send twice.
    post.refusal = "451 try again later"
    alice.say(room, "while nothing is taken")
    eventually(lambda: "mail not sent" in server.log_path.read_text(), seconds=60)
    post.refusal = None
    assert "while nothing is taken" in mail.text_of(letter(post, address, 2))
    server.restart()
    alice.say(room, "last")
    assert "while" not in mail.text_of(letter(post, address, 3)) and len(letters(post, address)) == 3


# How it begins and ends


def test_only_to_addresses_of_the_account(alice, bob, post, address):
    alice.refused("M_THREEPID_NOT_FOUND", 400, "POST", "pushers", "set", json=pusher(address))
    give(bob, post, address)
    alice.refused("M_THREEPID_NOT_FOUND", 400, "POST", "pushers", "set", json=pusher(address))
    for wrong in ("nobody", f"{address}\r\nBcc: x@example.org", f"<{address}>"):
        bob.refused("M_THREEPID_NOT_FOUND", 400, "POST", "pushers", "set", json=pusher(wrong))
    bob.post("pushers", "set", json=pusher(address.upper()))
    assert [entry["kind"] for entry in bob.get("pushers")["pushers"]] == ["email"]
    room = room_of(alice, bob)
    alice.say(room, "to the one form of the address")
    letter(post, address)
    # It goes with the address.
    bob.post("account", "3pid", "delete", json={"medium": "email", "address": address})
    assert bob.get("pushers")["pushers"] == []


def test_one_click_and_no_more(server, alice, bob, carol, post, address):
    room, other = room_of(alice, bob, carol), f"other.{address}"
    wants_mail(bob, post, address)
    wants_mail(carol, post, other)
    alice.say(room, "hello")
    told = letter(post, address)
    link = told["List-Unsubscribe"].strip("<>")
    assert link.startswith(server.url + "/") and link in mail.text_of(told)
    where, query = mail.parts(link)
    browser = Client(server)
    # Looking is not enough, nor is a link that the server has not signed.
    assert "<button>" in browser.request("GET", where, params=query, schema=False).text
    for wrong in ({"token": "x"}, {"user": carol.user}, {"pushkey": other}, {"app_id": "other"}):
        browser.request("POST", where, params=query | wrong, schema=False, expect=400)
    assert len(bob.get("pushers")["pushers"]) == len(carol.get("pushers")["pushers"]) == 1
    # What mail programs send.
    for _ in range(2):
        answer = httpx.post(link, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200 and "no more mail" in answer.text
    assert bob.get("pushers")["pushers"] == [] and len(carol.get("pushers")["pushers"]) == 1
    alice.say(room, "more")
    letter(post, other, 2)
    assert len(letters(post, address)) == 1


def test_an_address_that_is_refused(server, alice, bob, post, address):
    room = room_of(alice, bob)
    wants_mail(bob, post, address)
    post.refusal = "550 no such mailbox"
    alice.say(room, "lost")
    eventually(lambda: "mail refused" in server.log_path.read_text(), seconds=60)
    post.refusal = None
    alice.say(room, "found")
    text = mail.text_of(letter(post, address))
    assert "found" in text and "lost" not in text


def test_no_mail_without_a_mail_server(another_server, fresh_name):
    server = another_server()
    alice = register(server, fresh_name("alice"))
    alice.refused("M_INVALID_PARAM", 400, "POST", "pushers", "set", json=pusher("a@example.org"))
