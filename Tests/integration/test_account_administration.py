"""What administrators do with accounts beyond making them: ends, shadow bans, limits, what users read, what is kept of them."""

import json
import subprocess
import threading
import time

import pytest
from harness import mail
from harness.app_services import AppService
from harness.clients import Client, login, path, register_administrator
from harness.commands import CommandLine
from harness.servers import ROOT, chappe_binary
from harness.synadm import V1, V2, Asker, acts, upload
from harness.waiting import eventually

pytestmark = pytest.mark.only_chappe(reason="its own commands, and a part of what Synapse has")

VALIDITY = "/_synapse/client/email_account_validity"
BURST = 8


@pytest.fixture(scope="module")
def post():
    with mail.running() as post:
        yield post


@pytest.fixture(scope="module")
def service():
    """An application service that does not run."""
    return AppService("away")


@pytest.fixture(scope="module")
def server(make_server, engine, post, service, tmp_path_factory):
    plenty = {"per_second": 1_000, "burst": 10_000}
    server = make_server(
        engine,
        settings={
            "mail": {"smtp": {"host": "127.0.0.1", "port": post.port}},
            "accounts": {"validity": {
                "enabled": True, "period_seconds": 864_000, "remind_before_seconds": [3_600], "exempt_domains": ["*.exempt.example"],
            }},
            "audit": {"reads": {"enabled": True, "maximum_a_day": 6}},
            "app_services": [service.write(tmp_path_factory.mktemp("registrations"))],
            "federation": {"mode": "closed", "allow": ["127.0.0.1:1"], "deny": ["*.enemy.example"]},
            "rate_limits": {
                "enabled": True, "message": {"per_second": 0.01, "burst": BURST}, "login": plenty, "registration": plenty,
                "room_creation": plenty, "invite": plenty, "invite_room": plenty, "invite_user": plenty, "join": plenty,
            },
        },
    ).start()
    yield server
    assert server.process.poll() is None
    server.finish()


@pytest.fixture(scope="module")
def chappe(server):
    return CommandLine(server)


@pytest.fixture(scope="module")
def administrator(server):
    client = register_administrator(server, "warden")
    yield client
    client.close()


@pytest.fixture
def ask(administrator):
    return Asker(administrator)


def localpart(client: Client) -> str:
    return client.user[1:].split(":")[0]


def ended(client: Client) -> None:
    client.refused("ORG_MATRIX_EXPIRED_ACCOUNT", 403, "GET", "account", "whoami")
    client.refused("ORG_MATRIX_EXPIRED_ACCOUNT", 403, "GET", "sync")


# Validity


def test_an_account_ends_and_is_renewed_by_mail(server, chappe, post, alice, bob, engine):
    name = localpart(alice)
    address = f"{name}.{engine}@ministry.example"
    shown = chappe.json("user", "validity", "show", name)
    assert shown["expired"] is shown["exempt"] is False and shown["renewal_mails"] is True
    assert abs(shown["expires_ts"] - (time.time() + 864_000) * 1000) < 600_000
    chappe("user", "email", "add", name, address)

    since = alice.sync()["next_batch"]
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(alice.sync(since, timeout=50_000)))
    waiting.start()
    time.sleep(0.5)
    chappe("user", "validity", "set", name, "--until", "2020-01-01", "--reason", "left the ministry")
    waiting.join(30)
    assert answers and "rooms" not in answers[0]
    ended(alice)
    assert chappe.json("user", "validity", "show", name)["expired"] is True

    alice.request("POST", f"{VALIDITY}/send_mail", json={}, schema=False)
    letter = post.mails_to(address)[-1]
    assert "Renew your account" in letter["Subject"] and "ended on 2020-01-01" in mail.text_of(letter)
    where, query = mail.parts(post.link_to(address))
    assert where == f"{VALIDITY}/renew"
    anybody = Client(server)
    anybody.request("GET", where, params={"token": "x" * 32}, expect=400, schema=False)
    anybody.request("GET", where, expect=400, schema=False)
    ended(alice)
    page = anybody.request("GET", where, params=query, schema=False)
    assert "is renewed" in page.text and page.headers["content-type"].startswith("text/html")
    alice.get("account", "whoami")  # with the same token
    assert "renewed before" in anybody.request("GET", where, params=query, schema=False).text
    # Another mail makes the link before it useless. Tchap's clients ask for it at the older address.
    alice.request("POST", "/_matrix/client/unstable/account_validity/send_mail", json={}, schema=False)
    anybody.request("GET", where, params=query, expect=400, schema=False)

    chappe("user", "validity", "set", name, "--until", "2020-01-01T10:00:00Z")
    alice.request("POST", path("logout"), json={}, schema=False)
    alice.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    chappe("user", "validity", "set", name, "--forever")
    assert chappe.json("user", "validity", "show", name)["expires_ts"] is None
    again = login(server, alice.user)
    assert again.request("POST", f"{VALIDITY}/send_mail", json={}, schema=False, expect=400).json()["errcode"] == "M_UNKNOWN"
    chappe("user", "validity", "renew", name)
    told = [entry for entry in chappe.trail(alice.user) if entry["action"] == "user.validity"]
    assert len(told) == 4 and told[0]["reason"] == "left the ministry" and told[2]["detail"] == {"expires_ts": None}

    # Wrong usage, and who is not there.
    chappe("user", "validity", "set", name, status=2)
    chappe("user", "validity", "set", name, "--until", "soon", status=1)
    chappe("user", "validity", "show", "nobody.at.all", status=1)
    bob.get("account", "whoami")


