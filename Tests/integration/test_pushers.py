"""Pushers: kept, changed, removed, and gone with their devices."""

import pytest
from harness.clients import PASSWORD

PUSHER = {
    "kind": "http", "app_id": "org.example.app", "pushkey": "key of the telephone", "app_display_name": "Example",
    "device_display_name": "Telephone", "profile_tag": "tag", "lang": "fr",
    "data": {"url": "https://push.example/_matrix/push/v1/notify", "format": "event_id_only", "org.example.more": [1]},
}


def pushers(client):
    return client.get("pushers")["pushers"]


def test_a_pusher_is_kept_changed_and_removed(alice):
    assert pushers(alice) == []
    assert alice.post("pushers", "set", json=PUSHER) == {}
    assert pushers(alice) == [PUSHER]
    changed = {**PUSHER, "device_display_name": "New telephone", "lang": "de"}
    alice.post("pushers", "set", json=changed)
    other = {**PUSHER, "pushkey": "another key"}
    alice.post("pushers", "set", json=other)
    assert pushers(alice) == [changed, other]
    alice.post("pushers", "set", json={"kind": None, "app_id": PUSHER["app_id"], "pushkey": PUSHER["pushkey"]})
    assert pushers(alice) == [other]
    alice.post("pushers", "set", json={"kind": None, "app_id": "never", "pushkey": "there"})


def test_a_telephone_has_one_user_unless_it_says_otherwise(alice, bob, carol):
    for client, options in ((alice, {}), (bob, {"append": True}), (carol, {})):
        client.post("pushers", "set", json={**PUSHER, **options})
        if client is bob:
            assert pushers(alice) == [PUSHER] and pushers(bob) == [PUSHER]
    assert pushers(alice) == [] and pushers(bob) == [] and pushers(carol) == [PUSHER]


def test_pushers_go_with_their_devices(alice):
    second, third = alice.another_device(), alice.another_device()
    for number, client in enumerate((alice, second, third)):
        client.post("pushers", "set", json={**PUSHER, "pushkey": f"key {number}"})
    third.post("logout")
    assert [pusher["pushkey"] for pusher in pushers(alice)] == ["key 0", "key 1"]
    alice.with_password("POST", "account", "password", json={"new_password": PASSWORD + "!"})
    assert [pusher["pushkey"] for pusher in pushers(alice)] == ["key 0"]


@pytest.mark.parametrize(("change", "errcode"), [
    ({"kind": "pigeon"}, "M_INVALID_PARAM"), ({"kind": 1}, "M_BAD_JSON"), ({"app_id": "a" * 65}, "M_INVALID_PARAM"),
    ({"pushkey": "k" * 513}, "M_INVALID_PARAM"), ({"app_id": ""}, "M_INVALID_PARAM"), ({"lang": None}, "M_BAD_JSON"),
    ({"data": {}}, "M_INVALID_PARAM"), ({"data": "x"}, "M_BAD_JSON"),
    ({"data": {"url": "http://push.example/_matrix/push/v1/notify"}}, "M_INVALID_PARAM"),
    ({"data": {"url": "https://push.example/other"}}, "M_INVALID_PARAM"),
    ({"data": {"url": "https:///_matrix/push/v1/notify"}}, "M_INVALID_PARAM"),
])
def test_what_is_no_pusher_is_refused(alice, change, errcode):
    alice.refused(errcode, 400, "POST", "pushers", "set", json={**PUSHER, **change})
    assert pushers(alice) == []
