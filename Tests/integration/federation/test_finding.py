"""Finding people of other servers, and what they have said."""

from harness.rooms import arrives, becomes
from harness.waiting import eventually


def people(client, term):
    return [user["user_id"] for user in client.post("user_directory", "search", json={"search_term": term})["results"]]


def words(client, term):
    body = {"search_categories": {"room_events": {"search_term": term, "order_by": "recent"}}}
    results = client.post("search", json=body)["search_categories"]["room_events"]["results"]
    return [result["result"]["event_id"] for result in results]


def test_people_of_other_servers_are_found(alice, bob, dave):
    name = f"Exotic {alice.user[1:].split(':')[0]}"
    alice.put("profile", alice.user, "displayname", json={"displayname": name})
    room = alice.create_room(preset="public_chat")
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")
    term = name.split()[1]
    eventually(lambda: alice.user in people(dave, term), what="alice is found by somebody who shares no room with her")
    bob.leave(room)
    eventually(lambda: alice.user not in people(dave, term), what="alice is found no more")


def test_what_came_from_elsewhere_is_found(alice, bob):
    room = alice.create_room(preset="public_chat")
    old = alice.say(room, "a antediluvian remark")
    for number in range(25):
        alice.say(room, f"message {number}")
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")
    new = alice.say(room, "a newfangled remark")
    arrives(bob, room, new)
    eventually(lambda: words(bob, "newfangled") == [new], what="the new message")
    eventually(lambda: old in [event["event_id"] for event in bob.all_messages(room)], what="the history")
    eventually(lambda: words(bob, "antediluvian") == [old], what="the old message")


def test_a_room_elsewhere_is_described(alice, bob):
    from harness.clients import V1

    room = alice.create_room(preset="public_chat", name="Far away")
    told = bob.get("room_summary", room, base=V1, params={"via": alice.server.server_name})
    assert told["room_id"] == room and told["name"] == "Far away" and told["membership"] == "leave"
    private = alice.create_room(preset="private_chat")
    bob.refused("M_NOT_FOUND", 404, "GET", "room_summary", private, base=V1, params={"via": alice.server.server_name})
