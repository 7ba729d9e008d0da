"""The command line: what it prints, how it ends, and that what it makes works."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from harness.clients import Client, login
from harness.servers import ROOT, Chappe, chappe_binary

pytestmark = pytest.mark.only_chappe(reason="its own commands")


def run(*arguments, status: int = 0, given: str = "", environment: dict | None = None) -> subprocess.CompletedProcess:
    """Runs a command to its end and insists on its exit status."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("CHAPPE_")}
    result = subprocess.run(
        [chappe_binary(), *map(str, arguments)], input=given, capture_output=True, text=True, timeout=60,
        env={**surroundings, **(environment or {})},
    )
    assert result.returncode == status, f"{arguments}: status {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


class Initialized(Chappe):
    """A server as `chappe init` sets it up."""

    server_name = "init.example"

    def prepare(self) -> None:
        self.directory.rmdir()
        run("init", "--directory", self.directory, "--server-name", self.server_name, "--port", self.port,
            "--public-base-url", self.url)


@pytest.fixture
def initialized(tmp_path):
    server = Initialized(tmp_path / "server", "sqlite")
    yield server
    server.end()


def test_init_serves_and_users_sign_in(initialized):
    server = initialized
    configuration = server.directory / "chappe.yaml"
    for secret in (server.directory / "signing.key", configuration):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600, secret
    assert re.fullmatch(r"ed25519 \w+ [A-Za-z0-9+/]{43}\n", (server.directory / "signing.key").read_text())
    server.start()
    assert stat.S_IMODE((server.directory / "chappe.sock").stat().st_mode) & 0o077 == 0, "others may not open the socket"

    made = run("user", "create", "admin", "--admin", "--password-stdin", "--config", configuration, given="secret one\n")
    assert made.stdout == "@admin:init.example\n"
    run("user", "create", "alice", "--displayname", "Alice", "--password-stdin", "-c", configuration, given="secret two\n")
    again = run("user", "create", "alice", "--password-stdin", "-c", configuration, given="x\n", status=1)
    assert "alice" in again.stderr or "taken" in again.stderr
    alice = login(server, "@alice:init.example", "secret two")
    room = alice.create_room(name="Shown")

    users = {user["user_id"]: user for user in json.loads(run("user", "list", "--json", "-c", configuration).stdout)}
    assert users.keys() == {"@admin:init.example", "@alice:init.example"}
    assert users["@admin:init.example"]["admin"] is True
    assert "@alice:init.example" in run("user", "list", "-c", configuration).stdout
    shown = json.loads(run("user", "show", "alice", "--json", "-c", configuration).stdout)
    assert shown["user_id"] == alice.user and alice.token not in json.dumps(shown)
    rooms = json.loads(run("room", "list", "--json", "-c", configuration).stdout)
    assert [entry["room_id"] for entry in rooms] == [room]
    assert alice.user in run("room", "show", room, "-c", configuration).stdout
    run("room", "show", "!nothing:init.example", "-c", configuration, status=1)

    run("user", "password", "alice", "--password-stdin", "-c", configuration, given="secret three\n")
    alice.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    login(server, "@alice:init.example", "secret three")
    run("user", "deactivate", "alice", "--yes", "-c", configuration)
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": "secret three"}
    assert Client(server).request("POST", "/_matrix/client/v3/login", json=body, expect=403)
    server.restart()
    assert len(json.loads(run("user", "list", "--json", "-c", configuration).stdout)) >= 1


def test_init_overwrites_nothing(initialized):
    before = (initialized.directory / "signing.key").read_text()
    refused = run("init", "--directory", initialized.directory, "--server-name", "other.example", status=1)
    assert "exists" in refused.stderr
    assert (initialized.directory / "signing.key").read_text() == before


def test_commands_say_that_no_server_runs(initialized):
    failed = run("user", "list", "-c", initialized.directory / "chappe.yaml", status=1)
    assert failed.stderr.strip() and "rror Domain" not in failed.stderr


def test_wrong_usage_ends_with_2(tmp_path):
    for arguments in (["nonsense"], ["serve", "--no-such-option"], ["user", "create"], ["init"]):
        assert "Usage" in run(*arguments, status=2).stderr
    for arguments in (["--help"], ["serve", "--help"], ["user", "create", "--help"]):
        assert "USAGE" in run(*arguments).stdout
    assert run("--version").stdout.strip()


