"""Rooms, what was said in them, and what a user has said are removed: by commands, by synadm, and across a stop of the server."""

import json
import time

import pytest
from harness.administration import administrator, ask, chappe, synadm, trail  # noqa: F401  (fixtures)
from harness.clients import register, register_administrator
from harness.commands import CommandLine
from harness.synadm import V1, V2, Asker, acts, upload
from harness.waiting import eventually

pytestmark = pytest.mark.only_chappe(reason="its own commands, and a part of what Synapse has")


def finished(ask, name: str) -> dict:
    """What has become of a room's deletion."""
    def look():
        status = ask("GET", V2, "rooms", "delete_status", name)
        return status if status["status"] not in ("scheduled", "active") else None

    return eventually(look, seconds=60, what="the end of a deletion")


def test_nothing_stays_of_a_room_that_is_purged(server, chappe, ask, users):
    ann, bea, cid = users("ann", "bea", "cid")
    room = ann.create_room(name="Doomed", preset="public_chat", room_alias_name="doomed", visibility="public")
    other = ann.create_room(name="Another", preset="public_chat")
    for user in (bea, cid):
        user.join(room)
        user.join(other)
    root = ann.say(room, "the root of all")
    event = bea.send(room, {"msgtype": "m.text", "body": "unforgettable", "m.relates_to": {"rel_type": "m.thread", "event_id": root}})
    ann.post("rooms", room, "receipt", "m.read", event, json={})
    file = upload(ann, b"a picture", "x.txt")
    ann.send(room, {"msgtype": "m.image", "body": "x", "url": f"mxc://{server.server_name}/{file}"})
    bea.put("user", bea.user, "rooms", room, "tags", "m.favourite", json={})
    cid.post("rooms", room, "report", event, json={"reason": "to be kept"})
    kept = bea.say(other, "still here")
    since = bea.sync()["next_batch"]
    sliding = {"lists": {"all": {"ranges": [[0, 9]], "timeline_limit": 1, "required_state": []}}}
    slide = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
    before = cid.request("POST", slide, json=sliding, schema=False).json()
    assert room in before["rooms"]

    shown = chappe.json("room", "show", room)
    assert shown["local_members"] == 3 and shown["events"] > 10
    told = chappe("room", "purge", room, "--dry-run").stdout
    assert str(shown["events"]) in told and "Nothing was done" in told
    assert "nothing was done" in chappe("room", "purge", room, given="no\n", status=1).stderr
    assert room in ann.get("joined_rooms")["joined_rooms"]

    done = chappe.json("room", "purge", room, "--yes", "--block", "--reason", "unlawful")
    assert done["status"] == "complete" and set(done["shutdown_room"]["kicked_users"]) == {ann.user, bea.user, cid.user}
    # Those who left have said so.
    assert done["events"] == done["removed_events"] == shown["events"] + 3
    entry = next(entry for entry in chappe.trail(room) if entry["action"] == "room.purge")
    assert entry["reason"] == "unlawful" and entry["detail"] == {"block": True}

    # Whoever syncs goes on, and the room is gone for them.
    answer = bea.sync(since)
    assert room not in answer.get("rooms", {}).get("join", {})
    assert room not in json.dumps(ann.sync().get("rooms", {}))
    after = cid.request("POST", slide, json=sliding, params={"pos": before["pos"]}, schema=False).json()
    assert after["lists"]["all"]["count"] == before["lists"]["all"]["count"] - 1
    assert "unforgettable" not in json.dumps(after)
    ann.refused("M_NOT_FOUND", 404, "PUT", "rooms", room, "send", "m.room.message", "t", json={"msgtype": "m.text", "body": "x"})
    ann.refused("M_NOT_FOUND", 404, "GET", "directory", "room", f"#doomed:{server.server_name}")
    bea.refused("M_FORBIDDEN", 403, "POST", "join", room)
    found = bea.post("search", json={"search_categories": {"room_events": {"search_term": "unforgettable"}}})
    assert found["search_categories"]["room_events"]["count"] == 0
    for arguments in (("show", room), ("members", room), ("purge", room, "--yes"), ("delete", room, "--yes")):
        assert chappe("room", *arguments, status=1).stderr.strip()
    assert room not in json.dumps(chappe.json("room", "list"))
    # Of the other room nothing is missing, and it goes on.
    assert kept in [event["event_id"] for event in ann.all_messages(other)]
    last = cid.say(other, "and goes on")
    assert last in json.dumps(bea.sync(answer["next_batch"]))
    # Files and reports stay.
    assert ask("GET", V1, "media", server.server_name, file)["media_info"]["media_length"] == 9
    reports = chappe.json("report", "list", "--room", room)
    assert [report["event_id"] for report in reports] == [event]
    # The name is free: for a room of before version 12, others could bring it back.
    chappe("room", "unblock", room)
    bea.refused(("M_NOT_FOUND", "M_UNKNOWN", "M_FORBIDDEN"), (403, 404, 502), "POST", "join", room)
    assert ann.create_room(room_alias_name="doomed")


