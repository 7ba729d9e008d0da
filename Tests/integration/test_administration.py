"""What the specification gives administrators: who a user is, locking, suspending."""

import threading
import time

import pytest
from harness.clients import Client, path, register, register_administrator
from harness.sliding import EXPERIMENTAL

V1 = "/_matrix/client/v1"

pytestmark = pytest.mark.only_chappe(reason="administration after the specification")


@pytest.fixture(scope="module")
def administrator(server):
    client = register_administrator(server, "the.boss")
    yield client
    client.close()


def restrict(administrator, verb, user, **state):
    return administrator.put("admin", verb, user, base=V1, json=state)


def test_an_account_is_locked_and_unlocked(administrator, alice, bob):
    room = alice.create_room(preset="public_chat")
    assert administrator.get("admin", "lock", alice.user, base=V1) == {"locked": False}
    assert restrict(administrator, "lock", alice.user, locked=True) == {"locked": True}
    assert administrator.get("admin", "lock", alice.user, base=V1) == {"locked": True}
    body = alice.refused("M_USER_LOCKED", 401, "GET", "account", "whoami")
    assert body["soft_logout"] is True
    alice.refused("M_USER_LOCKED", 401, "GET", "sync")
    bob.join(room)  # the others go on
    assert restrict(administrator, "lock", alice.user, locked=False) == {"locked": False}
    alice.say(room, "back, on the same session")


def test_a_waiting_sync_ends_when_its_user_is_locked(administrator, alice):
    since = alice.get("sync", params={"timeout": 0})["next_batch"]
    answers = []

    def wait():
        begun = time.monotonic()
        answer = alice.get("sync", params={"since": since, "timeout": 50_000}, timeout=60)
        answers.append((time.monotonic() - begun, answer))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(1.5)
    assert not answers
    restrict(administrator, "lock", alice.user, locked=True)
    thread.join(20)
    assert answers, "the sync still waits"
    seconds, answer = answers[0]
    assert seconds < 20 and "rooms" not in answer, answer
    alice.refused("M_USER_LOCKED", 401, "GET", "sync", params={"since": answer["next_batch"]})


def test_a_waiting_sliding_sync_ends_when_its_user_is_locked(administrator, alice):
    def ask(**params):
        return alice.request("POST", EXPERIMENTAL, params=params, json={}, schema=False, timeout=60).json()

    position = ask(timeout=0)["pos"]
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask(pos=position, timeout=50_000)))
    thread.start()
    time.sleep(0.5)
    assert not answers
    restrict(administrator, "lock", alice.user, locked=True)
    thread.join(40)
    assert answers and answers[0]["rooms"] == {}, answers
    alice.request("POST", EXPERIMENTAL, params={"pos": answers[0]["pos"]}, json={}, schema=False, expect=401)


def test_a_waiting_sync_tells_nothing_to_a_device_that_was_removed(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    phone = alice.another_device()
    since = phone.get("sync", params={"timeout": 0})["next_batch"]
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(phone.get("sync", params={"since": since, "timeout": 20_000}, timeout=60)))
    thread.start()
    time.sleep(1.5)
    alice.with_password("DELETE", "devices", phone.device)
    thread.join(15)
    bob.say(room, "not for the lost telephone")
    assert answers and "not for the lost" not in str(answers[0])
    phone.refused("M_UNKNOWN_TOKEN", 401, "GET", "sync")


def test_a_suspended_user_reads_and_leaves_but_does_not_speak(administrator, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    assert administrator.get("admin", "suspend", bob.user, base=V1) == {"suspended": False}
    assert restrict(administrator, "suspend", bob.user, suspended=True) == {"suspended": True}
    bob.refused("M_USER_SUSPENDED", 403, "PUT", "rooms", room, "send", "m.room.message", "t1", json={"body": "x", "msgtype": "m.text"})
    assert room in bob.get("sync", params={"timeout": 0})["rooms"]["join"]
    bob.post("rooms", room, "leave")
    restrict(administrator, "suspend", bob.user, suspended=False)
    bob.join(room)
    bob.say(room, "here again")


@pytest.mark.parametrize("verb", ["lock", "suspend"])
def test_only_administrators_and_never_another_administrator(server, administrator, alice, bob, verb):
    state = {"lock": {"locked": True}, "suspend": {"suspended": True}}[verb]
    for user in (bob.user, "@nobody:" + server.server_name):
        # Whether the account exists is told to administrators only.
        alice.refused("M_FORBIDDEN", 403, "PUT", "admin", verb, user, base=V1, json=state)
        alice.refused("M_FORBIDDEN", 403, "GET", "admin", verb, user, base=V1)
    administrator.refused("M_NOT_FOUND", 404, "PUT", "admin", verb, "@nobody:" + server.server_name, base=V1, json=state)
    administrator.refused("M_INVALID_PARAM", 400, "PUT", "admin", verb, "@somebody:elsewhere.example", base=V1, json=state)
    administrator.refused("M_MISSING_PARAM", 400, "PUT", "admin", verb, bob.user, base=V1, json={})
    administrator.refused("M_FORBIDDEN", 403, "PUT", "admin", verb, administrator.user, base=V1, json=state)
    other = register_administrator(server, f"deputy.{verb}")
    administrator.refused("M_FORBIDDEN", 403, "PUT", "admin", verb, other.user, base=V1, json=state)
    administrator.refused("M_FORBIDDEN", 403, "GET", "admin", verb, other.user, base=V1)


def test_whois_tells_of_sessions(server, administrator, alice, bob):
    alice.get("account", "whoami")
    time.sleep(6)  # uses of devices are written every five seconds
    for client in (administrator, alice):
        answer = client.get("admin", "whois", alice.user)
        assert answer["user_id"] == alice.user
        connection = answer["devices"][alice.device]["sessions"][0]["connections"][0]
        assert connection["ip"] == "127.0.0.1" and connection["last_seen"] > 0 and "python" in connection["user_agent"]
    bob.refused("M_FORBIDDEN", 403, "GET", "admin", "whois", alice.user)
    administrator.refused("M_NOT_FOUND", 404, "GET", "admin", "whois", "@nobody:" + server.server_name)


def test_administrators_are_told_that_they_may(administrator, alice):
    assert administrator.get("capabilities")["capabilities"]["m.account_moderation"] == {"suspend": True, "lock": True}
    assert "m.account_moderation" not in alice.get("capabilities")["capabilities"]
