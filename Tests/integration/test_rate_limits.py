"""Limits of requests: each class that is documented is known, and counts what it says."""

import re
import time

import pytest
import yaml
from harness.clients import Client, path, register
from harness.servers import ROOT
from test_commands import run

pytestmark = pytest.mark.only_chappe(reason="its own configuration")

EXAMPLE = ROOT / "Deploy" / "chappe.example.yaml"
#: So slow that nothing comes back while a test runs.
SLOW = 0.001


def documented() -> dict:
    return yaml.safe_load(EXAMPLE.read_text())["rate_limits"]


def decoded() -> dict[str, tuple[float, int]]:
    """The classes that the decoder goes through, with their defaults, as the source has them."""
    source = (ROOT / "Sources/Web/Protection/RateLimits.swift").read_text()
    names = dict(re.findall(r'static let (\w+): RateLimitClass = "(\w+)"', source))
    limits = re.findall(r"\.(\w+): Limit\(perSecond: ([\d./ ]+), burst: (\d+)\)", source)
    return {names[name]: (eval(rate), int(burst)) for name, rate, burst in limits}  # noqa: S307: our own source


def test_the_documentation_and_the_decoder_know_the_same_classes_and_defaults(tmp_path):
    written = documented()
    assert written.pop("enabled") is True
    assert written.keys() == decoded().keys()
    for name, (rate, burst) in decoded().items():
        assert written[name]["burst"] == burst, name
        assert written[name]["per_second"] == pytest.approx(rate), name


@pytest.mark.parametrize("name", sorted(decoded()))
def test_the_decoder_knows_each_key(tmp_path, name):
    file = tmp_path / "chappe.yaml"
    file.write_text(f"server_name: a.example\nrate_limits:\n  {name}: {{per_second: 1, burst: 1, no_such_key: 1}}\n")
    problem = run("check-config", "--config", file, status=1).stderr
    assert f"rate_limits.{name}.no_such_key" in problem and f"rate_limits.{name}:" not in problem


def test_unknown_classes_are_refused(tmp_path):
    file = tmp_path / "chappe.yaml"
    file.write_text("server_name: a.example\nrate_limits:\n  mesage: {burst: 1}\n")
    assert "did you mean message" in run("check-config", "--config", file, status=1).stderr


@pytest.fixture
def start(make_server, engine):
    """A function that starts a server with such limits; all others are out of the way."""
    servers = []

    def make(**limits):
        wide = {name: {"per_second": 1_000, "burst": 10_000} for name in decoded()}
        narrow = {name: {"per_second": SLOW, "burst": burst} for name, burst in limits.items()}
        servers.append(make_server(engine, settings={"rate_limits": {"enabled": True, **wide, **narrow}}).start())
        return servers[-1]

    yield make
    for server in servers:
        server.finish()


def limited(client, method, *parts, **options):
    answer = client.request(method, path(*parts), expect=429, **options).json()
    assert answer["errcode"] == "M_LIMIT_EXCEEDED" and answer["retry_after_ms"] > 0
    return answer


def test_messages_by_user(start, fresh_name):
    server = start(message=2)
    alice, bob = register(server, fresh_name("alice")), register(server, fresh_name("bob"))
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.say(room, "one")
    alice.say(room, "two")
    limited(alice, "PUT", "rooms", room, "send", "m.room.message", "t3", json={"msgtype": "m.text", "body": "three"})
    bob.say(room, "others may")


def test_invitations_by_sender_room_and_addressee(start, fresh_name):
    server = start(invite=4)
    alice = register(server, fresh_name("alice"))
    others = [register(server, fresh_name("other")) for _ in range(5)]
    # Those of a new room count as well.
    room = alice.create_room(invite=[other.user for other in others[:3]])
    alice.invite(room, others[3])
    limited(alice, "POST", "rooms", room, "invite", json={"user_id": others[4].user})
    limited(alice, "PUT", "rooms", room, "state", "m.room.member", others[4].user, json={"membership": "invite"})
    limited(alice, "POST", "createRoom", json={"invite": [others[4].user]})

    server = start(invite_room=1)
    alice, bob, carol = (register(server, fresh_name("person")) for _ in range(3))
    room = alice.create_room()
    alice.invite(room, bob)
    limited(alice, "POST", "rooms", room, "invite", json={"user_id": carol.user})
    alice.invite(alice.create_room(), carol)

    server = start(invite_user=1)
    alice, bob, carol = (register(server, fresh_name("person")) for _ in range(3))
    alice.invite(alice.create_room(), carol)
    room = bob.create_room()
    limited(bob, "POST", "rooms", room, "invite", json={"user_id": carol.user})
    bob.invite(room, alice)