def test_rooms_are_purged_and_history_too_by_synadm(synadm, administrator, ask, trail, users):
    ann, bea = users("ann", "bea")
    room = ann.create_room(preset="public_chat", name="Long")
    bea.join(room)
    said = [ann.say(room, f"number {number}") for number in range(8)]

    def purged(*arguments) -> dict:
        name = synadm("history", "purge", room, *arguments)["purge_id"]

        eventually(lambda: ask("GET", V1, "purge_history_status", name)["status"] != "active", seconds=60, what="the end of a purge")
        return synadm("history", "purge-status", name)

    def bodies() -> list[str]:
        return [event["event_id"] for event in reversed(ann.all_messages(room)) if event["event_id"] in said]

    name = {"name": "Long"}
    before, between = ann.sync()["next_batch"], bea.sync()["next_batch"]
    later = ann.set_state(room, "m.room.topic", {"topic": "changed meanwhile"})
    said.append(ann.say(room, "the last"))
    since = bea.sync()["next_batch"]
    # Everything from before is out of the timeline; what users of this server said is kept, unless it is asked for.
    done = purged("-i", said[5])
    assert done["status"] == "complete" and done["removed_events"] > 10
    assert bodies() == said[5:]
    shown = ann.sync()["rooms"]["join"][room]
    assert [event["event_id"] for event in shown["timeline"]["events"] if event["type"] == "m.room.message"] == said[5:]
    assert shown["timeline"]["events"][0]["event_id"] == said[5]
    kinds = {event["type"] for event in shown["state"]["events"]}
    assert kinds >= {"m.room.create", "m.room.member", "m.room.power_levels", "m.room.name"}
    assert purged("-i", said[5], "--delete-local") == {"status": "complete", "removed_events": 5}
    assert bodies() == said[5:] and ann.state(room, "m.room.name") == name
    # Also the change of the topic, and what was said before the last.
    assert purged("--before-days", "0", "--delete-local")["removed_events"] == 4
    assert bodies() == said[8:]
    # Whoever was there when state changed that is in no timeline any more is told of it; whoever knows it all is told nothing.
    for client, token in ((ann, before), (bea, between)):
        told = client.sync(token)["rooms"]["join"][room]
        assert [event["event_id"] for event in told["timeline"]["events"]] == said[8:]
        assert later in [event["event_id"] for event in told["state"]["events"]]
    assert room not in bea.sync(since, timeout=0).get("rooms", {}).get("join", {})
    said.append(bea.say(room, "and on"))
    told = bea.sync(since)["rooms"]["join"][room]
    assert [event["event_id"] for event in told["timeline"]["events"]] == said[9:] and not told.get("state", {}).get("events")
    assert ann.state(room, "m.room.topic")["topic"] == "changed meanwhile"
    ask("POST", V1, "purge_history", room, said[9], json={"delete_local_events": True})
    ask("POST", V1, "purge_history", room, expect=400)
    ask("POST", V1, "purge_history", room, "$nothing", expect=404)
    ask("POST", V1, "purge_history", f"{room}x", json={"purge_up_to_ts": 1}, expect=404)
    ask("POST", V1, "purge_history", room, json={"purge_up_to_ts": -1}, expect=400)
    ask("GET", V1, "purge_history_status", "nothing", expect=404)
    assert acts(trail(room), administrator.user) == ["room.purge_history"] * 4

    name = synadm("room", "delete", room)["delete_id"]
    assert finished(ask, name)["status"] == "complete"
    ask("GET", V1, "rooms", room, expect=404)
    assert synadm("room", "delete-status", "-d", name)["removed_events"] > 8
    # What nobody of this server is in any more goes together.
    empty = [ann.create_room() for _ in range(2)]
    used = ann.create_room()
    for left in empty:
        ann.leave(left)
    synadm.text("room", "purge-empty")
    for left in empty:
        eventually(lambda: ask("GET", V1, "rooms", left, expect=(200, 404)).get("errcode"), what="a room's end")
    assert ask("GET", V1, "rooms", used)["joined_members"] == 1
    ask("DELETE", V1, "rooms", room, json={}, expect=400)
    ask("DELETE", V2, "rooms", room, json={}, expect=404)


