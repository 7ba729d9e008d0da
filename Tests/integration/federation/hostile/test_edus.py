"""Messages that are no events (typing, receipts, presence, keys, messages to devices) in the name of others."""

import json

import pytest
from harness.crypto import DeviceKeys
from harness.peer import now
from harness.waiting import eventually


def to_device(peer, target, sender, alice, content, number, **fields):
    """A message to all of alice's devices."""
    return {"edu_type": "m.direct_to_device", "content": {
        "sender": sender, "type": "org.example.marked", "message_id": f"m{number}-{peer.name}",
        "messages": {alice.user: {alice.device: content}}, **fields,
    }}


class Listener:
    """Everything that a user's sync tells, kept as text."""

    def __init__(self, client):
        self.client = client
        self.since = client.sync()["next_batch"]
        self.heard: list[dict] = []
        self.everything = ""

    def hears(self, content) -> bool:
        """Syncs on until a message to the device has this content."""

        def found():
            sync = self.client.sync(self.since)
            self.since = sync["next_batch"]
            self.heard += [event for event in sync.get("to_device", {}).get("events", [])]
            self.everything += json.dumps(sync)
            return any(event["content"] == content for event in self.heard)

        return eventually(found, what=f"{content} in {self.heard}")


def typing(user, room):
    return {"edu_type": "m.typing", "content": {"room_id": room, "user_id": user, "typing": True}}


def receipt(user, room, event, **data):
    read = {user: {"data": {"ts": now(), **data}, "event_ids": [event]}}
    return {"edu_type": "m.receipt", "content": {room: {"m.read": read}}}


def presence(user, text):
    return {"edu_type": "m.presence", "content": {"push": [
        {"user_id": user, "presence": "online", "status_msg": text, "last_active_ago": 1, "currently_active": True}
    ]}}


def test_in_the_name_of_others(peer, target, alice, person, known, mallory):
    carol = person("carol")
    carol.join(known.room_id)
    event = alice.say(known.room_id, "Read me")
    listener = Listener(alice)
    elsewhere = "@ghost:elsewhere.example"
    forged = []
    for user in (carol.user, elsewhere):
        forged += [
            typing(user, known.room_id), receipt(user, known.room_id, event), presence(user, "FORGED"),
            to_device(peer, target, user, alice, {"forged": True}, user),
            {"edu_type": "m.device_list_update", "content": {
                "user_id": user, "device_id": "FORGED", "stream_id": 1, "prev_id": [], "deleted": False,
                "keys": {"user_id": user, "device_id": "FORGED", "algorithms": [], "keys": {}, "signatures": {}},
            }},
            {"edu_type": "m.signing_key_update", "content": {
                "user_id": user, "master_key": {"user_id": user, "usage": ["master"], "keys": {"ed25519:FORGED": "FORGED"}},
            }},
        ]
    # In the name of one's own, where one is not.
    outside = alice.create_room(preset="private_chat")
    forged += [typing(mallory, outside), receipt(mallory, outside, event)]
    forged += [typing(peer.user("nobody"), known.room_id)]
    peer.send(target, edus=forged)
    peer.send(target, edus=[to_device(peer, target, mallory, alice, {"honest": 1}, 1)])
    listener.hears({"honest": 1})
    assert [event["content"] for event in listener.heard] == [{"honest": 1}]
    assert listener.heard[0]["sender"] == mallory
    assert "FORGED" not in listener.everything
    assert elsewhere not in listener.everything
    assert f'"user_ids": ["{carol.user}' not in listener.everything
    if target.kind != "synapse":  # which does not look whether somebody who types is there
        assert peer.user("nobody") not in listener.everything
    found = carol.another_device().post("keys", "query", json={"device_keys": {carol.user: []}})["device_keys"]
    assert "FORGED" not in found.get(carol.user, {})