def test_users_are_reminded_also_after_a_stop(server, chappe, post, administrator, ask, alice, bob, engine):
    def soon(client: Client, **options) -> str:
        address = f"{localpart(client)}.{engine}@soon.example"
        chappe("user", "email", "add", localpart(client), address)
        body = {"user_id": client.user, "expiration_ts": int((time.time() + 3_602) * 1000), **options}
        assert ask("POST", VALIDITY, "admin", json=body) == {"expiration_ts": body["expiration_ts"]}
        return address

    reminded, silent = soon(alice), soon(bob, enable_renewal_emails=False)
    server.stop()
    time.sleep(2.5)
    assert post.mails_to(reminded) == []
    server.start()
    eventually(lambda: post.mails_to(reminded), what="a reminder")
    where, query = mail.parts(post.link_to(reminded))
    Client(server).request("GET", where, params=query, schema=False)
    assert chappe.json("user", "validity", "show", localpart(alice))["expires_ts"] > (time.time() + 860_000) * 1000
    assert len(post.mails_to(reminded)) == 1 and post.mails_to(silent) == []
    body = {"user_id": bob.user, "expiration_ts": 1}
    alice.request("POST", f"{VALIDITY}/admin", json=body, expect=403, schema=False)
    ask("POST", VALIDITY, "admin", json={"user_id": f"@nobody:{server.server_name}"}, expect=404)
    ask("POST", VALIDITY, "admin", json=body)
    ended(bob)
    assert ask("POST", VALIDITY, "admin", json={"user_id": bob.user})["expiration_ts"] > (time.time() + 860_000) * 1000
    bob.get("account", "whoami")


def test_some_accounts_do_not_end(chappe, alice, engine):
    name = localpart(alice)
    chappe("user", "email", "add", name, f"{name}.{engine}@office.exempt.example")
    chappe("user", "validity", "set", name, "--until", "2020-01-01")
    alice.get("account", "whoami")
    shown = chappe.json("user", "validity", "show", name)
    assert shown["exempt"] is True and shown["expired"] is False
    chappe("user", "email", "remove", name, f"{name}.{engine}@office.exempt.example")
    chappe("user", "validity", "set", name, "--until", "2020-01-02")
    ended(alice)


# Shadow bans and limits