def test_a_removal_goes_on_after_the_server_was_killed(own_server):
    ask = Asker(register_administrator(own_server, "warden"))
    ann, bea = register(own_server, "ann"), register(own_server, "bea")
    room, other = ann.create_room(preset="public_chat"), ann.create_room(preset="public_chat")
    bea.join(room)
    for number in range(150):
        ann.say(room, f"number {number}")
    name = ask("DELETE", V2, "rooms", room, json={})["delete_id"]
    eventually(lambda: ask("GET", V1, "rooms", room, expect=(200, 404)).get("errcode"), what="that the room is known no more")
    own_server.kill()
    own_server.start()
    status = finished(ask, name)
    assert status["status"] == "complete" and status["removed_events"] == status["events"] > 150
    assert set(status["shutdown_room"]["kicked_users"]) == {ann.user, bea.user}
    ann.refused("M_NOT_FOUND", 404, "PUT", "rooms", room, "send", "m.room.message", "t", json={"msgtype": "m.text", "body": "x"})
    assert ann.get("joined_rooms")["joined_rooms"] == [other]
    ann.sync()


def test_what_a_user_has_said_is_redacted(server, administrator, ask, trail, users):
    ann, bea = users("ann", "bea")
    room, second = (ann.create_room(preset="public_chat") for _ in range(2))
    for each in (room, second):
        bea.join(each)
    said = [bea.say(room, f"spam {number}") for number in range(3)] + [bea.say(second, "spam, too")]
    innocent = ann.say(room, "no spam")

    def redacted(**body) -> dict:
        name = ask("POST", V1, "user", bea.user, "redact", json=body)["redact_id"]

        def look():
            status = ask("GET", V1, "user", "redact_status", name)
            return status if status["status"] not in ("scheduled", "active") else None

        return eventually(look, seconds=60, what="the end of redacting")

    # The administrator has no power there.
    failed = redacted(rooms=[room], use_admin=True, limit=1)
    assert failed["status"] == "complete" and list(failed["failed_redactions"]) == [said[2]] and failed["redacted"] == 0
    assert redacted(rooms=[room], limit=1, reason="spam") == {"status": "complete", "failed_redactions": {}, "redacted": 1}
    assert ann.event(room, said[2])["content"] == {} and ann.event(room, said[1])["content"]["body"] == "spam 1"
    because = ann.event(room, said[2])["unsigned"]["redacted_because"]
    assert because["sender"] == bea.user and because["content"]["reason"] == "spam"
    assert redacted(rooms=[])["redacted"] >= 3
    for event, where in zip(said, [room] * 3 + [second]):
        assert ann.event(where, event)["content"] == {}
    assert ann.event(room, innocent)["content"]["body"] == "no spam"
    assert acts(trail(bea.user), administrator.user) == ["user.redact"] * 3
    ask("POST", V1, "user", bea.user, "redact", json={}, expect=400)
    ask("POST", V1, "user", bea.user, "redact", json={"rooms": ["nonsense"]}, expect=400)
    ask("POST", V1, "user", bea.user, "redact", json={"rooms": ["!unknown:example.org"]}, expect=404)
    ask("POST", V1, "user", f"@nobody:{server.server_name}", "redact", json={"rooms": []}, expect=404)
    ask("GET", V1, "user", "redact_status", "nothing", expect=404)


