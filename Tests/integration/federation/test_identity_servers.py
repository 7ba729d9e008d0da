"""Addresses that an identity server, a real Sydent, tells whose they are: binding, unbinding, and inviting by address."""

import pytest
from harness import mail
from harness.clients import register
from harness.federation import FederatingChappe
from harness.rooms import invited, membership
from harness.servers import RUNNING
from harness.sydent import NAME, Sydent
from harness.waiting import eventually

pytestmark = pytest.mark.only_chappe(reason="Synapse is set up without an identity server")


@pytest.fixture(scope="module")
def post():
    with mail.running() as post:
        yield post


@pytest.fixture(scope="module")
def identity(post, tmp_path_factory):
    sydent = Sydent(tmp_path_factory.mktemp("sydent"), post).start()
    yield sydent
    sydent.stop()


@pytest.fixture(scope="module")
def server(identity, engine, authority, tmp_path_factory, request):
    database = "sqlite" if engine == "sqlite" else request.getfixturevalue("postgres_cluster").create_database()
    settings = {"identity_servers": [{"name": NAME, "url": identity.url}]}
    server = FederatingChappe(tmp_path_factory.mktemp(f"identity-{engine}"), database, authority, settings=settings, gated=False)
    RUNNING.append(server)
    server.start()
    yield server
    assert server.process.poll() is None
    server.finish()


@pytest.fixture
def person(server, fresh_name):
    return lambda stem: register(server, fresh_name(stem))


@pytest.fixture
def address(fresh_name, engine):
    return f"{fresh_name('mail')}.{engine}@example.org"


def bind(client, identity, address) -> str:
    """Has an address told to be a user's; returns the user's token there."""
    token = identity.token(client)
    proof = identity.proof(address, token)
    client.post("account", "3pid", "bind", json={**proof, "id_server": NAME, "id_access_token": token})
    return token


def forget(client, *operation, address, **body) -> str:
    body = {"medium": "email", "address": address, **body}
    return client.post("account", "3pid", *operation, json=body)["id_server_unbind_result"]


def by_address(address, token) -> dict:
    return {"id_server": NAME, "id_access_token": token, "medium": "email", "address": address}


# Binding


def test_binding_and_unbinding(server, identity, person, address):
    alice = person("alice")
    token = bind(alice, identity, address)
    assert identity.user(address, token) == alice.user
    # It is no address of the account: that knows only those that were shown to this server.
    assert alice.get("account", "3pid")["threepids"] == []
    # Somebody else's word counts for nothing.
    mallory = person("mallory")
    assert forget(mallory, "unbind", address=address) == "no-support"
    forget(mallory, "unbind", address=address, id_server=NAME)
    assert identity.user(address, token) == alice.user
    assert forget(alice, "unbind", address=address.upper()) == "success"
    assert identity.user(address, token) is None
    assert forget(alice, "unbind", address=address) == "no-support"


def test_what_was_bound_is_remembered(server, identity, person, address):
    alice = person("alice")
    token = bind(alice, identity, address)
    server.restart()
    assert forget(alice, "delete", address=address) == "success"
    assert identity.user(address, token) is None
    assert forget(alice, "delete", address=address) == "no-support"
    assert forget(alice, "delete", address=address, id_server="https://other.example") == "no-support"


def test_what_the_identity_server_says_is_passed_on(server, identity, person, address):
    alice = person("alice")
    token = identity.token(alice)
    body = {"sid": "1", "client_secret": "wrong", "id_server": NAME, "id_access_token": token}
    alice.refused("M_NO_VALID_SESSION", 404, "POST", "account", "3pid", "bind", json=body)
    # But not as something about the token here.
    alice.refused("M_UNAUTHORIZED", 403, "POST", "account", "3pid", "bind", json={**body, "id_access_token": "unknown"})
    alice.refused("M_INVALID_PARAM", 400, "POST", "account", "3pid", "bind", json={**body, "id_access_token": "a b"})
    for other in ("other.example", f"{NAME}:443", ""):
        alice.refused("M_SERVER_NOT_TRUSTED", 400, "POST", "account", "3pid", "bind", json={**body, "id_server": other})
    alice.refused("M_NO_VALID_SESSION", 404, "POST", "account", "3pid", "bind", json={**body, "id_server": f"https://{NAME}/"})


def test_an_account_that_ends_is_forgotten(server, identity, person, address):
    alice, bob = person("alice"), person("bob")
    token = bind(alice, identity, address)
    assert alice.with_password("POST", "account", "deactivate")["id_server_unbind_result"] == "success"
    assert identity.user(address, identity.token(bob)) is None
    # Also if that has to wait until the identity server is there.
    bind(bob, identity, address)
    identity.stop()
    assert bob.with_password("POST", "account", "deactivate")["id_server_unbind_result"] == "no-support"
    identity.start()
    token = identity.token(person("carol"))
    assert identity.user(address, token) == bob.user
    server.restart()
    eventually(lambda: identity.user(address, token) is None, seconds=60)


