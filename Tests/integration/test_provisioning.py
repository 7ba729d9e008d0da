"""Administration from the command line: accounts, lists of them, tokens, sessions, and the trail of who did what."""

import json
import re
import subprocess

import pytest
from harness.administration import administrator, chappe  # noqa: F401  (fixtures)
from harness.clients import Client, login, register_administrator
from harness.commands import CommandLine
from harness.servers import ROOT, chappe_binary

pytestmark = pytest.mark.only_chappe(reason="its own commands")

ADMIN = "/_chappe/admin/v1"


def refused_login(server, user: str, password: str) -> dict:
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}
    return Client(server).request("POST", "/_matrix/client/v3/login", json=body, expect=(401, 403)).json()


def entries(chappe, subject: str) -> list[dict]:
    return chappe.trail(subject)


def test_an_account_lives(chappe, server):
    user = f"@vera:{server.server_name}"
    chappe("user", "create", "vera", "--password-stdin", "--reason", "new in the press office", given="first secret\n")
    client = login(server, user, "first secret")
    chappe("user", "displayname", "vera", "Vera Rubin")
    assert client.get("profile", user)["displayname"] == "Vera Rubin"
    chappe("user", "email", "add", "vera", "Vera.Rubin@example.org")
    assert client.get("account", "3pid")["threepids"][0]["address"].lower() == "vera.rubin@example.org"
    chappe("user", "email", "add", "vera", "no address", status=1)
    shown = chappe.json("user", "show", "vera")
    assert [address.lower() for address in shown["emails"]] == ["vera.rubin@example.org"]
    chappe("user", "email", "remove", "vera", "vera.rubin@example.org")
    chappe("user", "email", "remove", "vera", "vera.rubin@example.org", status=1)
    assert client.get("account", "3pid")["threepids"] == []

    other = login(server, user, "first secret")
    assert {device["device_id"] for device in chappe.json("user", "devices", "vera")} == {client.device, other.device}
    assert chappe.json("user", "sessions", "end", "vera", "--device", other.device) == {"ended": 1}
    other.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    client.get("account", "whoami")
    chappe("user", "sessions", "end", "vera", "--device", "NOSUCH", status=1)
    assert chappe.json("user", "sessions", "end", "vera") == {"ended": 1}
    client.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")

    chappe("user", "deactivate", "vera", status=1, given="somebody else\n")
    login(server, user, "first secret").close()
    chappe("user", "deactivate", "vera", "--yes", "--reason", "left")
    refused_login(server, "vera", "first secret")
    chappe("user", "create", "vera", "--no-password", status=1)
    chappe("user", "reactivate", "vera", "--password-stdin", given="second secret\n")
    chappe("user", "reactivate", "vera", "--no-password", status=1)
    assert login(server, user, "second secret").user == user

    told = chappe.trail(user)
    assert [entry["action"] for entry in told if entry["actor"] == "socket"] == [
        "user.create", "user.displayname", "user.email.add", "user.email.remove", "session.end", "session.end",
        "user.deactivate", "user.reactivate",
    ]
    assert told[0]["reason"] == "new in the press office"
    starts = [entry for entry in told if entry["action"] == "session.start"]
    assert len(starts) == 4 and all(entry["actor"] == user and entry["address"] == "127.0.0.1" for entry in starts)
    assert "secret" not in json.dumps(told)


def test_administrators_elsewhere_use_their_token(chappe, server, administrator, tmp_path):
    token = tmp_path / "token"
    token.write_text(administrator.token + "\n")
    elsewhere = ("--url", server.url, "--token-file", token)
    run = CommandLine(server)
    run("user", "create", "wim", "--no-password", "--reason", "réserve d’été", *elsewhere, socket=False)
    listed = run.json("user", "list", *elsewhere, socket=False)
    assert f"@wim:{server.server_name}" in {user["user_id"] for user in listed}
    run("user", "lock", "wim", "--url", server.url, socket=False, environment={"CHAPPE_ADMIN_TOKEN": administrator.token})
    told = chappe.trail(f"@wim:{server.server_name}")
    assert [(entry["actor"], entry["action"]) for entry in told] == [
        (administrator.user, "user.create"), (administrator.user, "user.lock")
    ]
    assert told[0]["reason"] == "réserve d’été" and told[0]["address"] == "127.0.0.1"
    wrong = run("user", "list", "--url", server.url, socket=False, status=1, environment={"CHAPPE_ADMIN_TOKEN": "no"})
    assert "token" in wrong.stderr.lower()
    assert "access token" in run("user", "list", "--url", server.url, socket=False, status=1).stderr
    gone = run("user", "list", "--url", "http://127.0.0.1:1", socket=False, status=1, environment={"CHAPPE_ADMIN_TOKEN": "x"})
    assert "does not answer" in gone.stderr