def test_the_example_configuration_is_valid(tmp_path):
    text = (ROOT / "Deploy" / "chappe.example.yaml").read_text()
    # What the example names has to exist: a signing key, a certificate.
    text = text.replace("/var/lib/chappe", str(tmp_path))
    server = Initialized(tmp_path / "key", "sqlite")
    (tmp_path / "signing.key").write_text((server.directory / "signing.key").read_text())
    (tmp_path / "signing.key").chmod(0o600)
    for name in ("turn", "livekit", "visio", "visio-webhook", "jitsi"):
        (tmp_path / f"{name}.secret").write_text("secret\n")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=example.gouv.fr", "-keyout",
         tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"], check=True, capture_output=True,
    )
    example = tmp_path / "chappe.yaml"
    example.write_text(text)
    run("check-config", "--config", example)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "chappe.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server_name: a.example\nregistration: {mode: sometimes}\n", ["line 2", "registration.mode", "closed"]),
        ("server_name: a.example\nmedia:\n  preview: {deny: [a/b]}\n", ["line 3", "media.preview.deny", "a/b"]),
        ("server_name: a.example\nmedia:\n  preview: {languages: [\"fr, en\"]}\n", ["line 3", "media.preview.languages"]),
        ("server_name: a.example\nidentity_servers: [{name: a b, url: x}]\n", ["identity_servers[0].name", "identity_servers[0].url"]),
        ("server_name: a.example\nidentity_servers: [{url: https://a}]\n", ["identity_servers[0].name", "missing"]),
        ("server_name: a.example\nmail:\n  notifications: {delay: 1}\n", ["line 3", "delay_seconds"]),
        ("server_name: a.example\nlisteners:\n  - {bind: 127.0.0.1, prot: 1}\n", ["line 3", "prot", "port"]),
        ("server_name: a.example\ncache_byte: 1\n", ["line 2", "cache_byte", "cache_bytes"]),
        ("server_name: a.example\nrate_limits: {message: {burst: many}}\n", ["line 2", "rate_limits.message.burst"]),
        ("server_name: 'no good'\n", ["line 1", "server_name"]),
        ("data_dir: /var/lib\n", ["server_name", "missing"]),
        ("server_name: [\n", ["YAML"]),
        ("server_name: a.example\nrooms: {default_version: '99'}\n", ["line 2", "default_version"]),
        ("server_name: a.example\nmail: {smtp: {port: 25}}\n", ["mail.smtp.host", "missing"]),
        ("server_name: a.example\nmail: {smtp: {host: x, user: u}}\n", ["line 2", "mail.smtp.user", "password"]),
        ("server_name: a.example\nmail: {smtp: {host: x, encryption: none, user: u, password: p}}\n",
         ["mail.smtp.user", "in the clear"]),
        ("server_name: a.example\nmail: {smtp: {host: x, user: u, password: p, password_file: f}}\n", ["mail.smtp.password"]),
        ("server_name: a.example\nmail: {smtp: {host: x, encryption: tls}}\n", ["mail.smtp.encryption", "implicit"]),
        ("server_name: a.example\nmail: {from: nobody}\n", ["line 2", "mail.from"]),
        ("server_name: a.example\nmail: {smtp: {host: x, user: u, password_file: /no/such}}\n", ["/no/such"]),
    ],
)
def test_check_config_says_what_is_wrong(tmp_path, text, said):
    result = run("check-config", "--config", write(tmp_path, text), status=1)
    for words in said:
        assert words in result.stderr, result.stderr


def test_a_missing_file_is_told(tmp_path):
    assert "nothing.yaml" in run("serve", "--config", tmp_path / "nothing.yaml", status=1).stderr


def test_environment_variables_override_the_file(tmp_path):
    configuration = write(tmp_path, "server_name: a.example\n")
    result = run("check-config", "--config", configuration, environment={"CHAPPE_REGISTRATION__MODE": "sometimes"}, status=1)
    assert "registration.mode" in result.stderr


def test_what_is_written_to_the_log_holds_no_secret(initialized):
    server = initialized
    server.start()
    configuration = server.directory / "chappe.yaml"
    run("user", "create", "alice", "--password-stdin", "-c", configuration, given="a very secret password\n")
    alice = login(server, "@alice:init.example", "a very secret password")
    room = alice.create_room()
    alice.say(room, "a very secret message")
    Client(server).request("GET", "/_matrix/client/v3/sync", params={"access_token": "syt_in_the_query"}, expect=401)
    server.stop()
    log = server.log_path.read_text()
    for secret in ("very secret", alice.token, "syt_in_the_query"):
        assert secret not in log
