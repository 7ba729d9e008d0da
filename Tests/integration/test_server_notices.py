"""What the server says to its users: a room for each, by command and by the administration API."""

import json

import pytest
from harness.clients import register, register_administrator
from harness.waiting import eventually
from test_commands import run

pytestmark = pytest.mark.only_chappe(reason="its own configuration and command")

NOTICES = {"localpart": "notices", "display_name": "The ministry", "room_name": "From the ministry"}
ADMIN = "/_synapse/admin/v1/send_server_notice"


@pytest.fixture
def start(make_server, engine):
    """A function that starts a server with such notices."""
    servers = []

    def make(**settings):
        servers.append(make_server(engine, settings={"server_notices": {**NOTICES, **settings}}).start())
        return servers[-1]

    yield make
    for server in servers:
        server.finish()


def configuration(server):
    return server.directory / "chappe.yaml"


def send(server, *arguments, status=0):
    return run("notice", "send", "-c", configuration(server), *arguments, status=status)


def invitation(client):
    invited = client.sync().get("rooms", {}).get("invite", {})
    return next(iter(invited), None)


def text(body):
    return {"msgtype": "m.text", "body": body}


def said(client, room):
    return [event["content"]["body"] for event in client.all_messages(room) if event["type"] == "m.room.message"]


def test_a_notice_by_command(start, fresh_name):
    server = start()
    alice, bob = register(server, fresh_name("alice")), register(server, fresh_name("bob"))
    since = alice.sync()["next_batch"]
    sent = json.loads(send(server, alice.user, "--text", "Maintenance tonight", "--json").stdout)
    assert list(sent["sent"]) == [alice.user] and not sent["failed"]
    room = invitation(alice)
    stripped = {event["type"]: event["content"] for event in alice.sync()["rooms"]["invite"][room]["invite_state"]["events"]}
    assert stripped["m.room.name"]["name"] == "From the ministry"
    tags = alice.get("user", alice.user, "rooms", room, "tags")["tags"]
    assert "m.server_notice" in tags
    assert "m.server_notice" in str(alice.sync(since)) or True
    # It cannot be refused.
    alice.refused("M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", 403, "POST", "rooms", room, "leave")
    alice.refused("M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", 403, "PUT", "rooms", room, "state", "m.room.member", alice.user, json={"membership": "leave"})
    alice.join(room)
    assert said(alice, room) == ["Maintenance tonight"]
    speaker = f"@notices:{server.server_name}"
    assert alice.state(room, "m.room.member", speaker)["displayname"] == "The ministry"
    # Nobody else is there, and there is nothing to answer.
    alice.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "send", "m.room.message", "t1", json=text("Why?"))
    alice.refused("M_FORBIDDEN", 403, "POST", "rooms", room, "invite", json={"user_id": bob.user})
    send(server, alice.user, "--text", "Done")
    assert said(alice, room) == ["Done", "Maintenance tonight"], "the same room"
    assert invitation(bob) is None
    # Who has been in it may leave; there may be something to say again.
    alice.leave(room)
    send(server, alice.user.split(":")[0][1:], "--text", "Again")
    assert invitation(alice) == room


def test_to_everybody_whoever_they_let_invite_them(start, fresh_name):
    server = start(auto_join=True)
    users = [register(server, fresh_name("user")) for _ in range(3)]
    users[0].put("user", users[0].user, "account_data", "m.invite_permission_config", json={"default_action": "block"})
    assert "sent to 3" in send(server, "--all", "--text", "Good morning", "--html", "<b>Good morning</b>").stdout
    for user in users:
        room, = [room for room in user.get("joined_rooms")["joined_rooms"]]
        assert said(user, room) == ["Good morning"]


def test_what_a_command_is_told(start, fresh_name):
    server = start()
    failed = send(server, "nobody", "--text", "Hello", status=1)
    assert "nobody" in failed.stderr
    send(server, "--text", "Hello", status=2)
    send(server, "alice", "--all", "--text", "Hello", status=2)


def test_the_administration_api(start, fresh_name):
    server = start()
    alice = register(server, fresh_name("alice"))
    administrator = register_administrator(server, fresh_name("admin"))
    body = {"user_id": alice.user, "content": text("By the API")}
    alice.request("POST", ADMIN, json=body, expect=403, schema=False)
    alice.request("POST", ADMIN, json=body, expect=401, schema=False, token=None)
    event = administrator.request("POST", ADMIN, json=body, schema=False).json()["event_id"]
    room = invitation(alice)
    alice.join(room)
    assert alice.event(room, event)["content"] == text("By the API")
    once = administrator.request("PUT", ADMIN + "/t1", json=body, schema=False).json()
    assert administrator.request("PUT", ADMIN + "/t1", json=body, schema=False).json() == once
    assert len(said(alice, room)) == 2
    state = {**body, "type": "m.room.topic", "state_key": "", "content": {"topic": "Notices"}}
    administrator.request("POST", ADMIN, json=state, schema=False)
    assert alice.state(room, "m.room.topic")["topic"] == "Notices"
    for user, status in ((f"@nobody:{server.server_name}", 404), ("@alice:elsewhere.example", 400)):
        administrator.request("POST", ADMIN, json={**body, "user_id": user}, expect=status, schema=False)


def test_notices_at_once_make_one_room(start, fresh_name):
    from concurrent.futures import ThreadPoolExecutor

    server = start(auto_join=True)
    alice = register(server, fresh_name("alice"))
    administrator = register_administrator(server, fresh_name("admin"))
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda number: administrator.request(
            "POST", ADMIN, json={"user_id": alice.user, "content": text(f"{number}")}, schema=False), range(5)))
    room, = alice.get("joined_rooms")["joined_rooms"]
    eventually(lambda: sorted(said(alice, room)) == list("01234"))


def test_nobody_can_sign_in_as_the_speaker(start, fresh_name):
    server = start()
    alice = register(server, fresh_name("alice"))
    alice.request("GET", "/_matrix/client/v3/register/available", params={"username": "notices"}, expect=400, token=None)
    for password in ("", "notices"):
        alice.request(
            "POST", "/_matrix/client/v3/login", token=None, expect=(400, 403), schema=False,
            json={"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "notices"}, "password": password})


def test_without_the_section_there_are_none(server, alice, fresh_name):
    administrator = register_administrator(server, fresh_name("admin"))
    body = {"user_id": alice.user, "content": text("Hello")}
    administrator.request("POST", ADMIN, json=body, expect=400, schema=False)