def test_a_list_is_imported(chappe, server, tmp_path):
    listing = tmp_path / "people.csv"
    listing.write_text(
        "\ufefflocalpart,email,displayname,password,admin\r\n"
        'anna,anna@example.org,"Anna ""A."" Freud",a secret of annas,no\r\n'
        ",marie.curie@example.org pierre.curie@example.org,Marie Curie,,\r\n"
        "\r\n"
        'boss,,"The, boss\nof all",,yes\r\n', encoding="utf-8", newline="",
    )
    assert chappe.json("user", "import", listing, "--dry-run") == {"new": 3, "known": 0, "dry_run": True}
    chappe("user", "show", "anna", status=1)
    assert chappe.json("user", "import", listing) == {"new": 3, "known": 0, "dry_run": False}
    anna = login(server, f"@anna:{server.server_name}", "a secret of annas")
    assert anna.get("profile", anna.user)["displayname"] == 'Anna "A." Freud'
    marie = chappe.json("user", "show", "marie.curie-example.org")
    assert marie["emails"] == ["marie.curie@example.org", "pierre.curie@example.org"] and not marie["has_password"]
    assert chappe.json("user", "show", "boss")["admin"] is True
    # Given again, it changes nothing; a longer one makes the rest.
    with listing.open("a", newline="") as file:
        file.write("dora,,Dora,,\r\n")
    assert chappe.json("user", "import", listing) == {"new": 1, "known": 3, "dry_run": False}
    assert [entry["action"] for entry in chappe.trail(f"@dora:{server.server_name}")] == ["user.create"]
    login(server, anna.user, "a secret of annas").close()


def test_what_is_wrong_with_a_list_is_told_by_line(chappe, tmp_path):
    listing = tmp_path / "people.csv"
    listing.write_text(
        "localpart,email,password,admin\n"
        "good,good@example.org,,\n"
        "bad name,,,\n"
        "short,,x,perhaps\n"
        "good,,,\n"
        "few,fields\n"
        "other,no address,,\n"
        ",,,\n"
    )
    told = chappe("user", "import", listing, status=1).stderr
    for line in (3, 4, 5, 6, 7, 8):
        assert f"line {line}: " in told, told
    assert "line 2:" not in told and "nothing was done" in told
    chappe("user", "show", "good", status=1)
    listing.write_text("localpart,email,phone\n")
    assert "phone" in chappe("user", "import", listing, status=1).stderr
    listing.write_bytes(b"localpart\n\xff\n")
    assert "UTF-8" in chappe("user", "import", listing, status=1).stderr
    listing.write_text('localpart\n"open\n')
    assert "line 2" in chappe("user", "import", listing, status=1).stderr
    assert "cannot be read" in chappe("user", "import", tmp_path / "nothing.csv", status=1).stderr


def test_many_accounts_are_imported(chappe, tmp_path):
    listing = tmp_path / "many.csv"
    count = 1_200
    listing.write_text(
        "localpart,email,displayname\n"
        + "".join(f"clerk{number},clerk{number}@many.example,Clerk {number}\n" for number in range(count))
    )
    assert chappe.json("user", "import", listing)["new"] == count
    assert chappe.json("user", "import", listing) == {"new": 0, "known": count, "dry_run": False}
    listing.write_text("localpart,email\nlatecomer,clerk7@many.example\n")
    assert "another account" in chappe("user", "import", listing, status=1).stderr


def test_tokens_are_handed_out_and_revoked(chappe):
    made = chappe("token", "create").stdout.strip()
    chosen = chappe.json("token", "create", "--token", "for.the_press-office", "--uses", 3, "--days", 30)
    assert chosen["uses_allowed"] == 3 and chosen["completed"] == 0 and chosen["valid"] is True
    listed = {token["token"]: token for token in chappe.json("token", "list")}
    assert listed[made]["uses_allowed"] is None and listed["for.the_press-office"]["expiry_time"] > 0
    chappe("token", "create", "--token", "for.the_press-office", status=1)
    chappe("token", "create", "--token", "not allowed", status=1)
    chappe("token", "create", "--days", 0, status=2)
    chappe("token", "revoke", made)
    chappe("token", "revoke", made, status=1)
    assert made not in {token["token"] for token in chappe.json("token", "list")}
    trail = chappe("audit", "search", "--action", "token").stdout
    assert "token.create" in trail and "token.revoke" in trail and "for.the_press-office" not in trail