def test_nobody_hears_whoever_is_shadow_banned(chappe, ask, users, server):
    eve, alice, bob = users("eve", "alice", "bob")
    room = alice.create_room(preset="public_chat", power_level_content_override={"invite": 0})
    eve.join(room)
    eve.say(room, "heard")
    public = bob.create_room(preset="public_chat")
    ask("POST", V1, "users", eve.user, "shadow_ban")
    assert ask("GET", V2, "users", eve.user)["shadow_banned"] is True
    assert ask("GET", V2, "users", params={"order_by": "shadow_banned", "dir": "b"})["users"][0]["name"] == eve.user
    since = alice.sync()["next_batch"]
    before = bob.sync()["next_batch"]

    # All of it is answered as if it had been done, or refused as it would have been.
    event = eve.say(room, "not heard")
    eve.invite(room, bob)
    eve.join(public)
    eve.put("rooms", room, "typing", eve.user, json={"typing": True, "timeout": 5_000})
    eve.put("profile", eve.user, "displayname", json={"displayname": "Not seen"})
    eve.put("sendToDevice", "m.x", "t1", json={"messages": {alice.user: {"*": {"a": 1}}}})
    eve.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.topic", "", json={"topic": "x"})
    eve.refused("M_FORBIDDEN", 403, "POST", "rooms", room, "ban", json={"user_id": alice.user})
    own = eve.create_room(invite=[bob.user], preset="private_chat")
    eve.set_state(own, "m.room.topic", {"topic": "x"})
    eve.refused("M_NOT_FOUND", 404, "GET", "rooms", own, "state", "m.room.topic", "")

    alice.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "event", event)
    news = alice.sync(since)
    assert room not in news.get("rooms", {}).get("join", {}) and news.get("to_device", {}).get("events", []) == []
    assert "invite" not in bob.sync(before).get("rooms", {}) and eve.user not in bob.get("rooms", public, "joined_members")["joined"]
    assert alice.get("rooms", room, "joined_members")["joined"][eve.user]["display_name"] != "Not seen"

    chappe("user", "shadow-ban", localpart(eve), "--revoke", "--reason", "a mistake")
    eve.say(room, "heard again")
    bodies = [event["content"].get("body") for event in alice.messages(room, limit=20)["chunk"]]
    assert "heard again" in bodies and "heard" in bodies and "not heard" not in bodies
    chappe("user", "shadow-ban", localpart(eve))
    eve.leave(room)
    assert eve.user not in alice.get("rooms", room, "joined_members")["joined"]
    ask("DELETE", V1, "users", eve.user, "shadow_ban")
    assert [entry["action"] for entry in chappe.trail(eve.user) if "shadow" in entry["action"]] == [
        "user.shadow_ban", "user.unshadow_ban", "user.shadow_ban", "user.unshadow_ban",
    ]
    ask("POST", V1, "users", "@x:elsewhere.example", "shadow_ban", expect=400)
    chappe("user", "shadow-ban", "nobody.at.all", status=1)


def test_limits_of_a_user_take_the_place_of_the_configured_ones(chappe, ask, alice):
    room = alice.create_room()
    assert ask("GET", V1, "users", alice.user, "override_ratelimit") == {}
    for number in range(BURST):
        alice.say(room, f"{number}")
    alice.refused("M_LIMIT_EXCEEDED", 429, "PUT", "rooms", room, "send", "m.room.message", "over", json={"body": "x", "msgtype": "m.text"})
    unlimited = {"messages_per_second": 0, "burst_count": 0}
    assert ask("POST", V1, "users", alice.user, "override_ratelimit") == unlimited
    assert ask("GET", V1, "users", alice.user, "override_ratelimit") == unlimited
    for number in range(BURST + 2):
        alice.say(room, f"{number}")
    chappe("user", "rate-limit", localpart(alice), "--per-second", 1_000, "--burst", 3)
    assert chappe.json("user", "rate-limit", localpart(alice)) == {"per_second": 1000, "burst": 3}
    alice.say(room, "within")
    assert ask("DELETE", V1, "users", alice.user, "override_ratelimit") == {}
    assert "as configured" in chappe("user", "rate-limit", localpart(alice)).stdout
    ask("POST", V1, "users", alice.user, "override_ratelimit", json={"messages_per_second": -1}, expect=400)
    ask("POST", V1, "users", alice.user, "override_ratelimit", json={"messages_per_second": "a"}, expect=400)
    chappe("user", "rate-limit", localpart(alice), "--per-second", -1, status=2)
    assert acts(chappe.trail(alice.user), "socket") == ["user.rate_limit"]


def test_accounts_are_found_by_what_others_know_of_them(ask, users, engine):
    alice, bob = users("alice", "bob")
    known = [{"auth_provider": "cas", "external_id": f"A/{alice.user}"}, {"auth_provider": "oidc", "external_id": "7 é"}]
    assert ask("PUT", V2, "users", alice.user, json={"external_ids": known})["external_ids"] == known
    assert ask("GET", V1, "auth_providers", "cas", "users", f"A/{alice.user}") == {"user_id": alice.user}
    assert ask("PUT", V2, "users", bob.user, json={"external_ids": known[:1]}, expect=409)["errcode"] == "M_UNKNOWN"
    assert ask("PUT", V2, "users", alice.user, json={"external_ids": known[1:]})["external_ids"] == known[1:]
    ask("GET", V1, "auth_providers", "cas", "users", f"A/{alice.user}", expect=404)
    address = f"{localpart(alice)}.{engine}@found.example"
    ask("PUT", V2, "users", alice.user, json={"threepids": [{"medium": "email", "address": address}]})
    assert ask("GET", V1, "threepid", "email", "users", address) == {"user_id": alice.user}
    ask("POST", V1, "deactivate", alice.user)
    ask("GET", V1, "auth_providers", "oidc", "users", "7 é", expect=404)


