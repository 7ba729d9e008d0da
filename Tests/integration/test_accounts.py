"""Accounts, sessions and devices over plain HTTP."""

import pytest
from harness.clients import PASSWORD, Client, login, path, register, register_administrator


def test_discovery_needs_no_account(server):
    client = Client(server)
    versions = client.get("versions", base="/_matrix/client")
    assert "v1.11" in versions["versions"]


def test_whom_to_turn_to(another_server):
    contacts = [{"role": "m.role.admin", "matrix_id": "@help:chappe.test", "email_address": "help@chappe.test"}]
    settings = {"support": {"contacts": contacts, "support_page": "https://chappe.test/help"}}
    client = Client(another_server(settings))
    told = client.request("GET", "/.well-known/matrix/support", token=None).json()
    assert told == {"contacts": contacts, "support_page": "https://chappe.test/help"}


@pytest.mark.only_chappe(reason="Synapse is not set up for it")
def test_passwords_as_the_administrator_wants_them(another_server):
    server = another_server({"passwords": {"minimum_length": 10, "require": ["digit", "symbol", "lowercase", "uppercase"]}})
    client = Client(server)
    rules = client.request("GET", path("password_policy", base="/_matrix/client/r0"), token=None, schema=False).json()
    assert rules == {
        "m.minimum_length": 10, "m.require_digit": True, "m.require_symbol": True, "m.require_lowercase": True,
        "m.require_uppercase": True,
    }
    wanted = {"username": "strict", "auth": {"type": "m.login.dummy"}}
    for weak in ("Sh0rt!", "no digits!A", "n0 Symbol here", "NOTHING SMALL 3!", "nothing large 3!"):
        client.refused("M_WEAK_PASSWORD", 400, "POST", "register", json={**wanted, "password": weak}, token=None)
    client.post("register", json={**wanted, "password": "Très sûr, n°3"}, token=None)


def test_registration_gives_a_session(server, fresh_name):
    name = fresh_name()
    client = register(server, name)
    assert client.user == f"@{name}:{server.server_name}"
    me = client.get("account", "whoami")
    assert me["user_id"] == client.user and me["device_id"] == client.device
    client.refused("M_USER_IN_USE", 400, "POST", "register", json={"username": name, "password": PASSWORD}, token=None)
    client.refused("M_INVALID_USERNAME", 400, "POST", "register", json={"username": "Ünïcode!", "password": "x"}, token=None)


def test_username_availability(alice, fresh_name):
    assert alice.get("register", "available", params={"username": fresh_name("free")}, token=None) == {"available": True}
    taken = alice.user[1:].split(":")[0]
    alice.refused("M_USER_IN_USE", 400, "GET", "register", "available", params={"username": taken}, token=None)


def test_shared_secret_registration_makes_an_administrator(server, fresh_name):
    name = fresh_name("admin")
    client = register_administrator(server, name)
    assert client.get("account", "whoami")["user_id"] == f"@{name}:{server.server_name}"


def test_login_by_name_and_by_user_id(server, alice):
    flows = Client(server).get("login")["flows"]
    assert "m.login.password" in {flow["type"] for flow in flows}
    by_id = login(server, alice.user)
    by_name = login(server, alice.user[1:].split(":")[0])
    assert by_id.user == by_name.user == alice.user
    assert len({alice.device, by_id.device, by_name.device}) == 3
    wrong = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": "wrong"}
    alice.refused("M_FORBIDDEN", 403, "POST", "login", json=wrong, token=None)
    # Synapse says M_INVALID_PARAM; the specification, M_UNKNOWN.
    unsupported = {"type": "m.login.nonexistent"}
    alice.refused(("M_UNKNOWN", "M_INVALID_PARAM"), 400, "POST", "login", json=unsupported, token=None)


@pytest.mark.only_chappe(reason="Synapse is not set up for it")
def test_another_device_logs_in_with_a_token(server, alice):
    asked = alice.request("POST", path("login", "get_token", base="/_matrix/client/v1"), json={}, expect=401).json()
    auth = {
        "type": "m.login.password", "session": asked["session"], "password": PASSWORD,
        "identifier": {"type": "m.id.user", "user": alice.user},
    }
    made = alice.request("POST", path("login", "get_token", base="/_matrix/client/v1"), json={"auth": auth}).json()
    assert made["expires_in_ms"] > 0
    phone = Client(server)
    answer = phone.post("login", json={"type": "m.login.token", "token": made["login_token"]}, token=None)
    assert answer["user_id"] == alice.user and answer["device_id"] != alice.device
    # Once.
    phone.refused("M_FORBIDDEN", 403, "POST", "login", json={"type": "m.login.token", "token": made["login_token"]}, token=None)