# Inviting


def test_inviting_somebody_who_is_known(server, identity, person, address):
    alice, bob = person("alice"), person("bob")
    bind(bob, identity, address)
    room = alice.create_room(preset="private_chat")
    alice.post("rooms", room, "invite", json={**by_address(address.upper(), identity.token(alice)), "reason": "why"})
    invited(bob, room)
    assert alice.state(room, "m.room.member", bob.user)["reason"] == "why"
    assert not [event for event in alice.get("rooms", room, "state") if event["type"] == "m.room.third_party_invite"]


def test_inviting_somebody_who_turns_out_to_be_somebody(server, identity, person, post, address):
    alice, bob = person("alice"), person("bob")
    alice.put("profile", alice.user, "displayname", json={"displayname": "Alice A."})
    room = alice.create_room(preset="private_chat", name="Ministry")
    alice.post("rooms", room, "invite", json=by_address(address, identity.token(alice)))
    letter, = post.mails_to(address)
    assert letter.get_content().strip() == "Alice A. invites to Ministry"
    event, = [event for event in alice.get("rooms", room, "state") if event["type"] == "m.room.third_party_invite"]
    assert event["sender"] == alice.user and len(event["content"]["public_keys"]) == 2
    assert address not in str(event) and event["content"]["display_name"].startswith("mai...@")
    assert membership(alice, room, bob.user) is None
    bind(bob, identity, address)
    eventually(lambda: membership(alice, room, bob.user) == "invite", seconds=60)
    content = alice.state(room, "m.room.member", bob.user)
    assert content["third_party_invite"]["signed"]["token"] == event["state_key"]
    bob.join(room)
    # Inviting the address once more is inviting a user who is there.
    alice.refused("M_FORBIDDEN", 403, "POST", "rooms", room, "invite", json=by_address(address, identity.token(alice)))


def test_a_new_room_for_somebody_by_address(server, identity, person, post, fresh_name, address):
    alice, bob = person("alice"), person("bob")
    bind(bob, identity, address)
    other = f"{fresh_name('other')}.{server.engine}@example.org"
    token = identity.token(alice)
    room = alice.create_room(invite_3pid=[by_address(address, token), by_address(other, token)])
    invited(bob, room)
    assert len(post.mails_to(other)) == 1
    body = {"invite_3pid": [{**by_address(address, token), "id_server": "other.example"}]}
    alice.refused("M_SERVER_NOT_TRUSTED", 400, "POST", "createRoom", json=body)


def test_who_may_not_invite(server, identity, person, post, address):
    alice, bob, mallory = person("alice"), person("bob"), person("mallory")
    room = alice.create_room(preset="public_chat", power_level_content_override={"invite": 50})
    bob.join(room)
    for client in (bob, mallory):
        client.refused("M_FORBIDDEN", 403, "POST", "rooms", room, "invite", json=by_address(address, identity.token(client)))
    alice.refused("M_UNAUTHORIZED", 403, "POST", "rooms", room, "invite", json=by_address(address, "unknown"))
    alice.refused("M_MISSING_PARAM", 400, "POST", "rooms", room, "invite", json={"medium": "email", "address": address})
    assert post.mails_to(address) == []


# Which are asked


def test_which_identity_servers_are_asked(another_server, identity, fresh_name, address):
    name = f"127.0.0.1:{identity.port}"
    body = {"sid": "1", "client_secret": "x", "id_access_token": "x"}
    # Without a list those that are on the internet: not what only this server can reach.
    server = another_server()
    alice = register(server, fresh_name("alice"))
    for other in (name, "10.0.0.1", "localhost", "nothing.invalid"):
        alice.refused("M_UNKNOWN", 502, "POST", "account", "3pid", "bind", json={**body, "id_server": other})
    for wrong in ("", "a b", "user@host", "host/path", "host:22", "http://"):
        alice.refused("M_SERVER_NOT_TRUSTED", 400, "POST", "account", "3pid", "bind", json={**body, "id_server": wrong})
    room = alice.create_room()
    alice.refused("M_UNKNOWN", 502, "POST", "rooms", room, "invite", json={**by_address(address, "x"), "id_server": name})
    server = another_server({"identity_servers": []})
    alice = register(server, fresh_name("alice"))
    alice.refused("M_SERVER_NOT_TRUSTED", 400, "POST", "account", "3pid", "bind", json={**body, "id_server": "a.example"})
    assert forget(alice, "unbind", address=address, id_server="a.example") == "no-support"
