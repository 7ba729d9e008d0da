"""Relays for calls: what clients get opens a real one."""

import base64
import hashlib
import hmac
import subprocess
import time

import pytest
from harness.clients import register
from harness.servers import free_port

SECRET = "a secret that coturn knows too"

pytestmark = pytest.mark.only_chappe(reason="the settings are Chappe's")


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    """A coturn on loopback; its port."""
    folder = tmp_path_factory.mktemp("coturn")
    port = free_port()
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        ["turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}", "--use-auth-secret",
         f"--static-auth-secret={SECRET}", "--realm=chappe.test", "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers",
         "--log-file=stdout", f"--pidfile={folder}/pid", f"--userdb={folder}/db"],
        stdout=log, stderr=subprocess.STDOUT, cwd=folder,
    )
    yield port
    process.terminate()
    process.wait(20)
    log.close()


def allocate(port: int, username: str, password: str) -> subprocess.CompletedProcess:
    """Sends a few packets through a relay, there and back."""
    return subprocess.run(
        ["turnutils_uclient", "-u", username, "-w", password, "-p", str(port), "-y", "-c", "-n", "3", "-m", "1", "127.0.0.1"],
        capture_output=True, text=True, timeout=60,
    )


@pytest.fixture(scope="module")
def calling(make_server, engine, relay, tmp_path_factory):
    secret = tmp_path_factory.mktemp("secrets") / "turn.secret"
    secret.write_text(SECRET + "\n")
    uris = [f"turn:127.0.0.1:{relay}?transport=udp"]
    server = make_server(engine, settings={
        "calls": {"turn": {"uris": uris, "secret_file": str(secret), "lifetime_seconds": 600}}, "registration": {"guests": True},
    }).start()
    yield server
    server.finish()


def test_what_a_client_gets_opens_the_relay(calling, relay):
    alice = register(calling, "alice")
    answer = alice.get("voip", "turnServer")
    assert answer["uris"] == [f"turn:127.0.0.1:{relay}?transport=udp"] and answer["ttl"] == 600
    until, _, user = answer["username"].partition(":")
    assert user == alice.user and 590 <= int(until) - time.time() <= 610
    expected = hmac.new(SECRET.encode(), answer["username"].encode(), hashlib.sha1).digest()
    assert answer["password"] == base64.b64encode(expected).decode()
    deadline = time.monotonic() + 30
    while (result := allocate(relay, answer["username"], answer["password"])).returncode != 0:
        assert time.monotonic() < deadline, result.stdout + result.stderr  # until coturn listens
        time.sleep(0.5)
    refused = allocate(relay, answer["username"], answer["password"][:-4] + "AAA=")
    assert refused.returncode != 0 or "error 401" in refused.stdout, refused.stdout


def test_guests_do_not_call_unless_they_may(calling):
    from harness.clients import Client, path

    guest = Client(calling)
    guest.token = guest.request("POST", path("register"), params={"kind": "guest"}, json={}).json()["access_token"]
    guest.refused("M_FORBIDDEN", 403, "GET", "voip", "turnServer")
    guest.close()


def test_clients_find_where_people_meet(make_server, engine):
    service = {"type": "livekit", "livekit_service_url": "https://livekit-jwt.example"}
    server = make_server(engine, settings={"calls": {"transports": [{"livekit_service_url": service["livekit_service_url"]}]}}).start()
    alice = register(server, "alice")
    for base in ("unstable/org.matrix.msc4143", "v1"):
        where = f"/_matrix/client/{base}/rtc/transports"
        assert alice.request("GET", where, schema=False).json() == {"rtc_transports": [service]}
        assert alice.request("GET", where, schema=False, token=None, expect=401).json()["errcode"] == "M_MISSING_TOKEN"
    found = alice.request("GET", "/.well-known/matrix/client", token=None).json()
    assert found["org.matrix.msc4143.rtc_foci"] == [service]
    server.finish()


def test_without_relays_there_is_nothing_to_tell(alice):
    assert alice.request("GET", "/_matrix/client/v3/voip/turnServer", schema=False).json() == {}
    assert alice.request("GET", "/_matrix/client/v1/rtc/transports", schema=False).json() == {"rtc_transports": []}
    assert "org.matrix.msc4143.rtc_foci" not in alice.request("GET", "/.well-known/matrix/client", token=None).json()


@pytest.mark.parametrize(("section", "key"), [
    ({"uris": ["http://turn.example"], "secret": "s"}, "calls.turn.uris"),
    ({"uris": ["turn:turn.example"]}, "calls.turn.uris"),
    ({"uris": ["stun:stun.example"], "secret": "s"}, "calls.turn.uris"),
    ({"secret": "s"}, "calls.turn.uris"),
    ({"uris": ["turn:turn.example"], "secret": "s", "secret_file": "f"}, "calls.turn.secret"),
    ({"uris": ["turn:turn.example"], "secret": "s", "username": "u", "password": "p"}, "calls.turn.secret"),
    ({"uris": ["turn:turn.example"], "username": "u"}, "calls.turn.username"),
    ({"uris": ["turn:turn.example"], "secret": "s", "lifetime_seconds": 1}, "calls.turn.lifetime_seconds"),
    ({"uris": ["turn:turn.example"], "secret_file": "/nowhere"}, "calls.turn.secret_file"),
])
def test_wrong_settings_are_named(tmp_path, section, key):
    from test_commands import Initialized, run

    import yaml

    server = Initialized(tmp_path / "server", "sqlite")
    file = server.directory / "chappe.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["calls"] = {"turn": section}
    file.write_text(yaml.safe_dump(settings))
    said = run("check-config", "--config", file, status=1)
    assert key in said.stdout + said.stderr