def test_rooms_files_and_reports_from_the_command_line(server, chappe, administrator, users):
    ann, bea = users("ann", "bea")
    name = server.server_name
    room = chappe("room", "create", ann.user, "--name", "Press", "--topic", "News", "--alias", "press", "--invite", bea.user).stdout.strip()
    assert ann.state(room, "m.room.encryption")["algorithm"] == "m.megolm.v1.aes-sha2"
    assert ann.state(room, "m.room.name")["name"] == "Press"
    assert "Press" in chappe("room", "list").stdout
    assert chappe("room", "members", room).stdout.split() == [ann.user]
    chappe("room", "join", room, bea.user)
    assert chappe.json("room", "members", room) == [ann.user, bea.user]
    chappe("room", "admin", f"#press:{name}", bea.user, "--reason", "takes over")
    assert ann.state(room, "m.room.power_levels")["users"][bea.user] == 100
    chappe("room", "block", room)
    ann.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "send", "m.room.message", "t", json={"msgtype": "m.text", "body": "x"})
    assert chappe.json("room", "show", room)["blocked_by"] == "socket"
    chappe("room", "unblock", room)
    public = chappe("room", "create", ann.user, "--public").stdout.strip()
    bea.join(public)
    event = ann.say(public, "rude \x1b[2J")
    file, second = upload(ann, b"first", "one.txt"), upload(ann, b"second file", "two.txt")
    ann.send(public, {"msgtype": "m.image", "body": "x", "url": f"mxc://{name}/{file}"})

    assert {entry["media_id"] for entry in chappe.json("media", "list", "--user", ann.user)} == {file, second}
    assert chappe("media", "list", "--room", public).stdout.split() == [f"mxc://{name}/{file}"]
    assert chappe.json("media", "quarantine", "--room", public) == {"files": 1}
    assert "put away by socket" in chappe("media", "list", "--user", ann.user).stdout
    chappe("media", "quarantine", f"mxc://{name}/{file}", "--undo")
    table = chappe("media", "list", "--user", ann.user).stdout
    assert "put away" not in table and f"mxc://{name}/{second}" in table
    usage = {entry["user_id"]: entry for entry in chappe.json("media", "usage")}
    assert usage[ann.user]["media_count"] == 2 and usage[ann.user]["media_length"] == 16
    assert "1 files" in chappe("media", "purge", f"mxc://{name}/{file}", "--dry-run").stdout
    assert chappe.json("media", "purge", f"mxc://{name}/{file}", "--yes") == {"files": 1}
    assert [entry["media_id"] for entry in chappe.json("media", "list", "--user", ann.user)] == [second]
    assert chappe.json("media", "purge", "--days", "0", "--dry-run") == {"files": 0, "bytes": 0}

    bea.post("rooms", public, "report", event, json={"reason": "not nice"})
    bea.post("rooms", public, "report", json={"reason": "the room"})
    bea.post("users", ann.user, "report", json={"reason": "the user"})
    reports = chappe.json("report", "list", "--reporter", bea.user)
    assert [report["kind"] for report in reports] == ["user", "room", "event"]
    shown = chappe("report", "show", str(reports[2]["number"])).stdout
    assert "not nice" in shown and "rude" in shown and "\x1b" not in shown
    assert "not nice" in chappe("report", "list", "--room", public).stdout
    chappe("report", "close", str(reports[0]["number"]), str(reports[1]["number"]), "--yes")
    assert [report["number"] for report in chappe.json("report", "list", "--reporter", bea.user)] == [reports[2]["number"]]

    left = chappe.json("room", "delete", public, "--yes")["shutdown_room"]["kicked_users"]
    assert set(left) == {ann.user, bea.user}
    assert chappe.json("room", "show", public)["joined_members"] == 0
    # From elsewhere, with a token.
    remotely = {"socket": False, "environment": {"CHAPPE_ADMIN_TOKEN": administrator.token}}
    assert chappe("room", "members", room, "--url", server.url, **remotely).stdout.split() == [ann.user, bea.user]
    chappe("room", "purge", room, "--yes", "--url", server.url, **remotely)
    assert administrator.user in [entry["actor"] for entry in chappe.trail(room)]
    chappe("room", "members", room, "--url", server.url, socket=False, environment={"CHAPPE_ADMIN_TOKEN": ann.token}, status=1)


def test_files_are_deleted_by_age_and_size_by_synadm(server, synadm, ask, users):
    (ann,) = users("ann")
    small, large, face = (upload(ann, content, "x.txt") for content in (b"small", b"large" * 1_000, b"face" * 1_000))
    ann.put("profile", ann.user, "avatar_url", json={"avatar_url": f"mxc://{server.server_name}/{face}"})
    later = int(time.time() * 1_000) + 60_000
    gone = synadm("media", "delete", "--before-ts", str(later), "--size", "2")
    assert large in gone["deleted_media"] and not {small, face} & set(gone["deleted_media"])
    assert ask("POST", V1, "media", server.server_name, "delete", params={"before_ts": later, "keep_profiles": "false"})["total"] >= 2
    assert ask("GET", V1, "users", ann.user, "media")["total"] == 0
    ask("POST", V1, "media", "delete", params={"before_ts": 1_700_000_000}, expect=400)
    ask("POST", V1, "media", "delete", expect=400)
    ask("POST", V1, "media", "elsewhere.example", "delete", params={"before_ts": later}, expect=400)


def test_what_is_wrong_is_said(server, chappe, tmp_path):
    unknown = f"!nothing:{server.server_name}"
    for arguments in (
        ("room", "show", unknown), ("room", "members", unknown), ("room", "purge", unknown, "--yes"),
        ("room", "admin", unknown, "nobody"), ("room", "create", "nobody"), ("room", "show", "nonsense"),
        ("media", "list", "--room", unknown), ("media", "quarantine", f"mxc://{server.server_name}/nothing"),
        ("media", "purge", f"mxc://{server.server_name}/nothing", "--yes"), ("report", "show", "999999"),
        ("report", "close", "999999", "--yes"),
    ):
        assert chappe(*arguments, status=1).stderr.strip(), arguments
    for arguments in (
        ("room", "fly"), ("room", "purge"), ("media", "list", "--user", "a", "--room", "b"), ("media", "quarantine", "x"),
        ("media", "purge"), ("report", "show", "x"),
    ):
        assert chappe(*arguments, status=2).stderr.strip(), arguments


def test_a_stopped_server_is_told(own_server):
    own_server.stop()
    chappe = CommandLine(own_server)
    for arguments in (("room", "list"), ("room", "purge", "!a:b", "--yes"), ("media", "usage"), ("report", "list")):
        assert "is it running?" in chappe(*arguments, status=1).stderr