# What users read, and what is kept of them


def test_what_a_user_has_read_can_be_answered(chappe, users):
    alice, bob = users("alice", "bob")
    room = alice.create_room(preset="public_chat")
    event = alice.say(room, "to be read")
    file = upload(alice, b"to be downloaded", "file.txt")
    bob.join(room)
    page = bob.messages(room)
    bob.get("rooms", room, "context", event)
    bob.event(room, event)
    where = ("media", "download", bob.user.split(":")[1], file)
    bob.request("GET", path(*where, base="/_matrix/client/v1"))
    bob.messages(room)
    bob.messages(room)
    bob.messages(room)
    name = localpart(bob)
    shown = chappe.json("audit", "reads", name, "--from", "2020-01-01", "--until", "2999-12-31", "--reason", "a leak")
    assert [read["kind"] for read in shown] == ["join", "messages", "messages", "messages", "media", "messages"]
    assert shown[0]["room_id"] == shown[1]["room_id"] == room and shown[4]["uri"].endswith(file)
    assert shown[1]["from"] == page["start"] and shown[3]["from"] == event
    assert {read["device_id"] for read in shown} == {bob.device} and {read["address"] for read in shown} == {"127.0.0.1"}
    assert all(abs(read["ts"] - time.time() * 1000) < 600_000 for read in shown)
    table = chappe("audit", "reads", name)
    assert "2 more" in table.stderr and room in table.stdout
    assert chappe.json("audit", "reads", name, "--until", "2020-01-01") == []
    assert chappe.json("audit", "reads", localpart(alice)) == []
    looked = [entry for entry in chappe.trail(bob.user) if entry["action"] == "user.reads"]
    assert len(looked) == 3 and looked[0]["reason"] == "a leak" and looked[0]["detail"]["until"] > looked[0]["detail"]["since"]
    chappe("audit", "reads", name, "--from", "yesterday", status=1)
    chappe("audit", "reads", "nobody.at.all", status=1)


def test_all_that_is_kept_of_a_user_is_written_out(chappe, users, tmp_path):
    alice, bob = users("alice", "bob")
    room = alice.create_room(name="A room", preset="public_chat")
    bob.join(room)
    alice.say(room, "written by alice")
    bob.say(room, "written by bob")
    alice.put("user", alice.user, "account_data", "org.example.note", json={"kept": True})
    alice.put("profile", alice.user, "displayname", json={"displayname": "Ali Çe"})
    file = upload(alice, b"uploaded", "papers.txt")
    name = localpart(alice)
    lines = [json.loads(line) for line in chappe("user", "export", name, "--reason", "asked by the user").stdout.splitlines()]
    parts: dict[str, list] = {}
    for line in lines:
        parts.setdefault(line["part"], []).append(line)
    account = parts["account"][0]
    assert account["user_id"] == alice.user and account["profile"]["displayname"] == "Ali Çe"
    assert [device["device_id"] for device in parts["devices"]] == [alice.device]
    assert [(item["room_id"], item["membership"]) for item in parts["rooms"]] == [(room, "join")]
    assert {"type": "org.example.note", "content": {"kept": True}, "part": "account_data"} in parts["account_data"]
    assert [item["media_id"] for item in parts["media"]] == [file]
    bodies = [event["content"].get("body") for event in parts["events"]]
    assert "written by alice" in bodies and "written by bob" not in bodies
    assert alice.token not in json.dumps(lines)
    target = tmp_path / "alice"
    assert "1 account" in chappe("user", "export", name, "--directory", target).stdout
    assert (target.stat().st_mode & 0o777, (target / "events.jsonl").stat().st_mode & 0o777) == (0o700, 0o600)
    assert json.loads((target / "account.jsonl").read_text())["user_id"] == alice.user
    assert len((target / "events.jsonl").read_text().splitlines()) == len(parts["events"])
    assert "cannot be made" in chappe("user", "export", name, "--directory", target, status=1).stderr
    chappe("user", "export", "nobody.at.all", "--directory", tmp_path / "nobody", status=1)
    assert not (tmp_path / "nobody").exists()
    assert [entry["action"] for entry in chappe.trail(alice.user)].count("user.export") == 14


# Other servers and application services