STRANGE = [
    {"edu_type": "m.typing", "content": {}}, {"edu_type": "m.typing", "content": {"room_id": 1, "user_id": [], "typing": "?"}},
    {"edu_type": "m.receipt", "content": {"!room": 1}}, {"edu_type": "m.receipt", "content": {"!room": {"m.read": [1]}}},
    {"edu_type": "m.receipt", "content": {"!room": {"m.read": {"@a:b": {"event_ids": "x"}}}}},
    {"edu_type": "m.presence", "content": {"push": 1}}, {"edu_type": "m.presence", "content": {"push": [1, None, {}]}},
    {"edu_type": "m.direct_to_device", "content": {}},
    {"edu_type": "m.direct_to_device", "content": {"sender": 1, "type": 2, "message_id": 3, "messages": 4}},
    {"edu_type": "m.device_list_update", "content": {}},
    {"edu_type": "m.device_list_update", "content": {"user_id": 1, "device_id": 2, "stream_id": "x", "prev_id": 5}},
    {"edu_type": "m.signing_key_update", "content": {"user_id": None}},
    {"edu_type": "org.example.unknown", "content": {"a": [[[[]]]]}}, {"edu_type": "x" * 10_000, "content": {}},
]


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
def test_strange_content(peer, target, alice, known, mallory, strange):
    listener = Listener(alice)
    where = f"/_matrix/federation/v1/send/strange{STRANGE.index(strange)}"
    response = peer.request(target, "PUT", where, body=peer.transaction(edus=[
        strange, to_device(peer, target, mallory, alice, {"honest": "after"}, "after")
    ]))
    if target.kind == "synapse" and response.status_code == 500:
        return  # it gives the whole transaction up
    assert response.status_code == 200, response.text
    listener.hears({"honest": "after"})


@pytest.mark.only_chappe(reason="Synapse answers 500 to a transaction with one of these")
@pytest.mark.parametrize("strange", [
    1, None, "x", [], {}, {"edu_type": 5, "content": {}}, {"edu_type": "m.typing", "content": []}, {"edu_type": "m.typing"},
])
def test_strange_form(peer, target, alice, known, mallory, strange):
    listener = Listener(alice)
    honest = to_device(peer, target, mallory, alice, {"honest": "after"}, "after")
    response = peer.request(target, "PUT", "/_matrix/federation/v1/send/form1", body=peer.transaction(edus=[strange, honest]))
    assert response.status_code in (200, 400), response.text
    if response.status_code == 200:
        listener.hears({"honest": "after"})


def test_a_message_to_a_device_comes_once(peer, target, alice, known, mallory):
    listener = Listener(alice)
    for _ in range(2):
        peer.send(target, edus=[to_device(peer, target, mallory, alice, {"n": 1}, "same")])
    peer.send(target, edus=[to_device(peer, target, mallory, alice, {"n": 2}, "other")])
    listener.hears({"n": 2})
    assert [event["content"]["n"] for event in listener.heard] == [1, 2]


@pytest.mark.only_chappe(reason="Synapse answers 500 to a message for somebody of another server")
def test_messages_for_users_that_are_not_here(peer, target, alice, known, mallory):
    listener = Listener(alice)
    edu = to_device(peer, target, mallory, alice, {"honest": 2}, 2)
    edu["content"]["messages"] |= {
        f"@nobody:{target.server_name}": {"*": {"a": 1}}, "@x:elsewhere.example": {"*": {"a": 1}}, alice.user: {
            "NOSUCHDEVICE": {"a": 1}, alice.device: {"honest": 2},
        },
    }
    peer.send(target, edus=[edu])
    listener.hears({"honest": 2})


def test_keys_that_another_server_says_are_ours(peer, target, alice, person, known, mallory):
    """Asked for mallory's keys, the peer gives such of alice's: nobody may be told them."""
    carol = person("carol")
    carol.join(known.room_id)
    keys = DeviceKeys(alice)
    keys.upload(one_time_keys=1)
    fake = {
        "user_id": alice.user, "device_id": "FORGED", "algorithms": ["x"], "keys": {"ed25519:FORGED": "FORGED"}, "signatures": {},
    }
    own = {**fake, "user_id": mallory, "device_id": "OWN"}
    peer.answers["keys_query"] = lambda asked: (200, {
        "device_keys": {alice.user: {"FORGED": fake}, mallory: {"OWN": own, "NOTTHIS": fake}},
        "master_keys": {alice.user: {"user_id": alice.user, "usage": ["master"], "keys": {"ed25519:FORGED": "FORGED"}}},
    })
    peer.answers["devices"] = lambda asked: (200, {
        "user_id": mallory, "stream_id": 5, "devices": [{"device_id": "OWN", "keys": own}],
        "master_key": {"user_id": alice.user, "usage": ["master"], "keys": {"ed25519:FORGED": "FORGED"}},
    })
    peer.answers["keys_claim"] = lambda asked: (200, {"one_time_keys": {
        alice.user: {alice.device: {"signed_curve25519:A": {"key": "FORGED", "signatures": {}}}}, mallory: {},
    }})
    found = carol.post("keys", "query", json={"device_keys": {mallory: [], alice.user: []}})
    assert set(found["device_keys"][alice.user]) == {alice.device}
    assert "FORGED" not in json.dumps({**found, "device_keys": {alice.user: found["device_keys"][alice.user]}})
    claimed = carol.post("keys", "claim", json={"one_time_keys": {mallory: {"OWN": "signed_curve25519"}}})
    assert "FORGED" not in json.dumps(claimed)
