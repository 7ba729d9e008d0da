"""Guests: what becomes of them when rooms close to them, and how they become users."""

import time

import pytest
from harness.clients import PASSWORD, Client, path


@pytest.fixture
def guest(server):
    client = Client(server)
    answer = client.request("POST", path("register"), params={"kind": "guest"}, json={}).json()
    client.user, client.token, client.device = answer["user_id"], answer["access_token"], answer["device_id"]
    yield client
    client.close()


def membership(client, room, user):
    return client.state(room, "m.room.member", user)["membership"]


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)


def test_guests_go_when_a_room_closes_to_them(alice, bob, guest):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.set_state(room, "m.room.guest_access", {"guest_access": "can_join"})
    guest.join(room)
    alice.set_state(room, "m.room.guest_access", {"guest_access": "can_join", "note": "still open"})
    guest.say(room, "hello")
    assert membership(alice, room, guest.user) == "join"
    alice.set_state(room, "m.room.guest_access", {"guest_access": "forbidden"})
    until(lambda: membership(alice, room, guest.user) == "leave")
    assert membership(alice, room, bob.user) == "join", "only guests go"
    guest.refused("M_GUEST_ACCESS_FORBIDDEN", 403, "POST", "join", room)


def test_nor_by_setting_their_membership(alice, guest):
    room = alice.create_room(preset="public_chat")
    wanted = {"membership": "join"}
    guest.refused("M_GUEST_ACCESS_FORBIDDEN", 403, "PUT", "rooms", room, "state", "m.room.member", guest.user, json=wanted)
    alice.set_state(room, "m.room.guest_access", {"guest_access": "can_join"})
    guest.set_state(room, "m.room.member", wanted, key=guest.user)
    assert membership(alice, room, guest.user) == "join"


@pytest.mark.only_chappe(reason="Synapse looks only when the state changes")
def test_guests_go_also_when_the_server_stopped_meanwhile(own_server, fresh_name):
    from harness.clients import register

    alice, guest = register(own_server, fresh_name()), Client(own_server)
    answer = guest.request("POST", path("register"), params={"kind": "guest"}, json={}).json()
    guest.user, guest.token = answer["user_id"], answer["access_token"]
    room = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}
    ])
    guest.join(room)
    alice.set_state(room, "m.room.guest_access", {"guest_access": "forbidden"})
    own_server.kill()
    own_server.start()
    until(lambda: membership(alice, room, guest.user) == "leave")


def upgrade(guest, token, name=None, **options):
    body = {"username": name or guest.user[1:].partition(":")[0], "password": PASSWORD, "guest_access_token": token}
    challenge = guest.request("POST", path("register"), json=body, token=None, expect=401).json()
    auth = {"type": "m.login.dummy", "session": challenge["session"]}
    return guest.request("POST", path("register"), json={**body, "auth": auth}, token=None, **options)


def test_a_guest_becomes_a_user_of_the_same_name(alice, guest):
    room = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}
    ])
    guest.join(room)
    guest.refused("M_GUEST_ACCESS_FORBIDDEN", 403, "POST", "createRoom")
    answer = upgrade(guest, guest.token).json()
    assert answer["user_id"] == guest.user
    user = Client(guest.server, guest.user, answer["access_token"], answer["device_id"])
    assert user.get("account", "whoami")["is_guest"] is False
    assert user.get("joined_rooms")["joined_rooms"] == [room]
    user.create_room(preset="private_chat")
    assert user.another_device().user == guest.user, "the password is good"
    # No guest any more, and so none to send away.
    alice.set_state(room, "m.room.guest_access", {"guest_access": "forbidden"})
    time.sleep(0.5)
    assert membership(alice, room, guest.user) == "join"


def test_only_with_the_guests_own_token(alice, guest, server):
    other = guest.request("POST", path("register"), params={"kind": "guest"}, json={}, token=None).json()
    name = guest.user[1:].partition(":")[0]
    for token in (other["access_token"], alice.token, "no token"):
        guest.refused(("M_FORBIDDEN", "M_UNKNOWN_TOKEN"), (401, 403), "POST", "register", token=None, json={
            "username": name, "password": PASSWORD, "guest_access_token": token,
        })
    # A user's name does not become free by showing the user's own token.
    guest.refused("M_FORBIDDEN", 403, "POST", "register", token=None, json={
        "username": alice.user[1:].partition(":")[0], "password": PASSWORD, "guest_access_token": alice.token,
    })
