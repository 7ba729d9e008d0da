"""What is in a space, events by their time, and tokens by which users prove to others who they are."""

import pytest
from harness.clients import V1


@pytest.fixture
def space(alice):
    return alice.create_room(preset="public_chat", name="Ministry", creation_content={"type": "m.space"})


def add(client, space, child, **content):
    client.set_state(space, "m.space.child", {"via": [client.server.server_name], **content}, key=child)


def named(found):
    return [room["name"] for room in found]


def test_a_space_shows_what_the_asker_may_enter(alice, bob, space):
    office = alice.create_room(preset="public_chat", name="Office", topic="Papers")
    cabinet = alice.create_room(preset="private_chat", name="Cabinet")
    wing = alice.create_room(preset="public_chat", name="Wing", creation_content={"type": "m.space"})
    desk = alice.create_room(preset="public_chat", name="Desk")
    add(alice, space, office, order="b", suggested=True)
    add(alice, space, cabinet, order="a")
    add(alice, space, wing, order="c")
    add(alice, wing, desk)
    assert named(alice.get("rooms", space, "hierarchy", base=V1)["rooms"]) == ["Ministry", "Cabinet", "Office", "Wing", "Desk"]
    seen = bob.get("rooms", space, "hierarchy", base=V1)["rooms"]
    assert named(seen) == ["Ministry", "Office", "Wing", "Desk"]
    assert seen[0]["room_type"] == "m.space" and seen[1]["topic"] == "Papers"
    assert seen[1]["num_joined_members"] == 1 and seen[1]["join_rule"] == "public"
    assert [child["state_key"] for child in seen[0]["children_state"]] == [cabinet, office, wing]
    found = bob.get("rooms", space, "hierarchy", base=V1, params={"suggested_only": "true"})
    assert named(found["rooms"]) == ["Ministry", "Office"]
    found = bob.get("rooms", space, "hierarchy", base=V1, params={"max_depth": 1})
    assert named(found["rooms"]) == ["Ministry", "Office", "Wing"]
    bob.refused("M_FORBIDDEN", 403, "GET", "rooms", cabinet, "hierarchy", base=V1)


def test_a_space_comes_in_pages(alice, bob, space):
    for number in range(7):
        add(alice, space, alice.create_room(preset="public_chat", name=f"Office {number}"), order=str(number))
    rooms, position = [], {}
    while True:
        page = bob.get("rooms", space, "hierarchy", base=V1, params={"limit": 3, **position})
        assert len(page["rooms"]) <= 3
        rooms += named(page["rooms"])
        if "next_batch" not in page:
            break
        position = {"from": page["next_batch"]}
    assert rooms == ["Ministry", *(f"Office {number}" for number in range(7))]
    bob.refused("M_INVALID_PARAM", 400, "GET", "rooms", space, "hierarchy", base=V1, params={"from": "nothing"})
    bob.refused("M_INVALID_PARAM", 400, "GET", "rooms", space, "hierarchy", base=V1, params={"limit": 0})


def test_events_by_their_time(alice, bob):
    room = alice.create_room(preset="private_chat")
    events = [alice.say(room, str(number)) for number in range(3)]
    time = alice.event(room, events[1])["origin_server_ts"]

    def at(time, direction):
        return alice.get("rooms", room, "timestamp_to_event", base=V1, params={"ts": time, "dir": direction})

    if time not in {alice.event(room, events[place])["origin_server_ts"] for place in (0, 2)}:
        assert at(time, "f") == at(time, "b") == {"event_id": events[1], "origin_server_ts": time}
    first = at(0, "f")
    assert alice.event(room, first["event_id"])["type"] == "m.room.create"
    where = ("GET", "rooms", room, "timestamp_to_event")
    alice.refused("M_NOT_FOUND", 404, *where, base=V1, params={"ts": 2**50, "dir": "f"})
    alice.refused("M_NOT_FOUND", 404, *where, base=V1, params={"ts": 0, "dir": "b"})
    alice.refused("M_MISSING_PARAM", 400, *where, base=V1, params={"ts": 0})
    bob.refused("M_FORBIDDEN", 403, *where, base=V1, params={"ts": 0, "dir": "f"})


def test_tokens_for_others(alice, bob):
    token = alice.post("user", alice.user, "openid", "request_token")
    assert token["matrix_server_name"] == alice.server.server_name and token["token_type"] == "Bearer"
    assert token["expires_in"] == 3600
    assert alice.post("user", alice.user, "openid", "request_token")["access_token"] != token["access_token"]
    bob.refused("M_FORBIDDEN", 403, "POST", "user", alice.user, "openid", "request_token")
    # It opens nothing here.
    alice.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami", token=token["access_token"])