@pytest.mark.only_chappe(reason="Synapse is not set up for it")
def test_registration_for_those_with_a_token(another_server):
    server = another_server({"registration": {"mode": "token"}})
    administrator = register_administrator(server, "registrar")
    where = "/_synapse/admin/v1/registration_tokens/new"
    administrator.request("POST", where, json={"token": "welcome", "uses_allowed": 1}, schema=False)
    client = Client(server)

    def is_valid(token: str) -> bool:
        where = path("register", "m.login.registration_token", "validity", base="/_matrix/client/v1")
        return client.request("GET", where, params={"token": token}, token=None).json()["valid"]

    assert is_valid("welcome") and not is_valid("unwelcome")
    wanted = {"username": "newcomer", "password": PASSWORD}
    asked = client.request("POST", path("register"), json=wanted, token=None, expect=401).json()
    assert asked["flows"] == [{"stages": ["m.login.registration_token"]}]

    def answer(token: str) -> dict:
        return {**wanted, "auth": {"type": "m.login.registration_token", "session": asked["session"], "token": token}}

    client.refused(("M_UNAUTHORIZED", "M_FORBIDDEN", "M_INVALID_PARAM"), 401, "POST", "register", json=answer("unwelcome"), token=None)
    assert client.post("register", json=answer("welcome"), token=None)["user_id"] == f"@newcomer:{server.server_name}"
    assert not is_valid("welcome")


# https://spec.matrix.org/v1.19/client-server-api/#relationship-between-access-tokens-and-devices
@pytest.mark.only_chappe(reason="Synapse keeps the old token, against the specification")
def test_logging_in_again_on_a_device_replaces_its_token(server, alice):
    again = login(server, alice.user, device=alice.device)
    assert again.device == alice.device and again.token != alice.token
    alice.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")


def test_logout_ends_one_session_or_all(server, alice):
    second, third = alice.another_device(), alice.another_device()
    second.post("logout")
    second.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    third.get("account", "whoami")
    third.post("logout", "all")
    alice.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    third.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")


def test_refresh_tokens_renew_a_session(server, alice):
    client = Client(server)
    body = {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": PASSWORD,
        "refresh_token": True,
    }
    first = client.post("login", json=body)
    assert "refresh_token" in first
    second = client.post("refresh", json={"refresh_token": first["refresh_token"]})
    assert second["access_token"] != first["access_token"]
    assert client.get("account", "whoami", token=second["access_token"])["user_id"] == alice.user
    client.refused("M_UNKNOWN_TOKEN", 401, "POST", "refresh", json={"refresh_token": "no such token"})


def test_changing_the_password_ends_other_sessions(server, alice):
    other = alice.another_device()
    alice.with_password("POST", "account", "password", json={"new_password": "another passphrase", "logout_devices": True})
    alice.get("account", "whoami")
    other.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    login(server, alice.user, "another passphrase")
    old = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": PASSWORD}
    alice.refused("M_FORBIDDEN", 403, "POST", "login", json=old, token=None)


def test_deactivation_ends_the_account(server, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.with_password("POST", "account", "deactivate")
    alice.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": PASSWORD}
    answer = alice.request("POST", path("login"), json=body, token=None, expect=403).json()
    assert answer["errcode"] in ("M_USER_DEACTIVATED", "M_FORBIDDEN")

    def departed(sync):
        events = sync["rooms"].get("join", {}).get(room, {}).get("timeline", {}).get("events", []) if "rooms" in sync else []
        return any(event.get("state_key") == alice.user and event["content"]["membership"] == "leave" for event in events)

    bob.sync_until(departed)


def test_wrong_password_does_not_authenticate(alice):
    challenge = alice.request("POST", path("account", "deactivate"), json={}, expect=401).json()
    auth = {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": "wrong",
        "session": challenge["session"],
    }
    answer = alice.request("POST", path("account", "deactivate"), json={"auth": auth}, expect=401).json()
    assert answer["errcode"] == "M_FORBIDDEN" and answer["session"] == challenge["session"]
    alice.get("account", "whoami")


def test_devices_are_listed_renamed_and_deleted(server, alice):
    second = alice.another_device("SECOND")
    third = alice.another_device("THIRD")
    assert {device["device_id"] for device in alice.get("devices")["devices"]} == {alice.device, "SECOND", "THIRD"}
    alice.put("devices", "SECOND", json={"display_name": "Téléphone"})
    assert alice.get("devices", "SECOND")["display_name"] == "Téléphone"
    alice.refused("M_NOT_FOUND", 404, "GET", "devices", "NOSUCH")
    alice.with_password("DELETE", "devices", "SECOND")
    second.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    alice.with_password("POST", "delete_devices", json={"devices": ["THIRD"]})
    third.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    assert [device["device_id"] for device in alice.get("devices")["devices"]] == [alice.device]


def test_missing_and_unknown_tokens(server):
    client = Client(server)
    client.refused("M_MISSING_TOKEN", 401, "GET", "account", "whoami")
    client.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami", token="syt_unknown")


def test_capabilities(alice):
    capabilities = alice.get("capabilities")["capabilities"]
    versions = capabilities["m.room_versions"]
    assert versions["default"] in versions["available"]
    assert {str(number) for number in range(1, 13)} <= versions["available"].keys()


def test_accounts_and_sessions_survive_a_restart(own_server, fresh_name):
    alice = register(own_server, fresh_name())
    own_server.restart()
    assert alice.get("account", "whoami")["user_id"] == alice.user
    login(own_server, alice.user)