def test_the_trail_is_proved(chappe, server, alice):
    chappe("user", "lock", alice.user, "--reason", "lost telephone")
    first = chappe.json("audit", "verify")
    assert first["valid"] is True and first["entries"] > 0
    chappe("user", "unlock", alice.user)
    second = chappe.json("audit", "verify")
    assert second["valid"] is True and second["entries"] > first["entries"]
    chappe("audit", "verify", "--expect", f"{first['entries']}:{first['hash']}")
    chappe("audit", "verify", "--expect", f"{first['entries']}:{second['hash']}", status=1)
    chappe("audit", "verify", "--expect", f"{second['entries'] + 5}:{second['hash']}", status=1)
    chappe("audit", "verify", "--expect", "nonsense", status=1)
    tail = chappe("audit", "tail", "-n", 2).stdout
    assert "user.lock" in tail and "lost telephone" in tail and "user.unlock" in tail
    lines = [json.loads(line) for line in chappe("audit", "export").stdout.splitlines()]
    assert [line["num"] for line in lines] == list(range(1, len(lines) + 1)) and len(lines) >= second["entries"]
    assert "user.lock" not in chappe("audit", "search", "--since", "2999-01-01").stdout
    chappe("audit", "search", "--since", "yesterday", status=1)


def is_local(where: str) -> bool:
    """Whether a route is on the socket only: a backup is a folder on the server's machine."""
    return where.startswith(f"{ADMIN}/backups")


def routes(local: bool = False) -> list[tuple[str, str]]:
    """Every administration route, as the sources name them: of the listeners, or of the socket alone."""
    found = []
    for source in sorted((ROOT / "Sources" / "AdminAPI").rglob("*.swift")):
        for method, where in re.findall(r"\.(get|post|put|delete)\(\"(/_(?:chappe|synapse)/[^\"]+)\"", source.read_text()):
            if where != "/_synapse/admin/v1/register":  # for whoever knows the shared secret
                found.append((method.upper(), re.sub(r"\{\w+\}", "x", where)))
    assert len(found) > 15
    return [route for route in found if is_local(route[1]) == local]


@pytest.mark.parametrize("method, where", routes())
def test_only_administrators_are_answered(server, administrator, alice, method, where):
    def ask(token):
        return Client(server).request(method, where, json={}, token=token, expect=(401, 403), schema=False).json()

    assert ask(None)["errcode"] == "M_MISSING_TOKEN"
    assert ask("nonsense")["errcode"] == "M_UNKNOWN_TOKEN"
    assert ask(alice.token)["errcode"] == "M_FORBIDDEN"


@pytest.mark.parametrize("method, where", routes(local=True))
def test_nobody_reaches_from_elsewhere_what_is_on_the_socket_only(server, administrator, method, where):
    for token in (None, administrator.token):
        answer = Client(server).request(method, where, json={}, token=token, expect=404, schema=False).json()
        assert answer["errcode"] == "M_UNRECOGNIZED"


def test_a_locked_administrator_is_no_administrator(chappe, server):
    former = register_administrator(server, "former.head")
    former.request("GET", f"{ADMIN}/users", schema=False)
    chappe("user", "lock", "former.head")
    for method, where in routes():
        answer = former.request(method, where, json={}, expect=401, schema=False).json()
        assert answer["errcode"] == "M_USER_LOCKED", (method, where)


def test_a_stopped_server_is_told_of(tmp_path):
    configuration = tmp_path / "chappe.yaml"
    subprocess.run(
        [chappe_binary(), "init", "--directory", tmp_path / "d", "--server-name", "off.example", "--port", "1",
         "--public-base-url", "http://127.0.0.1:1"], check=True, capture_output=True,
    )
    configuration = tmp_path / "d" / "chappe.yaml"
    for command in (("user", "list"), ("token", "list"), ("audit", "tail"), ("room", "list")):
        result = subprocess.run(
            [chappe_binary(), *command, "--config", configuration], capture_output=True, text=True, timeout=60)
        assert result.returncode == 1 and "is it running?" in result.stderr, command
    usage = subprocess.run([chappe_binary(), "user", "fly"], capture_output=True, text=True, timeout=60)
    assert usage.returncode == 2 and usage.stderr
