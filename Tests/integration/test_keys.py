"""End-to-end keys over plain HTTP: uploads, claims, device lists, cross-signing, backup, to-device messages."""

import json

import pytest
from harness.clients import path, register
from harness.crypto import CrossSigning, DeviceKeys


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    return room


def query(client, *others):
    return client.post("keys", "query", json={"device_keys": {other.user: [] for other in others}})


def to_device(sync, kind=None):
    return [event for event in sync.get("to_device", {}).get("events", []) if kind in (None, event["type"])]


def test_device_keys_are_found_by_others(alice, bob):
    keys = DeviceKeys(alice)
    assert keys.upload(one_time_keys=5)["signed_curve25519"] == 5
    found = query(bob, alice)["device_keys"][alice.user][alice.device]
    uploaded = keys.device_keys()
    assert {key: found[key] for key in uploaded} == uploaded
    assert query(bob, bob)["device_keys"].get(bob.user, {}) == {}


def test_a_one_time_key_is_given_once(alice, bob, carol):
    keys = DeviceKeys(alice)
    keys.upload(one_time_keys=2)
    wanted = {"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}}
    first = bob.post("keys", "claim", json=wanted)["one_time_keys"][alice.user][alice.device]
    second = carol.post("keys", "claim", json=wanted)["one_time_keys"][alice.user][alice.device]
    assert first.keys() != second.keys()
    assert bob.post("keys", "claim", json=wanted)["one_time_keys"].get(alice.user, {}) == {}
    assert alice.sync()["device_one_time_keys_count"].get("signed_curve25519", 0) == 0


def test_a_fallback_key_is_given_again_and_again(alice, bob):
    keys = DeviceKeys(alice)
    alice.post("keys", "upload", json={"device_keys": keys.device_keys(), "fallback_keys": keys.fallback_key()})
    before = alice.sync()
    assert before["device_unused_fallback_key_types"] == ["signed_curve25519"]
    wanted = {"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}}
    first = bob.post("keys", "claim", json=wanted)["one_time_keys"][alice.user][alice.device]
    assert bob.post("keys", "claim", json=wanted)["one_time_keys"][alice.user][alice.device] == first
    assert alice.sync(before["next_batch"])["device_unused_fallback_key_types"] == []


def test_a_one_time_key_is_not_replaced(alice):
    keys = DeviceKeys(alice)
    (name, key), = keys.one_time_keys(1).items()
    alice.post("keys", "upload", json={"one_time_keys": {name: key}})
    alice.post("keys", "upload", json={"one_time_keys": {name: key}})  # the same again is a retry
    other = keys.signed({"key": "A" * 43})
    alice.refused(("M_INVALID_PARAM", "M_UNKNOWN"), 400, "POST", "keys", "upload", json={"one_time_keys": {name: other}})


def test_device_list_changes_are_told(alice, bob, carol, room):
    since = bob.sync()["next_batch"]
    DeviceKeys(alice).upload()
    (_, after) = bob.sync_until(lambda sync: alice.user in sync.get("device_lists", {}).get("changed", []), since)
    assert alice.user in bob.get("keys", "changes", params={"from": since, "to": after})["changed"]
    phone = alice.another_device()
    DeviceKeys(phone).upload()
    (_, after) = bob.sync_until(lambda sync: alice.user in sync.get("device_lists", {}).get("changed", []), after)
    phone.post("logout")
    (_, after) = bob.sync_until(lambda sync: alice.user in sync.get("device_lists", {}).get("changed", []), after)
    DeviceKeys(carol).upload()
    DeviceKeys(alice).upload()
    (response, _) = bob.sync_until(lambda sync: sync if sync.get("device_lists", {}).get("changed") else None, after)
    assert carol.user not in response["device_lists"]["changed"], "carol shares no room with bob"


def test_sharing_a_last_room_no_more_is_told(alice, bob, room):
    DeviceKeys(alice).upload()
    since = bob.sync()["next_batch"]
    alice.leave(room)
    bob.sync_until(lambda sync: alice.user in sync.get("device_lists", {}).get("left", []), since)


def test_cross_signing(alice, bob, room):
    keys, cross = DeviceKeys(alice), CrossSigning(alice)
    keys.upload()
    since = bob.sync()["next_batch"]
    cross.upload()
    bob.sync_until(lambda sync: alice.user in sync.get("device_lists", {}).get("changed", []), since)
    seen = query(bob, alice)
    assert seen["master_keys"][alice.user]["keys"] == cross.key("master")["keys"]
    assert seen["self_signing_keys"][alice.user]["keys"] == cross.key("self_signing")["keys"]
    assert alice.user not in seen.get("user_signing_keys", {}), "the user-signing key is its owner's alone"
    assert query(alice, alice)["user_signing_keys"][alice.user]["keys"] == cross.key("user_signing")["keys"]

    device = cross.sign(keys.device_keys(), "self_signing")
    answer = alice.post("keys", "signatures", "upload", json={alice.user: {alice.device: device}})
    assert answer.get("failures", {}) == {}
    name = f"ed25519:{cross.signing['self_signing'].public_key}"
    assert name in query(bob, alice)["device_keys"][alice.user][alice.device]["signatures"][alice.user]

    theirs = CrossSigning(bob)
    DeviceKeys(bob).upload()
    theirs.upload()
    master = query(bob, alice)["master_keys"][alice.user]
    public = next(iter(master["keys"].values()))
    answer = bob.post("keys", "signatures", "upload", json={alice.user: {public: theirs.sign(master, "user_signing")}})
    assert answer.get("failures", {}) == {}
    by_bob = f"ed25519:{theirs.signing['user_signing'].public_key}"
    assert by_bob in query(bob, alice)["master_keys"][alice.user]["signatures"][bob.user]
    assert bob.user not in query(alice, alice)["master_keys"][alice.user].get("signatures", {}), "others do not see whom bob trusts"


def test_a_wrong_signature_is_not_taken(alice):
    keys, cross = DeviceKeys(alice), CrossSigning(alice)
    keys.upload()
    cross.upload()
    device = cross.sign({**keys.device_keys(), "algorithms": ["other"]}, "self_signing")
    answer = alice.post("keys", "signatures", "upload", json={alice.user: {alice.device: device}})
    assert alice.device in answer["failures"][alice.user]


def test_replacing_cross_signing_keys_needs_authentication(alice):
    CrossSigning(alice).upload()
    body = CrossSigning(alice).upload_body()
    challenge = alice.request("POST", path("keys", "device_signing", "upload"), json=body, expect=401).json()
    assert challenge["flows"] and challenge["session"]


def test_to_device_messages_arrive_once(alice, bob):
    phone = bob.another_device()
    since = {client.device: client.sync()["next_batch"] for client in (bob, phone)}
    body = {"messages": {bob.user: {bob.device: {"to": "one"}}}}
    alice.put("sendToDevice", "org.example.note", "d1", json=body)
    alice.put("sendToDevice", "org.example.note", "d1", json=body)  # a retry
    alice.put("sendToDevice", "org.example.note", "d2", json={"messages": {bob.user: {"*": {"to": "all"}}}})

    heard, position = [], since[bob.device]
    while len(heard) < 2:
        response = bob.sync(position, timeout=2000)
        heard += to_device(response)
        position = response["next_batch"]
    assert [(event["type"], event["sender"], event["content"]["to"]) for event in heard] == [
        ("org.example.note", alice.user, "one"), ("org.example.note", alice.user, "all"),
    ]
    # Until a client shows that it has the response, the messages may be given again; then never.
    assert to_device(bob.sync(position)) == []
    assert to_device(bob.sync(since[bob.device])) == []
    (on_phone, _) = phone.sync_until(to_device, since[phone.device])
    assert [event["content"]["to"] for event in on_phone] == ["all"]


def test_to_device_messages_wait_through_a_restart(own_server, fresh_name):
    from harness.clients import register

    alice, bob = register(own_server, fresh_name()), register(own_server, fresh_name())
    since = bob.sync()["next_batch"]
    for number in range(150):  # more than one response carries
        alice.put("sendToDevice", "org.example.n", f"n{number}", json={"messages": {bob.user: {bob.device: {"n": number}}}})
    own_server.restart()
    heard = []
    while len(heard) < 150:
        response = bob.sync(since, timeout=2000)
        assert to_device(response), f"only {len(heard)} arrived"
        heard += [event["content"]["n"] for event in to_device(response)]
        since = response["next_batch"]
    assert heard == list(range(150))


def test_key_backup(alice):
    auth = {"public_key": "A" * 43, "signatures": {}}
    version = alice.post("room_keys", "version", json={"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": auth})["version"]
    latest = alice.get("room_keys", "version")
    assert latest["version"] == version and latest["count"] == 0 and latest["auth_data"] == auth

    def session(index, forwarded=0, verified=True):
        return {
            "first_message_index": index, "forwarded_count": forwarded, "is_verified": verified,
            "session_data": {"ephemeral": "e", "ciphertext": "c", "mac": "m"},
        }

    room = "!backup:chappe.test"
    at = {"version": version}
    put = alice.put("room_keys", "keys", room, "session one", json=session(5), params=at)
    assert put["count"] == 1
    # A session from earlier on is better; a later one is not taken.
    worse = alice.put("room_keys", "keys", room, "session one", json=session(9), params=at)
    assert worse["etag"] == put["etag"]
    assert alice.get("room_keys", "keys", room, "session one", params=at)["first_message_index"] == 5
    better = alice.put("room_keys", "keys", room, "session one", json=session(1), params=at)
    assert better["etag"] != put["etag"]
    assert alice.get("room_keys", "keys", room, "session one", params=at)["first_message_index"] == 1
    many = {"rooms": {room: {"sessions": {"two": session(0), "three": session(0)}}, "!other:chappe.test": {"sessions": {"four": session(0)}}}}
    assert alice.put("room_keys", "keys", json=many, params=at)["count"] == 4
    assert alice.get("room_keys", "keys", params=at)["rooms"].keys() == {room, "!other:chappe.test"}
    assert alice.get("room_keys", "keys", room, params=at)["sessions"].keys() == {"session one", "two", "three"}
    assert alice.delete("room_keys", "keys", room, "two", params=at)["count"] == 3
    assert alice.delete("room_keys", "keys", room, params=at)["count"] == 1
    alice.refused("M_NOT_FOUND", 404, "GET", "room_keys", "keys", room, "two", params=at)
    whole = {"sessions": {"five": session(0), "six": session(3)}}
    assert alice.put("room_keys", "keys", room, json=whole, params=at)["count"] == 3
    emptied = alice.delete("room_keys", "keys", params=at)
    assert emptied["count"] == 0 and alice.get("room_keys", "keys", params=at) == {"rooms": {}}
    described = alice.get("room_keys", "version", version)
    assert described["count"] == 0 and described["etag"] == emptied["etag"]
    renamed = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {**auth, "public_key": "B" * 43}}
    alice.put("room_keys", "version", version, json={**renamed, "version": version})
    assert alice.get("room_keys", "version", version)["auth_data"] == renamed["auth_data"]
    newer = alice.post("room_keys", "version", json={"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": auth})["version"]
    assert newer != version and alice.get("room_keys", "version")["version"] == newer
    alice.refused("M_WRONG_ROOM_KEYS_VERSION", 403, "PUT", "room_keys", "keys", room, "late", json=session(0), params=at)
    alice.delete("room_keys", "version", newer)
    alice.refused("M_NOT_FOUND", 404, "GET", "room_keys", "version", newer)


def test_keys_survive_a_restart(own_server, fresh_name):
    from harness.clients import register

    alice, bob = register(own_server, fresh_name()), register(own_server, fresh_name())
    keys, cross = DeviceKeys(alice), CrossSigning(alice)
    keys.upload(one_time_keys=3)
    cross.upload()
    before = json.dumps(query(alice, alice), sort_keys=True)
    own_server.restart()
    assert json.dumps(query(alice, alice), sort_keys=True) == before
    claimed = bob.post("keys", "claim", json={"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}})
    assert len(claimed["one_time_keys"][alice.user][alice.device]) == 1
    assert alice.sync()["device_one_time_keys_count"]["signed_curve25519"] == 2


@pytest.mark.only_chappe(reason="how far a server remembers is its own")
def test_who_came_and_went_is_told_however_much_was_said_since(own_server):
    """Also by a server that has been restarted, and so remembers nothing: of the timeline a client gets only the end."""
    alice, bob, carol, dave = (register(own_server, name) for name in ("alice", "bob", "carol", "dave"))
    room = alice.create_room(preset="public_chat")
    for other in (bob, carol):
        other.join(room)
    since = alice.sync()["next_batch"]
    bob.leave(room)
    carol.leave(room)
    carol.join(room)
    dave.join(room)
    for number in range(30):
        alice.say(room, f"{number}")
    own_server.kill()
    own_server.start()
    lists = alice.sync(since, filter='{"room":{"timeline":{"limit":1}}}')["device_lists"]
    assert set(lists["changed"]) == {carol.user, dave.user}
    assert lists["left"] == [bob.user]
