"""Sliding sync: windows on the user's rooms, subscriptions, and what a connection remembers."""

import time

import pytest

from harness.sliding import Loop, rooms_list
from test_sync import in_background

NAME = ["m.room.name", ""]


@pytest.fixture(params=["experimental", pytest.param("accepted", marks=pytest.mark.only_chappe(reason="Synapse has only the experiment"))])
def form(request):
    return request.param


def bodies(room):
    return [event["content"].get("body") for event in room.get("timeline", []) if event["type"] == "m.room.message"]


def keys(room):
    return {(event["type"], event["state_key"]) for event in room.get("required_state", [])}


def make_rooms(owner, count, **options):
    """Rooms with a message each; the last one is the most recent."""
    rooms = []
    for number in range(count):
        room = owner.create_room(name=f"Room {number}", **options)
        owner.say(room, f"first of {number}")
        rooms.append(room)
    return rooms


def test_the_feature_is_announced(alice):
    assert alice.request("GET", "/_matrix/client/versions").json()["unstable_features"]["org.matrix.simplified_msc3575"] is True


def test_a_window_shows_the_most_recent_rooms(alice, form):
    rooms = make_rooms(alice, 5)
    loop = Loop(alice, form)
    answer = loop.sync({"all": rooms_list(2, [NAME, ["m.room.create", ""]], (0, 1))})
    assert answer["lists"]["all"]["count"] == 5
    assert set(answer["rooms"]) == {rooms[4], rooms[3]}
    room = answer["rooms"][rooms[4]]
    assert room["initial"] is True and room["name"] == "Room 4" and room["joined_count"] == 1 and room["invited_count"] == 0
    assert keys(room) == {("m.room.name", ""), ("m.room.create", "")}
    assert len(room["timeline"]) == 2 and bodies(room) == ["first of 4"] and room["limited"] is True and room["num_live"] == 0
    assert room["bump_stamp"] > answer["rooms"][rooms[3]]["bump_stamp"]
    if form == "accepted":
        assert room["membership"] == "join" and room["lists"] == ["all"]
    grown = loop.sync({"all": rooms_list(2, [NAME], (0, 99))})
    assert set(grown["rooms"]) == set(rooms[:3]) and all(room["initial"] for room in grown["rooms"].values())
    assert not loop.sync({"all": rooms_list(2, [NAME], (0, 99))})["rooms"]


@pytest.mark.only_chappe(reason="Synapse sends none, though its own words are otherwise")
def test_a_list_without_a_range_has_all_rooms(alice, form):
    rooms = make_rooms(alice, 3)
    answer = Loop(alice, form).sync({"all": rooms_list(window=None)})
    assert set(answer["rooms"]) == set(rooms)


def test_the_timeline_is_continued_by_messages(alice, form):
    (room,) = make_rooms(alice, 1)
    sent = [alice.say(room, f"m{number}") for number in range(8)]
    loop = Loop(alice, form)
    shown = loop.sync({"all": rooms_list(3)})["rooms"][room]
    assert [event["event_id"] for event in shown["timeline"]] == sent[-3:]
    older = alice.messages(room, limit=5, **{"from": shown["prev_batch"]})
    assert [event["event_id"] for event in older["chunk"]] == list(reversed(sent[:-3]))


