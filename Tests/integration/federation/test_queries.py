"""What one server asks of another: profiles, aliases, public rooms, spaces, events by time."""

from harness.clients import V1
from harness.rooms import becomes, content_of
from harness.waiting import eventually


def test_profiles(alice, bob, pair):
    bob.put("profile", bob.user, "displayname", json={"displayname": "Bob, d’en face"})
    bob.put("profile", bob.user, "avatar_url", json={"avatar_url": f"mxc://{pair.there.server_name}/avatar"})
    profile = alice.get("profile", bob.user)
    assert profile["displayname"] == "Bob, d’en face"
    assert profile["avatar_url"] == f"mxc://{pair.there.server_name}/avatar"
    assert alice.get("profile", bob.user, "displayname") == {"displayname": "Bob, d’en face"}
    alice.refused(("M_NOT_FOUND", "M_UNKNOWN"), 404, "GET", "profile", f"@nobody:{pair.there.server_name}")


def test_a_new_name_is_told_to_the_rooms(alice, bob, room):
    bob.put("profile", bob.user, "displayname", json={"displayname": "Bob the Second"})
    eventually(
        lambda: content_of(alice, room, "m.room.member", bob.user).get("displayname") == "Bob the Second", what="bob's new name"
    )


def test_aliases(alice, bob, pair, fresh_name):
    name = fresh_name("alias")
    room = alice.create_room(room_alias_name=name)
    alias = f"#{name}:{pair.here.server_name}"
    found = bob.get("directory", "room", alias)
    assert found["room_id"] == room and pair.here.server_name in found["servers"]
    alice.delete("directory", "room", alias)
    bob.refused("M_NOT_FOUND", 404, "GET", "directory", "room", alias)


def test_public_rooms(alice, bob, pair, fresh_name):
    name = fresh_name("Assemblée ")
    listed = alice.create_room(preset="public_chat", visibility="public", name=name, topic="Open to all")
    alice.create_room(preset="public_chat", visibility="private", name=name)
    server = {"server": pair.here.server_name}
    found = bob.post("publicRooms", json={"filter": {"generic_search_term": name}}, params=server)
    assert [(room["room_id"], room["name"], room["topic"], room["num_joined_members"]) for room in found["chunk"]] == [
        (listed, name, "Open to all", 1)
    ]
    rooms, position = [], {}
    while True:
        page = bob.get("publicRooms", params={**server, "limit": 5, **position})
        assert len(page["chunk"]) <= 5
        rooms += [room["room_id"] for room in page["chunk"]]
        if "next_batch" not in page:
            break
        position = {"since": page["next_batch"]}
    assert listed in rooms and len(rooms) == len(set(rooms))


def test_space_hierarchy(alice, bob, pair):
    here = [pair.here.server_name]
    space = alice.create_room(preset="public_chat", name="Ministry", creation_content={"type": "m.space"})
    children = [alice.create_room(preset="public_chat", name=f"Office {number}") for number in range(2)]
    hidden = alice.create_room(preset="private_chat", name="Cabinet")
    for child in (*children, hidden):
        alice.set_state(space, "m.space.child", {"via": here}, key=child)
    bob.join_via(space, alice)
    eventually(lambda: content_of(bob, space, "m.space.child", hidden), what="the space's last child")
    found = bob.get("rooms", space, "hierarchy", base=V1)["rooms"]
    assert {room["room_id"]: room.get("name") for room in found} == {
        space: "Ministry", children[0]: "Office 0", children[1]: "Office 1",
    }


def test_event_by_time(alice, bob, room):
    becomes(alice, room, bob.user, "join")
    event = alice.say(room, "At this time")
    eventually(lambda: event in [found["event_id"] for found in bob.all_messages(room)], what="the event")
    time = alice.event(room, event)["origin_server_ts"]
    found = bob.get("rooms", room, "timestamp_to_event", base=V1, params={"ts": time, "dir": "b"})
    assert found["event_id"] == event
