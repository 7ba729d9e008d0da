"""The streams of events from before /sync, which bots of long ago still read."""

from harness.clients import register


def test_the_whole_account_and_then_what_happens(another_server):
    # Presence is in this stream too, though the specification's schema knows only events of rooms.
    server = another_server({"presence": {"enabled": False}})
    alice, bob = register(server, "alice"), register(server, "bob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    start = alice.get("initialSync", params={"limit": 3})
    [shown] = [shown for shown in start["rooms"] if shown["room_id"] == room]
    assert shown["membership"] == "join" and len(shown["messages"]["chunk"]) == 3
    members = {event["state_key"] for event in shown["state"] if event["type"] == "m.room.member"}
    assert members == {alice.user, bob.user}
    said = bob.say(room, "to those of long ago")
    page = alice.get("events", params={"from": start["end"], "timeout": 10_000})
    assert said in [event.get("event_id") for event in page["chunk"]]
    assert alice.get("events", params={"from": page["end"], "timeout": 0})["chunk"] == []


def test_limits_that_are_none_are_refused(alice):
    for limit in ("hello", "-2"):
        for where in ("initialSync", "events"):
            alice.refused("M_INVALID_PARAM", 400, "GET", where, params={"limit": limit})