def test_relations_are_told_with_what_the_client_has_not_seen_come(alice, form):
    room = make_rooms(alice, 1)[0]
    first = alice.say(room, "first")

    def edit(event):
        content = {
            "msgtype": "m.text", "body": "* edited", "m.new_content": {"msgtype": "m.text", "body": "edited"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": event},
        }
        return alice.send(room, content)

    last = edit(first)
    loop = Loop(alice, form)
    wanted = {"all": rooms_list(2, [NAME], (0, 9))}
    timeline = loop.sync(wanted)["rooms"][room]["timeline"]
    assert timeline[0]["unsigned"]["m.relations"]["m.replace"]["event_id"] == last
    second = alice.say(room, "second")
    edit(second)
    live = loop.sync(wanted)["rooms"][room]["timeline"]
    assert [event["event_id"] for event in live][0] == second and "m.relations" not in live[0]["unsigned"]


@pytest.mark.only_chappe(reason="Synapse does not take the position of a sliding sync there")
def test_a_position_can_be_paginated_from(alice, form):
    (room,) = make_rooms(alice, 1)
    last = alice.say(room, "last")
    loop = Loop(alice, form)
    loop.sync({"all": rooms_list()})
    assert alice.messages(room, limit=1, **{"from": loop.pos})["chunk"][0]["event_id"] == last


def test_a_message_moves_its_room_into_the_window(alice, bob, form):
    rooms = make_rooms(alice, 4, preset="public_chat")
    bob.join(rooms[0])
    alice.say(rooms[3], "the newest")
    alice.say(rooms[2], "newer")
    loop = Loop(alice, form)
    small = {"all": rooms_list(1, [NAME], (0, 1))}
    first = loop.sync(small)
    assert set(first["rooms"]) == {rooms[2], rooms[3]}
    bob.say(rooms[0], "look here")
    answer = loop.sync(small)
    room = answer["rooms"].pop(rooms[0])
    assert not answer["rooms"]
    assert room["initial"] is True and room["num_live"] == 1 and bodies(room) == ["look here"] and room["name"] == "Room 0"
    bob.say(rooms[0], "and here")
    room = loop.sync(small)["rooms"][rooms[0]]
    assert "initial" not in room and bodies(room) == ["and here"] and room["num_live"] == 1 and room["limited"] is False
    assert "name" not in room and "required_state" not in room and "joined_count" not in room


def test_the_bump_stamp_rises_with_messages_only(alice, bob, form):
    (room,) = make_rooms(alice, 1)
    loop = Loop(alice, form)
    lists = {"all": rooms_list(5)}
    first = loop.sync(lists)["rooms"][room]["bump_stamp"]
    alice.set_state(room, "m.room.topic", {"topic": "no bump"})
    assert loop.sync(lists)["rooms"][room].get("bump_stamp", first) == first
    alice.say(room, "a bump")
    assert loop.sync(lists)["rooms"][room]["bump_stamp"] > first


def test_what_was_kept_back_comes_with_the_room(alice, bob, form):
    """A room that was sent, fell out of the window, and comes back: everything in between is told."""
    old, new = make_rooms(alice, 2, preset="public_chat")
    bob.join(old)
    loop = Loop(alice, form)
    wide, narrow = {"all": rooms_list(3, [NAME, ["m.room.topic", ""]], (0, 9))}, {"all": rooms_list(3, [NAME, ["m.room.topic", ""]], (0, 0))}
    assert set(loop.sync(wide)["rooms"]) == {old, new}
    alice.say(new, "on top")
    loop.sync(narrow)
    alice.set_state(old, "m.room.topic", {"topic": "changed out of sight"})
    for number in range(5):
        bob.say(old, f"m{number}")
        alice.say(new, f"n{number}")
        assert old not in loop.sync(narrow)["rooms"]
    room = loop.sync(wide)["rooms"][old]
    assert "initial" not in room and bodies(room) == ["m2", "m3", "m4"] and room["limited"] is True
    assert keys(room) == {("m.room.topic", "")}
    assert old not in loop.sync(wide)["rooms"]


def test_a_window_in_the_middle_follows(alice, form):
    """What moves to the top pushes a room into a window further down."""
    if form == "accepted":
        pytest.skip("one range is enough to show it")
    rooms = make_rooms(alice, 4)
    loop = Loop(alice, form)
    lists = {"middle": rooms_list(1, [], (2, 2))}
    assert set(loop.sync(lists)["rooms"]) == {rooms[1]}
    alice.say(rooms[0], "up")
    assert set(loop.sync(lists)["rooms"]) == {rooms[2]}


@pytest.mark.only_chappe(reason="Synapse sends what one list wants with the rooms of the other, too")
def test_two_lists_want_more_than_one(alice, form):
    rooms = make_rooms(alice, 3)
    answer = Loop(alice, form).sync({
        "top": rooms_list(5, [NAME], (0, 0)), "all": rooms_list(1, [["m.room.create", ""]], (0, 99)),
    })
    assert keys(answer["rooms"][rooms[2]]) == {("m.room.name", ""), ("m.room.create", "")}
    assert len(answer["rooms"][rooms[2]]["timeline"]) == 5
    assert keys(answer["rooms"][rooms[0]]) == {("m.room.create", "")} and len(answer["rooms"][rooms[0]]["timeline"]) == 1
    if form == "accepted":
        assert answer["rooms"][rooms[2]]["lists"] == ["all", "top"]


# Memberships


def test_an_invitation_then_the_room(alice, bob, form):
    (room,) = make_rooms(alice, 1)
    loop = Loop(bob, form)
    lists = {"all": rooms_list(5, [NAME])}
    assert not loop.sync(lists)["rooms"]
    alice.invite(room, bob)
    answer = loop.sync(lists)
    stripped = loop.stripped(answer["rooms"][room])
    assert {"m.room.name", "m.room.member"} <= {event["type"] for event in stripped}
    assert answer["lists"]["all"]["count"] == 1 and "timeline" not in answer["rooms"][room]
    if form == "accepted":
        assert answer["rooms"][room]["membership"] == "invite"
    alice.say(room, "not for bob yet")
    assert alice.server.kind == "synapse" or room not in loop.sync(lists)["rooms"]  # which sends the invitation again
    bob.join(room)
    joined = loop.sync(lists)["rooms"][room]
    assert joined["initial"] is True and joined["name"] == "Room 0" and joined["joined_count"] == 2
    assert loop.stripped(joined) is None


def test_a_declined_invitation_is_told_once(alice, bob, form):
    (room,) = make_rooms(alice, 1)
    alice.invite(room, bob)
    loop = Loop(bob, form)
    lists = {"all": rooms_list(5, [["m.room.member", "$ME"]])}
    assert loop.stripped(loop.sync(lists)["rooms"][room])
    bob.leave(room)
    answer = loop.sync(lists)
    assert answer["lists"]["all"]["count"] == 0 or alice.server.kind == "synapse"
    (member,) = [event for event in answer["rooms"][room]["required_state"] if event["state_key"] == bob.user]
    assert member["content"]["membership"] == "leave"
    assert room not in loop.sync(lists)["rooms"]


def test_a_knock(alice, bob, form):
    room = alice.create_room(name="Knockable", room_version="10", initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}])
    loop = Loop(bob, form)
    lists = {"all": rooms_list()}
    loop.sync(lists)
    bob.post("knock", room)
    shown = loop.sync(lists)["rooms"][room]
    assert "m.room.join_rules" in {event["type"] for event in loop.stripped(shown)}


