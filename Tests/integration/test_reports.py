"""Telling those who moderate of rooms, events and users."""

import pytest
from harness.clients import register


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    return room


def test_rooms_events_and_users_are_reported(alice, bob, carol, room):
    event = alice.say(room, "offensive")
    assert bob.post("rooms", room, "report", event, json={"reason": "rude", "score": -50}) == {}
    assert bob.post("rooms", room, "report", event, json={}) == {}
    assert carol.post("rooms", room, "report", json={"reason": ""}) == {}
    assert carol.post("users", alice.user, "report", json={"reason": "impersonates me"}) == {}
    # That there is nobody of that name is not told.
    assert carol.post("users", f"{alice.user[:-1]}x", "report", json={"reason": "?"}) == {}


@pytest.mark.only_chappe(reason="Synapse takes longer reasons")
def test_what_cannot_be_reported(alice, bob, carol, room):
    event = alice.say(room, "offensive")
    carol.refused("M_NOT_FOUND", 404, "POST", "rooms", room, "report", event, json={"reason": "not mine to see"})
    bob.refused("M_NOT_FOUND", 404, "POST", "rooms", room, "report", "$nothing", json={"reason": "?"})
    bob.refused("M_NOT_FOUND", 404, "POST", "rooms", "!nowhere:example.org", "report", json={"reason": "?"})
    bob.refused("M_MISSING_PARAM", 400, "POST", "rooms", room, "report", json={})
    bob.refused("M_BAD_JSON", 400, "POST", "rooms", room, "report", event, json={"reason": 7})
    bob.refused("M_BAD_JSON", 400, "POST", "rooms", room, "report", event, json={"score": "bad"})
    bob.refused("M_INVALID_PARAM", 400, "POST", "rooms", room, "report", json={"reason": "x" * 20_000})
    bob.refused("M_MISSING_PARAM", 400, "POST", "users", alice.user, "report", json={})


@pytest.mark.only_chappe(reason="how many are kept of one user is its own choice")
def test_nobody_drowns_the_reports_of_others(server, room, bob, fresh_name):
    flooder = register(server, fresh_name("flooder"))
    answers = {
        flooder.request("POST", f"/_matrix/client/v3/users/{bob.user}/report", json={"reason": "x"}, expect=(200, 429)).status_code
        for _ in range(210)
    }
    assert answers == {200, 429}
