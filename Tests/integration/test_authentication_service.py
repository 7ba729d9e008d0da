"""Users who sign in at a Matrix Authentication Service: what it asks of the homeserver, and whose its tokens are."""

import json
import threading
import time

import pytest
from harness import authentication_service
from harness.clients import Client, path
from harness.commands import CommandLine
from harness.crypto import CrossSigning

pytestmark = pytest.mark.only_chappe(reason="Synapse needs the real service")

SECRET = "a secret of two services + more"


@pytest.fixture(scope="module")
def service(engine):
    with authentication_service.running(SECRET) as service:
        yield service


@pytest.fixture(scope="module")
def server(make_server, engine, service):
    settings = {"matrix_authentication_service": {"enabled": True, "endpoint": service.url + "/", "secret": SECRET}}
    server = make_server(engine, settings=settings).start()
    yield server
    assert server.process.poll() is None
    server.finish()


@pytest.fixture(autouse=True)
def as_usual(service):
    service.is_down = False


@pytest.fixture
def mas(server):
    """Asks what the service asks: `mas("provision_user", localpart=…)`."""
    client = Client(server)

    def ask(name: str, expect: int = 200, token: str | None = SECRET, **body):
        where = f"/_synapse/mas/{name}"
        if name in ("query_user", "is_localpart_available"):
            answer = client.request("GET", where, params=body, token=token, expect=expect, schema=False)
        else:
            answer = client.request("POST", where, json=body, token=token, expect=expect, schema=False)
        return answer.json() if answer.content else None

    yield ask
    client.close()


@pytest.fixture
def name(fresh_name):
    return fresh_name("agent")


def signed_in(server, service, name: str, device: str, *more: str, **claims) -> Client:
    user = f"@{name}:{server.server_name}"
    return Client(server, user, service.give(f"mat_{name}_{device}", name, device, *more, **claims), device)


def test_an_account_lives_as_the_service_says(server, mas, name):
    user = f"@{name}:{server.server_name}"
    assert mas("query_user", 404, localpart=name)["errcode"] == "M_NOT_FOUND"
    assert mas("is_localpart_available", localpart=name) == {}
    assert mas("is_localpart_available", 400, localpart="Not Allowed!")["errcode"] == "M_INVALID_USERNAME"
    assert mas("provision_user", 201, localpart=name, set_displayname="An Agent", set_emails=[f"{name}@a.example"], locked=False) == {}
    assert mas("is_localpart_available", 400, localpart=name)["errcode"] == "M_USER_IN_USE"
    known = {"user_id": user, "display_name": "An Agent", "avatar_url": None, "is_suspended": False, "is_deactivated": False}
    assert mas("query_user", localpart=name) == known
    chappe = CommandLine(server)
    assert chappe.json("user", "show", name)["emails"] == [f"{name}@a.example"]

    mas("provision_user", localpart=name, set_avatar_url="mxc://a.example/face", set_emails=[f"{name}@b.example", f"{name}@c.example"])
    assert mas("query_user", localpart=name)["avatar_url"] == "mxc://a.example/face"
    assert sorted(chappe.json("user", "show", name)["emails"]) == [f"{name}@b.example", f"{name}@c.example"]
    mas("provision_user", localpart=name, unset_avatar_url=True, unset_emails=True, unset_displayname=True, locked=True)
    shown = chappe.json("user", "show", name)
    assert shown["locked"] is True and shown["emails"] == []
    assert mas("query_user", localpart=name) == {**known, "display_name": None}
    mas("set_displayname", localpart=name, displayname="Somebody")
    assert mas("query_user", localpart=name)["display_name"] == "Somebody"
    mas("unset_displayname", localpart=name)
    assert mas("query_user", localpart=name)["display_name"] is None
    for body in ({"set_emails": "x"}, {"set_displayname": "a", "unset_displayname": True}, {"locked": "yes"}, {"set_emails": ["no address"]}):
        mas("provision_user", 400, localpart=name, **body)
    mas("provision_user", 400, localpart="Capital")

    mas("delete_user", 400, localpart=name)
    mas("delete_user", localpart=name, erase=False)
    assert mas("query_user", localpart=name)["is_deactivated"] is True
    mas("reactivate_user", localpart=name)
    mas("reactivate_user", localpart=name)
    assert mas("query_user", localpart=name)["is_deactivated"] is False
    for call in ("delete_user", "reactivate_user", "set_displayname", "unset_displayname", "allow_cross_signing_reset"):
        mas(call, 404, localpart="nobody.at.all", erase=True, displayname="x")
    told = [entry for entry in chappe.trail(user) if entry["actor"] == "authentication_service"]
    assert told[0]["action"] == "user.create" and {"user.lock", "user.deactivate", "user.reactivate"} <= {entry["action"] for entry in told}


def test_only_the_service_may_ask(server, service, mas, name):
    mas("provision_user", 201, localpart=name)
    mas("upsert_device", 201, localpart=name, device_id="D")
    agent = signed_in(server, service, name, "D", "urn:synapse:admin:*")
    for call in (
        "query_user", "is_localpart_available", "provision_user", "delete_user", "reactivate_user", "set_displayname",
        "unset_displayname", "allow_cross_signing_reset", "upsert_device", "delete_device", "update_device_display_name", "sync_devices",
    ):
        assert mas(call, 401, token=None, localpart=name)["errcode"] == "M_MISSING_TOKEN"
        assert mas(call, 403, token=SECRET + "x", localpart=name)["errcode"] == "M_FORBIDDEN"
        assert mas(call, 403, token=agent.token, localpart=name)["errcode"] == "M_FORBIDDEN"
        mas(call, 400)