def test_leaving_is_told_once_and_only_to_who_had_the_room(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    loop = Loop(bob, form)
    lists = {"all": rooms_list(5, [["m.room.member", "$ME"]])}
    assert room in loop.sync(lists)["rooms"]
    bob.leave(room)
    alice.say(room, "behind the back")
    shown = loop.sync(lists)["rooms"][room]
    (member,) = shown["required_state"]
    assert member["content"]["membership"] == "leave" and "behind the back" not in bodies(shown)
    alice.say(room, "more")
    assert room not in loop.sync(lists)["rooms"]
    fresh = Loop(bob, form, "fresh").sync(lists)
    assert room not in fresh["rooms"] and fresh["lists"]["all"]["count"] == 0
    bob.join(room)
    assert loop.sync(lists)["rooms"][room]["initial"] is True


@pytest.mark.parametrize("how", ["kick", "ban"])
def test_who_was_put_out_sees_it_in_every_connection(alice, bob, form, how):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    loop = Loop(bob, form)
    lists = {"all": rooms_list(5, [["m.room.member", "$ME"]])}
    loop.sync(lists)
    alice.post("rooms", room, how, json={"user_id": bob.user})
    alice.set_state(room, "m.room.topic", {"topic": "not for bob"})
    for connection in (loop, Loop(bob, form, "fresh")):
        shown = connection.sync(lists)["rooms"][room]
        members = [event for event in shown["required_state"] if event["state_key"] == bob.user]
        assert members[0]["content"]["membership"] == ("ban" if how == "ban" else "leave")
        assert "m.room.topic" not in {event["type"] for event in shown["timeline"]}
        assert room not in connection.sync(lists)["rooms"]


def test_a_ban_from_outside_is_no_room(alice, bob, form):
    (room,) = make_rooms(alice, 1)
    alice.post("rooms", room, "ban", json={"user_id": bob.user})
    assert not Loop(bob, form).sync({"all": rooms_list()})["rooms"] or alice.server.kind == "synapse"


# Subscriptions


def test_a_subscription_reaches_beyond_the_window(alice, bob, form):
    old, _ = make_rooms(alice, 2, preset="public_chat")
    bob.join(old)
    alice.say(_, "on top")
    loop = Loop(alice, form)
    lists = {"top": rooms_list(1, [], (0, 0))}
    assert old not in loop.sync(lists)["rooms"]
    subscribed = {old: {"timeline_limit": 5, "required_state": [NAME]}}
    room = loop.sync(lists, subscribed)["rooms"][old]
    assert room["initial"] is True and len(room["timeline"]) == 5 and keys(room) == {("m.room.name", "")}
    assert old not in loop.sync(lists, subscribed)["rooms"]
    if form == "accepted":
        assert "lists" not in room


def test_what_one_may_not_see_cannot_be_subscribed_to(alice, bob, form):
    (room,) = make_rooms(alice, 1)
    config = {"timeline_limit": 5, "required_state": [NAME]}
    answer = Loop(bob, form).sync(subscriptions={room: config, "!nowhere:example.org": config})
    assert not answer["rooms"]


# What is sent of a room


def test_members_come_as_they_speak(alice, bob, carol, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    carol.join(room)
    bob.say(room, "from bob")
    loop = Loop(alice, form)
    lists = {"all": rooms_list(1, [["m.room.member", "$LAZY"], NAME])}
    first = loop.sync(lists)["rooms"][room]
    assert keys(first) == {("m.room.name", ""), ("m.room.member", bob.user)}
    carol.say(room, "from carol")
    assert keys(loop.sync(lists)["rooms"][room]) == {("m.room.member", carol.user)}
    carol.say(room, "again")
    assert keys(loop.sync(lists)["rooms"][room]) == set()
    bob.put("profile", bob.user, "displayname", json={"displayname": "Robert"})
    changed = loop.sync_until(lambda answer: room in answer["rooms"], lists)["rooms"][room]
    assert keys(changed) == {("m.room.member", bob.user)} and changed["joined_count"] == 3


def test_all_state_but_lazy_members(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    alice.say(room, "hello")
    shown = Loop(alice, form).sync({"all": rooms_list(1, [["*", "*"], ["m.room.member", "$LAZY"]])})["rooms"][room]
    assert {"m.room.create", "m.room.name", "m.room.power_levels", "m.room.join_rules"} <= {kind for kind, _ in keys(shown)}
    if alice.server.kind != "synapse":  # which sends all members even so
        assert {key for kind, key in keys(shown) if kind == "m.room.member"} == {alice.user}


def test_wildcards_and_oneself(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    alice.set_state(room, "org.example.thing", {"a": 1}, "one")
    alice.set_state(room, "org.example.thing", {"a": 2}, "two")
    state = [["org.example.thing", "*"], ["m.room.member", "$ME"]]
    loop = Loop(alice, form)
    expected = {("org.example.thing", "one"), ("org.example.thing", "two"), ("m.room.member", alice.user)}
    assert keys(loop.sync({"all": rooms_list(0, state)})["rooms"][room]) == expected
    alice.set_state(room, "org.example.thing", {"a": 3}, "three")
    assert keys(loop.sync({"all": rooms_list(0, state)})["rooms"][room]) == {("org.example.thing", "three")}


def test_a_higher_timeline_limit_brings_history(alice, form):
    (room,) = make_rooms(alice, 1)
    sent = [alice.say(room, f"m{number}") for number in range(10)]
    loop = Loop(alice, form)
    assert len(loop.sync({"all": rooms_list(1)})["rooms"][room]["timeline"]) == 1
    more = loop.sync({"all": rooms_list(6)})["rooms"][room]
    assert [event["event_id"] for event in more["timeline"]] == sent[-6:]
    assert loop.is_expanded(more) and "initial" not in more and more["num_live"] == 0
    assert not loop.sync({"all": rooms_list(6)})["rooms"]
    assert not loop.sync({"all": rooms_list(2)})["rooms"]
    assert not loop.sync({"all": rooms_list(6)})["rooms"], "it has these already"


def test_more_required_state_is_sent_at_once(alice, form):
    (room,) = make_rooms(alice, 1)
    loop = Loop(alice, form)
    loop.sync({"all": rooms_list(1, [NAME])})
    more = loop.sync({"all": rooms_list(1, [NAME, ["m.room.create", ""]])})["rooms"][room]
    assert keys(more) == {("m.room.create", "")}
    loop.sync({"all": rooms_list(1, [NAME])})
    assert room not in loop.sync({"all": rooms_list(1, [NAME, ["m.room.create", ""]])})["rooms"]


def test_state_that_is_not_asked_for_any_more_is_sent_again_if_it_changed(alice, form):
    (room,) = make_rooms(alice, 1)
    loop = Loop(alice, form)
    topic = ["m.room.topic", ""]
    alice.set_state(room, "m.room.topic", {"topic": "one"})
    loop.sync({"all": rooms_list(1, [NAME, topic])})
    alice.set_state(room, "m.room.topic", {"topic": "two"})
    assert keys(loop.sync({"all": rooms_list(1, [NAME])})["rooms"][room]) == set()
    (event,) = loop.sync({"all": rooms_list(1, [NAME, topic])})["rooms"][room]["required_state"]
    assert event["content"]["topic"] == "two"


def test_name_avatar_and_members(alice, bob, form):
    room = alice.create_room(preset="trusted_private_chat", invite=[bob.user], is_direct=True)
    bob.put("profile", bob.user, "displayname", json={"displayname": "Bob B."})
    loop = Loop(alice, form)
    lists = {"all": rooms_list(1)}
    first = loop.sync(lists)["rooms"][room]
    assert "name" not in first and [hero["user_id"] for hero in first["heroes"]] == [bob.user]
    assert (first["joined_count"], first["invited_count"]) == (1, 1)
    bob.join(room)
    second = loop.sync(lists)["rooms"][room]
    assert second["heroes"] == [{"user_id": bob.user, "displayname": "Bob B."}]
    assert (second["joined_count"], second["invited_count"]) == (2, 0)
    alice.set_state(room, "m.room.name", {"name": "Named"})
    alice.set_state(room, "m.room.avatar", {"url": "mxc://example.org/abc"})
    third = loop.sync(lists)["rooms"][room]
    assert third["name"] == "Named" and third["avatar"] == "mxc://example.org/abc" and "heroes" not in third
    alice.set_state(room, "m.room.name", {"name": ""})
    last = loop.sync(lists)["rooms"][room]
    if form == "accepted":
        assert last["name"] is None and last["heroes"]


def test_a_direct_chat_is_called_one(alice, bob, form):
    (room,) = make_rooms(alice, 1)
    loop = Loop(alice, form)
    lists = {"all": rooms_list(1)}
    assert not loop.sync(lists)["rooms"][room].get("is_dm")
    alice.put("user", alice.user, "account_data", "m.direct", json={bob.user: [room]})
    assert alice.server.kind == "synapse" or loop.sync(lists)["rooms"][room]["is_dm"] is True
    assert Loop(alice, form, "fresh").sync(lists)["rooms"][room]["is_dm"] is True


@pytest.mark.only_chappe(reason="Synapse always says 0")
def test_unread_counts(alice, bob):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    loop = Loop(alice)
    lists = {"all": rooms_list(1)}
    loop.sync(lists)
    event = bob.say(room, "one")
    assert loop.sync(lists)["rooms"][room]["notification_count"] == 1
    bob.say(room, f"for {alice.user.split(':')[0][1:]}")
    assert loop.sync(lists)["rooms"][room]["notification_count"] == 2
    alice.post("rooms", room, "receipt", "m.read", event)
    read = loop.sync(lists)["rooms"][room]
    assert read["notification_count"] == 1 and "timeline" not in read


# Connections


def test_a_repeated_request_is_answered_again(alice, bob, form):
    rooms = make_rooms(alice, 3, preset="public_chat")
    bob.join(rooms[0])
    loop = Loop(alice, form)
    small, large = {"all": rooms_list(1, [NAME], (0, 0))}, {"all": rooms_list(1, [NAME], (0, 9))}
    loop.sync(small)
    base = loop.pos
    bob.say(rooms[0], "once")
    # The answer is lost; so is that to the next try, which asks for more.
    assert bodies(loop.sync(small)["rooms"][rooms[0]]) == ["once"]
    lost = loop.pos
    assert bodies(loop.sync(large, pos=base)["rooms"][rooms[0]]) == ["once"]
    again = loop.sync(large, pos=base)
    assert bodies(again["rooms"][rooms[0]]) == ["once"] and len(again["rooms"]) >= 2
    assert not loop.sync(large)["rooms"]
    for old in (lost, base):
        assert loop.sync(large, pos=old, expect=400)["errcode"] == "M_UNKNOWN_POS"


def test_positions_of_others_are_unknown(alice, bob, form):
    make_rooms(alice, 1)
    loop = Loop(alice, form)
    loop.sync({"all": rooms_list()})
    other = alice.another_device()
    if alice.server.kind != "synapse":
        for thief in (Loop(bob, form), Loop(other, form), Loop(alice, form, "other")):
            assert thief.sync({"all": rooms_list()}, pos=loop.pos, expect=400)["errcode"] == "M_UNKNOWN_POS"
        bare = Loop(alice, form, "bare")
        bare.sync(extensions={"e2ee": {"enabled": True}})
        for thief in (Loop(bob, form, "bare"), Loop(other, form, "bare"), Loop(alice, form)):
            assert thief.sync(pos=bare.pos, expect=400)["errcode"] == "M_UNKNOWN_POS"
        for junk in ("", "x", "s1", "s1.", "s1.x", "1.1", "s99999999_0.1", "s-1.1", "s1.99999999999999999999", "s1.xzz"):
            assert loop.sync(pos=junk, expect=400)["errcode"] == "M_UNKNOWN_POS", junk
    other.close()


def test_connections_do_not_disturb_each_other(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    one, two = Loop(alice, form, "one"), Loop(alice, form, "two")
    lists = {"all": rooms_list(1)}
    for loop in (one, two):
        assert loop.sync(lists)["rooms"][room]["initial"] is True
    bob.say(room, "to both")
    for loop in (one, two):
        assert bodies(loop.sync(lists)["rooms"][room]) == ["to both"]
    # A new connection of the same name takes the place of the old one.
    anew = Loop(alice, form, "one")
    assert room in anew.sync(lists)["rooms"]
    if alice.server.kind != "synapse":  # which lets both go on
        assert one.sync(lists, expect=400)["errcode"] == "M_UNKNOWN_POS"
    assert not two.sync(lists)["rooms"]


@pytest.mark.only_chappe(reason="how many connections there may be is the server's choice")
def test_the_oldest_of_many_connections_is_forgotten(alice):
    make_rooms(alice, 1)
    loops = [Loop(alice, name=f"n{number}") for number in range(9)]
    for loop in loops:
        loop.sync({"all": rooms_list()})
    assert loops[0].sync({"all": rooms_list()}, expect=400)["errcode"] == "M_UNKNOWN_POS"
    assert not loops[1].sync({"all": rooms_list()})["rooms"]


@pytest.mark.only_chappe(reason="Synapse keeps connections in its database")
def test_after_a_restart_the_client_begins_anew(own_server, form):
    from harness.clients import register

    alice = register(own_server, "alice")
    (room,) = make_rooms(alice, 1)
    rooms, bare = Loop(alice, form, "rooms"), Loop(alice, form, "encryption")
    rooms.sync({"all": rooms_list()})
    bare.sync(extensions={"e2ee": {"enabled": True}, "to_device": {"enabled": True}})
    own_server.restart()
    assert rooms.sync({"all": rooms_list()}, expect=400)["errcode"] == "M_UNKNOWN_POS"
    rooms.pos = None
    assert room in rooms.sync({"all": rooms_list()})["rooms"]
    # A connection that was sent no rooms has nothing to lose.
    alice.put("sendToDevice", "m.test", "t1", json={"messages": {alice.user: {alice.device: {"a": 1}}}})
    answer = bare.sync(extensions={"e2ee": {"enabled": True}, "to_device": {"enabled": True}})
    assert answer["extensions"]["to_device"]["events"][0]["content"] == {"a": 1}
    alice.close()


def test_a_long_poll_wakes_for_a_message(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    loop = Loop(alice, form)
    lists = {"all": rooms_list(1)}
    loop.sync(lists)
    waiting = in_background(lambda: loop.sync(lists, timeout=60_000))
    time.sleep(0.3)
    begun = time.monotonic()
    bob.say(room, "wake up")
    assert bodies(waiting()["rooms"][room]) == ["wake up"]
    assert time.monotonic() - begun < 45


def test_a_long_poll_sleeps_through_what_is_out_of_sight(alice, bob, form):
    old, new = make_rooms(alice, 2, preset="public_chat")
    bob.join(old)
    alice.say(new, "on top")
    loop = Loop(alice, form)
    subscribed = {new: {"timeline_limit": 1, "required_state": []}}
    loop.sync(subscriptions=subscribed)
    begun = time.monotonic()
    waiting = in_background(lambda: loop.sync(subscriptions=subscribed, timeout=1500))
    time.sleep(0.3)
    bob.say(old, "out of sight")
    assert not waiting()["rooms"] and time.monotonic() - begun > 1.2
    # And what was slept through is told when it is asked for.
    both = {**subscribed, old: {"timeline_limit": 1, "required_state": []}}
    assert bodies(loop.sync(subscriptions=both)["rooms"][old]) == ["out of sight"]


@pytest.mark.only_chappe(reason="Synapse lets it wait on, and tells it what happens")
def test_a_wait_ends_with_its_session(alice, bob, form):
    (room,) = make_rooms(alice, 1, preset="public_chat")
    bob.join(room)
    phone = alice.another_device()
    loop = Loop(phone, form)
    lists = {"all": rooms_list(1)}
    loop.sync(lists)
    loop.sync(lists, timeout=300)
    waiting = in_background(lambda: loop.sync(lists, timeout=60_000))
    time.sleep(0.3)
    alice.with_password("DELETE", "devices", phone.device)
    assert not waiting()["rooms"]
    assert loop.sync(lists, expect=401)["errcode"] == "M_UNKNOWN_TOKEN"
    phone.close()


def test_the_first_request_does_not_wait(alice, form):
    begun = time.monotonic()
    Loop(alice, form).sync({"all": rooms_list()}, timeout=60_000)
    assert time.monotonic() - begun < 45


def test_a_request_is_named_in_its_answer(alice):
    if alice.server.kind != "synapse":
        assert Loop(alice).sync({"all": rooms_list()}, txn_id="t17")["txn_id"] == "t17"
