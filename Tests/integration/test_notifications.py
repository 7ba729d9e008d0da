"""What a user has been notified of."""

import pytest


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.say(bob.create_room(), "in another room")
    bob.join(room)
    return room


def notifications(client, **params):
    return client.get("notifications", params=params)


def events(page):
    return [entry["event"]["event_id"] for entry in page["notifications"]]


def test_what_notified_is_told_the_latest_first(alice, bob, room):
    before = alice.say(room, "before carol came")
    sent = [alice.say(room, f"message {number}") for number in range(4)]
    bob.say(room, "my own")
    mention = alice.send(
        room, {"msgtype": "m.text", "body": "look", "m.mentions": {"user_ids": [bob.user]}}
    )
    page = notifications(bob)
    assert events(page) == [mention] + sent[::-1] + [before]
    for entry in page["notifications"]:
        assert entry["room_id"] == room and entry["read"] is False and "notify" in entry["actions"]
    assert events(notifications(bob, only="highlight")) == [mention]
    assert events(notifications(alice))[0] != mention
    seen, token = [], None
    while True:
        page = notifications(bob, limit=2, **({"from": token} if token else {}))
        seen += events(page)
        token = page.get("next_token")
        if token is None:
            break
    assert seen == [mention] + sent[::-1] + [before]


def test_what_has_been_read_is_told_as_read(alice, bob, room):
    first, second = alice.say(room, "first"), alice.say(room, "second")
    bob.post("rooms", room, "receipt", "m.read", first)
    told = {entry["event"]["event_id"]: entry["read"] for entry in notifications(bob)["notifications"]}
    assert told == {second: False, first: True}
    alice.put("rooms", room, "redact", second, "r", json={})
    assert second not in events(notifications(bob))


@pytest.mark.only_chappe(reason="Synapse has judged before")
def test_rooms_that_are_muted_do_not_notify(alice, bob, room):
    alice.say(room, "quiet")
    bob.put("pushrules", "global", "room", room, json={"actions": []})
    assert events(notifications(bob)) == []