def test_devices_are_those_of_the_service(server, service, mas, name):
    mas("provision_user", 201, localpart=name)
    assert mas("upsert_device", 201, localpart=name, device_id="ONE", display_name="First") == {}
    mas("upsert_device", localpart=name, device_id="ONE")
    mas("upsert_device", 404, localpart="nobody.at.all", device_id="ONE")
    agent = signed_in(server, service, name, "ONE")
    assert agent.get("account", "whoami") == {"user_id": agent.user, "device_id": "ONE", "is_guest": False}
    assert [device["display_name"] for device in agent.get("devices")["devices"]] == ["First"]
    mas("update_device_display_name", localpart=name, device_id="ONE", display_name="Renamed")
    mas("update_device_display_name", 404, localpart=name, device_id="NONE", display_name="Renamed")
    mas("sync_devices", localpart=name, devices=["ONE", "TWO", "THREE"])
    shown = {device["device_id"]: device.get("display_name") for device in agent.get("devices")["devices"]}
    assert shown == {"ONE": "Renamed", "TWO": None, "THREE": None}

    # A waiting sync ends with its device, and the token with it.
    since = agent.sync()["next_batch"]
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(agent.sync(since, timeout=50_000)))
    waiting.start()
    time.sleep(0.5)
    mas("sync_devices", localpart=name, devices=["TWO"])
    waiting.join(30)
    assert answers and "rooms" not in answers[0]
    agent.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    other = signed_in(server, service, name, "TWO")
    assert mas("delete_device", 204, localpart=name, device_id="NONE") is None
    assert [device["device_id"] for device in other.get("devices")["devices"]] == ["TWO"]
    other.post("logout")
    other.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")


def test_tokens_are_what_the_service_says(server, service, mas, name):
    mas("provision_user", 201, localpart=name)
    mas("sync_devices", localpart=name, devices=["A", "B", "C"])
    agent = signed_in(server, service, name, "A")
    room = agent.create_room()
    agent.say(room, "asked about once")
    agent.sync()
    assert service.asked.count(agent.token) == 1
    service.is_down = True
    agent.get("account", "whoami")  # known
    other = signed_in(server, service, name, "B")
    assert other.request("GET", path("account", "whoami"), expect=503, schema=False).json()["errcode"] == "M_UNKNOWN"
    service.is_down = False
    other.get("account", "whoami")

    stranger = Client(server, token="mat_unknown")
    for _ in range(3):
        stranger.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    assert service.asked.count("mat_unknown") == 1
    for claims in (
        {"scope": "openid"}, {"username": None}, {"username": "nobody.at.all"},
        {"scope": f"{authentication_service.API} {authentication_service.DEVICE}A {authentication_service.DEVICE}B"},
        {"scope": f"{authentication_service.API} {authentication_service.DEVICE}NOSUCH"},
    ):
        token = service.give(f"mat_{json.dumps(claims)}", name, "A")
        service.tokens[token].update(claims)
        Client(server, token=token).refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    # One that has expired is asked about again.
    brief = signed_in(server, service, name, "C", expires_in=0)
    brief.get("account", "whoami")
    service.tokens[brief.token] = {"active": False}
    brief.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")

    # Whoever administers is said by the service; locks are this server's, too.
    chappe = CommandLine(server)
    agent.request("GET", "/_chappe/admin/v1/users", expect=403, schema=False)
    head = Client(server, token=service.give("mat_head", name, None, "urn:synapse:admin:*", device_id="B"))
    head.request("GET", "/_chappe/admin/v1/users", schema=False)
    tool = Client(server, token=service.give("mat_tool", name, None, "urn:synapse:admin:*"))
    tool.request("GET", "/_chappe/admin/v1/users", schema=False)
    chappe("user", "lock", name)
    agent.refused("M_USER_LOCKED", 401, "GET", "account", "whoami")
    chappe("user", "unlock", name)
    agent.get("account", "whoami")


def test_clients_are_sent_to_the_service(server, service, mas, name):
    anybody = Client(server)
    metadata = anybody.get("auth_metadata", base="/_matrix/client/v1")
    assert metadata == service.metadata
    anybody.get("auth_metadata", base="/_matrix/client/v1")
    assert service.metadata_asked == 1
    anybody.refused("M_UNRECOGNIZED", 404, "POST", "login", json={"type": "m.login.password"}, schema=False)

    mas("provision_user", 201, localpart=name)
    mas("upsert_device", 201, localpart=name, device_id="D")
    agent = signed_in(server, service, name, "D")

    def publish(expect: int):
        return agent.request("POST", path("keys", "device_signing", "upload"), json=CrossSigning(agent).upload_body(), expect=expect, schema=False).json()

    publish(200)  # the first keys
    challenge = publish(401)
    assert [flow["stages"] for flow in challenge["flows"]] == [["m.oauth"], ["org.matrix.cross_signing_reset"]]
    assert challenge["params"]["m.oauth"]["url"] == f"{service.url}/account/?action=org.matrix.cross_signing_reset"
    mas("allow_cross_signing_reset", localpart=name)
    publish(200)
    publish(401)  # once
