"""Finding people by name."""

import pytest
from harness.clients import register


@pytest.fixture
def named(server, fresh_name):
    """A function that registers somebody with a display name: `named("Ada Lovelace")`."""

    def make(name, stem="person"):
        client = register(server, fresh_name(stem))
        client.put("profile", client.user, "displayname", json={"displayname": name})
        return client

    return make


def search(client, term, **options):
    return client.post("user_directory", "search", json={"search_term": term, **options})


def found(client, term, **options):
    return [user["user_id"] for user in search(client, term, **options)["results"]]


@pytest.mark.only_chappe(reason="Synapse is configured to find everybody")
def test_who_is_in_an_open_room_is_found(alice, named):
    ada = named("Ada Lovelace", "analyst")
    assert found(alice, "lovelace") == [], "in no room"
    room = ada.create_room(preset="public_chat")
    for term in ("lovelace", "ADA", "lov ad", "analyst", ada.user, ada.user[:9], "ada love"):
        assert found(alice, term) == [ada.user], term
    for term in ("adas", "velace", "ada byron", "@ada", f"{ada.user}x", "", "  "):
        assert found(alice, term) == [], term
    (user,) = search(alice, "lovelace")["results"]
    assert user == {"user_id": ada.user, "display_name": "Ada Lovelace"}
    ada.set_state(room, "m.room.join_rules", {"join_rule": "invite"})
    assert found(alice, "lovelace") == []
    ada.set_state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    assert found(alice, "lovelace") == [ada.user]
    ada.leave(room)
    assert found(alice, "lovelace") == []


@pytest.mark.only_chappe(reason="Synapse is configured to find everybody")
def test_who_shares_a_room_is_found(alice, bob, named):
    grace = named("Grace Hopper")
    room = grace.create_room(preset="private_chat", invite=[alice.user])
    assert found(alice, "hopper") == []
    alice.join(room)
    assert found(alice, "hopper") == [grace.user]
    assert found(bob, "hopper") == []
    alice.leave(room)
    assert found(alice, "hopper") == []


def test_names_change(alice, named):
    client = named("Maiden Name")
    client.create_room(preset="public_chat")
    assert found(alice, "maiden") == [client.user]
    client.put("profile", client.user, "displayname", json={"displayname": "Wedded Name"})
    assert found(alice, "maiden") == [] and found(alice, "wedded") == [client.user]
    client.put("profile", client.user, "avatar_url", json={"avatar_url": "mxc://example.org/face"})
    assert search(alice, "wedded")["results"][0]["avatar_url"] == "mxc://example.org/face"
    client.with_password("POST", "account", "deactivate")
    assert found(alice, "wedded") == []


@pytest.mark.only_chappe(reason="other error codes")
def test_the_best_come_first_and_not_too_many(alice, named):
    people = [named(name) for name in ("Zebediah Zander", "Zeb", "Zebedee")]
    for client in people:
        client.create_room(preset="public_chat")
    assert found(alice, "zeb")[0] == people[1].user
    assert sorted(found(alice, "zeb")) == sorted(client.user for client in people)
    answer = search(alice, "zeb", limit=2)
    assert len(answer["results"]) == 2 and answer["limited"] is True
    assert search(alice, "zeb", limit=3)["limited"] is False
    alice.refused("M_MISSING_PARAM", 400, "POST", "user_directory", "search", json={})


@pytest.mark.only_chappe(reason="its configuration")
def test_everybody_is_found_where_the_administrator_says_so(make_server, engine, fresh_name):
    server = make_server(engine, settings={"user_directory": {"search_all_users": True}}).start()
    try:
        alice, hermit = register(server, fresh_name("alice")), register(server, fresh_name("hermit"))
        assert found(alice, "hermit") == [hermit.user]
    finally:
        server.finish()
