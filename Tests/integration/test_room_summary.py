"""What is told of a room to those who may come to see it; the rooms that two users share; events without their room."""

import pytest
from harness.clients import V1, Client


def summary(client, room, **options):
    return client.get("room_summary", room, base=V1, **options)


@pytest.mark.only_chappe(reason="Synapse has other names for what was unstable")
def test_a_public_room_is_described_to_everybody(server, alice, bob, fresh_name):
    name = fresh_name("summary")
    room = alice.create_room(preset="public_chat", name="Agora", topic="All and sundry", room_alias_name=name)
    alias = f"#{name}:{server.server_name}"
    told = summary(bob, room)
    assert told["room_id"] == room and told["name"] == "Agora" and told["topic"] == "All and sundry"
    assert told["num_joined_members"] == 1 and told["join_rule"] == "public" and told["room_version"] == "12"
    assert told["membership"] == "leave" and told["guest_can_join"] is False and told["world_readable"] is False
    assert summary(bob, alias)["room_id"] == room
    assert summary(alice, room)["membership"] == "join"
    stranger = Client(server)
    assert "membership" not in summary(stranger, room)
    for where in (f"/summary/{room}", f"/rooms/{room}/summary"):
        unstable = bob.request("GET", f"/_matrix/client/unstable/im.nheko.summary{where}", schema=False).json()
        assert unstable["room_id"] == room and unstable["im.nheko.summary.room_version"] == "12"


@pytest.mark.only_chappe(reason="other error codes")
def test_a_private_room_is_described_to_who_is_invited(server, alice, bob, carol):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    assert summary(bob, room)["membership"] == "invite"
    carol.refused("M_NOT_FOUND", 404, "GET", "room_summary", room, base=V1)
    Client(server).refused("M_NOT_FOUND", 404, "GET", "room_summary", room, base=V1)
    carol.refused("M_NOT_FOUND", 404, "GET", "room_summary", f"#nothing:{server.server_name}", base=V1)
    carol.refused("M_NOT_FOUND", 404, "GET", "room_summary", "!nowhere", base=V1)
    carol.refused("M_INVALID_PARAM", 400, "GET", "room_summary", "nonsense", base=V1)


def test_rooms_that_two_users_share(server, alice, bob, carol):
    both = [alice.create_room(preset="public_chat") for _ in range(3)]
    for room in both:
        bob.join(room)
    alice.create_room(preset="private_chat", invite=[bob.user])
    bob.leave(both[2])
    mutual = alice.get("mutual_rooms", base=V1, params={"user_id": bob.user})
    assert sorted(mutual["joined"]) == sorted(both[:2]) and mutual["count"] == 2 and "next_batch" not in mutual
    assert alice.get("mutual_rooms", base=V1, params={"user_id": carol.user}) == {"joined": [], "count": 0}
    nobody = f"@nobody:{server.server_name}"
    assert alice.get("mutual_rooms", base=V1, params={"user_id": nobody})["joined"] == []
    alice.refused("M_INVALID_PARAM", 400, "GET", "mutual_rooms", base=V1, params={"user_id": alice.user})
    alice.refused("M_INVALID_PARAM", 400, "GET", "mutual_rooms", base=V1, params={"user_id": "bob"})
    alice.refused("M_INVALID_PARAM", 400, "GET", "mutual_rooms", base=V1, params={"user_id": bob.user, "from": "x"})
    alice.refused("M_MISSING_PARAM", 400, "GET", "mutual_rooms", base=V1)


@pytest.mark.only_chappe(reason="Synapse answers 403")
def test_an_event_without_its_room(alice, bob):
    room = alice.create_room()
    event = alice.say(room, "found by its identifier")
    assert alice.get("events", event)["room_id"] == room
    bob.refused("M_NOT_FOUND", 404, "GET", "events", event)
    alice.refused("M_NOT_FOUND", 404, "GET", "events", "$nothing")


@pytest.mark.only_chappe(reason="Synapse answers without an error code")
def test_there_are_no_bridges(alice):
    assert alice.get("thirdparty", "protocols") == {}
    alice.refused("M_NOT_FOUND", 404, "GET", "thirdparty", "protocol", "irc")
    assert alice.get("thirdparty", "location", "irc", params={"channel": "#x"}) == []
    assert alice.get("thirdparty", "user", "irc", params={"nick": "x"}) == []
    assert alice.get("thirdparty", "location", params={"alias": "#x:example.org"}) == []
    assert alice.get("thirdparty", "user", params={"userid": alice.user}) == []
    alice.refused("M_MISSING_PARAM", 400, "GET", "thirdparty", "user")


@pytest.mark.only_chappe(reason="its configuration")
def test_whom_to_turn_to(make_server, engine, server):
    where = "/.well-known/matrix/support"
    assert Client(server).request("GET", where, expect=404, schema=False).json()["errcode"] == "M_NOT_FOUND"
    contacts = [{"role": "m.role.admin", "matrix_id": "@admin:example.org", "email_address": "admin@example.org"}]
    support = {"contacts": contacts, "support_page": "https://example.org/help"}
    configured = make_server(engine, settings={"support": support}).start()
    try:
        assert Client(configured).request("GET", where, schema=False).json() == support
    finally:
        configured.finish()
