"""/sync: what it says at first, then, in part, and while waiting."""

import json
import threading
import time

import pytest


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="private_chat", name="Sync", invite=[bob.user])
    bob.join(room)
    return room


def joined(sync, room):
    return sync.get("rooms", {}).get("join", {}).get(room)


def timeline_bodies(section):
    return [event["content"].get("body") for event in section["timeline"]["events"] if event["type"] == "m.room.message"]


def members(events):
    return {event["state_key"] for event in events if event["type"] == "m.room.member"}


def in_background(function):
    """Runs it on a thread; the returned function waits for and gives its result."""
    box = {}

    def run():
        try:
            box["value"] = function()
        except BaseException as error:  # handed to the test's own thread
            box["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result(seconds=30):
        thread.join(seconds)
        assert not thread.is_alive(), f"still waiting after {seconds} s"
        if "error" in box:
            raise box["error"]
        return box["value"]

    return result


def test_first_sync_has_everything(alice, bob, room):
    bob.say(room, "hello")
    section = joined(alice.sync(), room)
    everything = section["state"]["events"] + section["timeline"]["events"]
    kinds = {event["type"] for event in everything}
    assert {"m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.member", "m.room.name"} <= kinds
    assert members(everything) == {alice.user, bob.user}
    assert timeline_bodies(section) == ["hello"]
    assert len({event["event_id"] for event in everything}) == len(everything), "an event is either state or timeline"


def test_incremental_sync_has_only_news(alice, bob, room):
    since = alice.sync()["next_batch"]
    quiet = alice.sync(since)
    assert not quiet.get("rooms", {}).get("join")
    bob.say(room, "news")
    section = joined(alice.sync(quiet["next_batch"]), room)
    assert timeline_bodies(section) == ["news"]
    assert section["timeline"]["limited"] is False
    assert not section.get("state", {}).get("events")


def test_a_limited_timeline_is_continued_by_messages(alice, bob, room):
    since = alice.sync()["next_batch"]
    sent = [bob.say(room, f"m{number}") for number in range(30)]
    section = joined(alice.sync(since, filter=json.dumps({"room": {"timeline": {"limit": 10}}})), room)
    assert section["timeline"]["limited"] is True
    shown = [event["event_id"] for event in section["timeline"]["events"]]
    assert shown == sent[-10:]
    older = alice.messages(room, limit=20, **{"from": section["timeline"]["prev_batch"]})
    assert [event["event_id"] for event in older["chunk"]] == list(reversed(sent[:-10]))


def test_state_in_a_gap_is_told(alice, bob, room):
    since = alice.sync()["next_batch"]
    bob_name = alice.set_state(room, "m.room.topic", {"topic": "changed in the gap"})
    for number in range(12):
        bob.say(room, f"m{number}")
    narrow = json.dumps({"room": {"timeline": {"limit": 5}}})
    section = joined(alice.sync(since, filter=narrow), room)
    assert [event["event_id"] for event in section["state"]["events"]] == [bob_name]
    after = joined(alice.sync(since, filter=narrow, use_state_after="true"), room)
    if "state_after" in after:  # a server without it keeps to `state`
        assert "state" not in after
        assert bob_name in [event["event_id"] for event in after["state_after"]["events"]]


@pytest.mark.only_chappe(reason="Synapse has it under an unstable name")
def test_state_after_includes_the_timelines_state(alice, room):
    since = alice.sync()["next_batch"]
    event = alice.set_state(room, "m.room.topic", {"topic": "in the timeline"})
    section = joined(alice.sync(since, use_state_after="true"), room)
    assert event in [e["event_id"] for e in section["state_after"]["events"]]
    assert event in [e["event_id"] for e in section["timeline"]["events"]]


def test_full_state(alice, room):
    since = alice.sync()["next_batch"]
    section = joined(alice.sync(since, full_state="true"), room)
    assert {"m.room.create", "m.room.name"} <= {event["type"] for event in section["state"]["events"]}


def test_long_poll_wakes_for_a_message(alice, bob, room):
    since = alice.sync()["next_batch"]
    waiting = in_background(lambda: alice.sync(since, timeout=60_000))
    time.sleep(0.3)
    begun = time.monotonic()
    bob.say(room, "wake up")
    assert timeline_bodies(joined(waiting(), room)) == ["wake up"]
    assert time.monotonic() - begun < 45


def test_long_poll_ends_with_its_timeout(alice):
    # News of the user's own making may still be due: their presence, their account data.
    since = alice.sync(alice.sync()["next_batch"], timeout=500)["next_batch"]
    begun = time.monotonic()
    response = alice.sync(since, timeout=1000)
    assert time.monotonic() - begun >= 0.8
    assert not response.get("rooms", {}).get("join")


def test_every_device_hears_everything_once(alice, bob, room):
    phone, desk = alice.another_device(), alice.another_device()
    tokens = {device.device: device.sync()["next_batch"] for device in (phone, desk)}
    sent = [bob.say(room, f"n{number}") for number in range(5)]
    for device in (phone, desk):
        heard, since = [], tokens[device.device]
        for _ in range(10):
            response = device.sync(since, timeout=200)
            since = response["next_batch"]
            heard += [event["event_id"] for event in (joined(response, room) or {"timeline": {"events": []}})["timeline"]["events"]]
            if len(heard) >= 5:
                break
        assert heard == sent


def test_filter_by_type_and_room(alice, bob, room):
    other = alice.create_room(name="Other")
    body = {"room": {"rooms": [room], "timeline": {"types": ["m.room.topic"]}, "state": {"types": ["m.room.name"]}}}
    number = alice.post("user", alice.user, "filter", json=body)["filter_id"]
    assert alice.get("user", alice.user, "filter", number) == body
    alice.refused(("M_NOT_FOUND", "M_UNKNOWN"), 404, "GET", "user", alice.user, "filter", "424242")
    topic = alice.set_state(room, "m.room.topic", {"topic": "passes"})
    bob.say(room, "does not pass")
    response = alice.sync(filter=number)
    assert joined(response, other) is None
    section = joined(response, room)
    assert [event["event_id"] for event in section["timeline"]["events"]] == [topic]
    assert {event["type"] for event in section["state"]["events"]} <= {"m.room.name"}


def test_event_fields_keep_only_what_is_asked(alice, bob, room):
    bob.say(room, "only the body")
    # Without the other fields no event fits the schema: that is what was asked for.
    from harness.clients import path

    answer = alice.request(
        "GET", path("sync"), params={"filter": json.dumps({"event_fields": ["content.body"]})}, schema=False
    ).json()
    last = answer["rooms"]["join"][room]["timeline"]["events"][-1]
    assert last["content"] == {"body": "only the body"}
    assert "origin_server_ts" not in last


def test_lazy_loading_members(alice, bob, carol, room):
    alice.invite(room, carol)
    carol.join(room)
    lazy = json.dumps({"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 1}}})
    bob.say(room, "from bob")
    response = alice.sync(filter=lazy)
    section = joined(response, room)
    shown = members(section["state"]["events"])
    assert bob.user in shown and carol.user not in shown
    carol.say(room, "from carol")
    later = joined(alice.sync(response["next_batch"], filter=lazy), room)
    assert carol.user in members(later["state"]["events"])


def test_a_join_brings_the_whole_room(alice, bob, carol, room):
    since = carol.sync()["next_batch"]
    alice.say(room, "long before")
    alice.invite(room, carol)
    carol.join(room)
    (section, _) = carol.sync_until(lambda sync: joined(sync, room), since)
    everything = section["state"]["events"] + section["timeline"]["events"]
    assert {"m.room.create", "m.room.name"} <= {event["type"] for event in everything}
    assert {alice.user, bob.user, carol.user} <= members(everything)


def test_sections_move_with_membership(alice, bob):
    room = alice.create_room(preset="public_chat", invite=[bob.user])
    (_, since) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("invite", {}).get(room))
    bob.join(room)
    (_, since) = bob.sync_until(lambda sync: joined(sync, room), since)
    alice.post("rooms", room, "kick", json={"user_id": bob.user})
    (left, since) = bob.sync_until(lambda sync: sync.get("rooms", {}).get("leave", {}).get(room), since)
    assert left["timeline"]["events"][-1]["content"]["membership"] == "leave"
    bob.join(room)
    bob.leave(room)
    assert not bob.sync().get("rooms", {}).get("leave", {}).get(room), "a first sync leaves out rooms that were left"
    again = bob.sync(filter=json.dumps({"room": {"include_leave": True}}))
    assert room in again["rooms"]["leave"]


def test_summary_names_heroes_of_a_nameless_room(alice, bob, carol):
    room = alice.create_room(preset="private_chat", invite=[bob.user, carol.user])
    bob.join(room)
    lazy = json.dumps({"room": {"state": {"lazy_load_members": True}}})
    summary = joined(alice.sync(filter=lazy), room)["summary"]
    assert set(summary["m.heroes"]) == {bob.user, carol.user}
    assert summary["m.joined_member_count"] == 2 and summary["m.invited_member_count"] == 1


def test_unread_counts_follow_the_read_receipt(alice, bob, room):
    # Whether invitations and earlier events count is not this test's matter.
    bob.post("rooms", room, "receipt", "m.read", alice.say(room, "zero"))
    (_, since) = bob.sync_until(
        lambda sync: (s := joined(sync, room)) and s["unread_notifications"]["notification_count"] == 0
    )
    first = alice.say(room, "one")
    alice.say(room, "two, for " + bob.user.split(":")[0][1:])
    last = alice.send(room, {"msgtype": "m.text", "body": "three", "m.mentions": {"user_ids": [bob.user]}})
    section = joined(bob.sync(since), room)
    assert section["unread_notifications"]["notification_count"] == 3
    assert section["unread_notifications"]["highlight_count"] >= 1
    bob.post("rooms", room, "receipt", "m.read", first)
    (counts, since) = bob.sync_until(
        lambda sync: (s := joined(sync, room)) and (n := s["unread_notifications"])["notification_count"] == 2 and n, since
    )
    assert counts["highlight_count"] >= 1
    bob.post("rooms", room, "receipt", "m.read.private", last)
    (counts, _) = bob.sync_until(
        lambda sync: (s := joined(sync, room)) and (n := s["unread_notifications"])["notification_count"] == 0 and n, since
    )
    assert counts["highlight_count"] == 0


def test_one_time_key_counts_are_always_there(alice):
    counts = alice.sync()
    assert counts["device_one_time_keys_count"].get("signed_curve25519", 0) == 0
    assert counts["device_unused_fallback_key_types"] == []


def test_tokens_hold_across_a_restart(own_server, fresh_name):
    from harness.clients import register

    alice, bob = register(own_server, fresh_name()), register(own_server, fresh_name())
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = alice.sync()["next_batch"]
    own_server.restart()
    event = bob.say(room, "after the restart")
    assert [e["event_id"] for e in joined(alice.sync(since), room)["timeline"]["events"]] == [event]