def test_servers_are_allowed_and_denied_at_once(server, chappe, alice):
    def asked(name: str) -> str:
        return alice.request("GET", path("profile", f"@x:{name}"), expect=(403, 404, 502), schema=False).json()["error"]

    refused = "does not federate with"
    shown = {rule["pattern"]: rule for rule in chappe.json("federation", "show")["rules"]}
    assert shown["127.0.0.1:1"]["source"] == "configuration" and shown["*.enemy.example"]["allowed"] is False
    assert refused in asked("127.0.0.1:2") and refused not in asked("127.0.0.1:1")
    chappe("federation", "allow", "127.0.0.1:2", "--reason", "a new ministry")
    chappe("federation", "deny", "127.0.0.1:1")
    assert refused not in asked("127.0.0.1:2") and refused in asked("127.0.0.1:1")
    assert "*.enemy.example" in chappe("federation", "allow", "*.enemy.example", status=1).stderr
    chappe("federation", "allow", "no server", status=1)
    server.restart()
    assert refused not in asked("127.0.0.1:2") and refused in asked("127.0.0.1:1")
    table = chappe("federation", "show").stdout
    assert "denied" in table and "socket" in table and "127.0.0.1:2" in table
    chappe("federation", "forget", "127.0.0.1:1")
    chappe("federation", "forget", "127.0.0.1:1", status=1)
    chappe("federation", "forget", "127.0.0.1:2")
    assert refused in asked("127.0.0.1:2") and refused not in asked("127.0.0.1:1")
    assert [entry["action"] for entry in chappe.trail("127.0.0.1:2")] == ["federation.allow", "federation.forget"]


def test_application_services_are_checked(chappe, service, tmp_path):
    listed = chappe.json("appservice", "list")
    assert [item["id"] for item in listed] == ["away"] and listed[0]["url"] == service.url and listed[0]["users"][0]["exclusive"] is True
    assert "away" in chappe("appservice", "list").stdout
    assert service.token not in json.dumps(listed) and service.homeserver_token not in json.dumps(listed)
    failed = chappe("appservice", "check", status=1)
    assert "cannot be reached" in failed.stdout
    chappe("appservice", "check", "another", status=1)
    assert "valid" in chappe("appservice", "check", "--file", service.write(tmp_path)).stdout
    broken = tmp_path / "broken.yaml"
    broken.write_text(json.dumps({**service.registration, "as_token": "", "namespaces": {"users": [{"regex": "("}]}}))
    assert "as_token" in chappe("appservice", "check", "--file", broken, status=1).stderr


# The commands themselves


def test_shells_complete_and_manual_pages_tell(tmp_path, engine):
    if engine != "sqlite":
        pytest.skip("no server has a part in it")
    for shell in ("bash", "zsh", "fish"):
        script = subprocess.run(
            [chappe_binary(), "--generate-completion-script", shell], capture_output=True, text=True, timeout=60, check=True).stdout
        assert "shadow-ban" in script
        if shell == "bash":
            subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=60)
    pages = tmp_path / "man"
    subprocess.run([ROOT / "Deploy" / "man.sh", chappe_binary(), pages], check=True, timeout=120)
    names = {page.name for page in pages.iterdir()}
    assert {"chappe.1", "chappe-serve.1", "chappe-user.1", "chappe-user-validity-set.1", "chappe-audit-reads.1"} <= names
    text = (pages / "chappe-user-deactivate.1").read_text()
    assert text.startswith(".TH") and "\\-\\-yes" in text and ".SH EXIT STATUS" in text
    assert subprocess.run([ROOT / "Deploy" / "man.sh"], capture_output=True, timeout=60).returncode == 2


def test_a_stopped_server_is_told_of(tmp_path):
    made = tmp_path / "d"
    subprocess.run(
        [chappe_binary(), "init", "--directory", made, "--server-name", "off.example", "--port", "1",
         "--public-base-url", "http://127.0.0.1:1"], check=True, capture_output=True,
    )
    for command in (
        ("user", "validity", "show", "x"), ("user", "shadow-ban", "x"), ("user", "rate-limit", "x"), ("user", "export", "x"),
        ("audit", "reads", "x"), ("federation", "show"), ("federation", "deny", "x.example"), ("appservice", "list"),
        ("appservice", "check"),
    ):
        result = subprocess.run(
            [chappe_binary(), *command, "--config", made / "chappe.yaml"], capture_output=True, text=True, timeout=60)
        assert result.returncode == 1 and "is it running?" in result.stderr, (command, result)