def test_joins_here_and_elsewhere(start, fresh_name):
    server = start(join_remote=1)
    alice = register(server, fresh_name("alice"))
    for _ in range(3):
        alice.join(alice.create_room(preset="public_chat"))
    alice.request("POST", path("join", "!nowhere:nowhere.example"), expect=(403, 404, 502), schema=False)
    limited(alice, "POST", "join", "!nowhere:nowhere.example")
    server = start(join=2)
    alice, bob = register(server, fresh_name("alice")), register(server, fresh_name("bob"))
    rooms = [alice.create_room(preset="public_chat") for _ in range(3)]
    bob.join(rooms[0])
    bob.join(rooms[1])
    limited(bob, "POST", "join", rooms[2])


def test_files_and_searches(start, fresh_name):
    server = start(download=2, search=2)
    alice = register(server, fresh_name("alice"))
    uploaded = alice.request(
        "POST", "/_matrix/media/v3/upload", content=b"text", headers={"Content-Type": "text/plain"}).json()["content_uri"]
    where = "/_matrix/client/v1/media/download/" + uploaded.removeprefix("mxc://")
    for _ in range(2):
        assert alice.request("GET", where).content == b"text"
    assert alice.request("GET", where, expect=429).json()["retry_after_ms"] > 0
    for _ in range(2):
        alice.post("user_directory", "search", json={"search_term": "x"})
    limited(alice, "GET", "publicRooms")


def sign_in(server, user, password, expect):
    client = Client(server)
    answer = client.request(
        "POST", path("login"), token=None, expect=expect,
        json={"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}).json()
    client.close()
    return answer


def test_logins_by_address_and_by_account(start, fresh_name):
    server = start(login=3)
    alice = register(server, fresh_name("alice"))
    statuses = [sign_in(server, alice.user, "wrong", (403, 429))["errcode"] for _ in range(4)]
    assert statuses[0] == "M_FORBIDDEN" and statuses[-1] == "M_LIMIT_EXCEEDED"

    server = start(login_account=3)
    alice, bob = register(server, fresh_name("alice")), register(server, fresh_name("bob"))
    for _ in range(3):
        sign_in(server, alice.user, "wrong", 403)
    assert sign_in(server, alice.user, "wrong", 429)["retry_after_ms"] > 0
    sign_in(server, bob.user, "wrong", 403)


def test_registrations_by_address(start, fresh_name):
    server = start(registration=4)
    made = 0
    for _ in range(8):
        answer = Client(server).request(
            "POST", path("register"), token=None, expect=(200, 401, 429), schema=False,
            json={"username": fresh_name("new"), "password": "a password that is long", "auth": {"type": "m.login.dummy"}})
        made += answer.status_code == 200
        last = answer
    assert made <= 4 and last.status_code == 429 and last.json()["retry_after_ms"] > 0


def test_whoever_waits_as_told_is_let_in(make_server, engine, fresh_name):
    server = make_server(engine, settings={"rate_limits": {"enabled": True, "message": {"per_second": 1, "burst": 1}}}).start()
    alice = register(server, fresh_name("alice"))
    room = alice.create_room()
    alice.say(room, "one")
    answer = alice.request("PUT", path("rooms", room, "send", "m.room.message", "again"), json={"msgtype": "m.text", "body": "two"}, expect=(200, 429))
    if answer.status_code == 429:
        time.sleep(answer.json()["retry_after_ms"] / 1_000)
        alice.put("rooms", room, "send", "m.room.message", "again", json={"msgtype": "m.text", "body": "two"})
    server.finish()
