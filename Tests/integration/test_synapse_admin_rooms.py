"""Administration of rooms, files and reports as Synapse has it: driven by synadm, and by requests for what synadm does not ask."""

import time

import pytest
from harness.administration import administrator, ask, synadm, trail  # noqa: F401  (fixtures)
from harness.clients import Client, register, register_administrator
from harness.synadm import V1, V2, Asker, acts, upload

pytestmark = pytest.mark.only_chappe(reason="a part of what Synapse has")


# Rooms


def test_rooms_are_listed_in_order_and_by_pages(server, synadm, ask, users):
    ann, bea, cid = users("ann", "bea", "cid")
    alpha = ann.create_room(
        name="Alpha Zebra", topic="First", preset="public_chat", room_alias_name="zebra.one", visibility="public", room_version="11",
        initial_state=[{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}],
    )
    beta = ann.create_room(name="beta zebra", preset="private_chat", creation_content={"type": "m.space", "m.federate": False}, room_version="10")
    gamma = ann.create_room(name="Gamma zebra", preset="public_chat", room_version="9")
    for room in (alpha, gamma):
        bea.join(room)
    cid.join(gamma)
    bea.leave(alpha)
    name = f"#zebra.one:{server.server_name}"

    def listed(**params):
        answer = ask("GET", V1, "rooms", params={"search_term": "zebra", **params})
        return [room["room_id"] for room in answer["rooms"]], answer

    found, answer = listed()
    assert found == [alpha, gamma, beta] and answer["total_rooms"] == 3 and answer["offset"] == 0  # by bytes
    assert "next_batch" not in answer and "prev_batch" not in answer
    one = answer["rooms"][0]
    assert one.pop("state_events") == len(ann.get("rooms", alpha, "state"))
    assert one == {
        "room_id": alpha, "name": "Alpha Zebra", "canonical_alias": name, "joined_members": 1, "joined_local_members": 1, "version": "11",
        "creator": ann.user, "encryption": "m.megolm.v1.aes-sha2", "federatable": True, "public": True, "join_rules": "public",
        "guest_access": None, "history_visibility": "shared", "room_type": None,
    }
    assert answer["rooms"][2]["federatable"] is False and answer["rooms"][2]["room_type"] == "m.space"
    assert listed(order_by="joined_members")[0][0] == gamma and listed(order_by="size", dir="b")[0][-1] == gamma
    assert listed(order_by="version")[0] == [alpha, beta, gamma] and listed(order_by="version", dir="b")[0] == [gamma, beta, alpha]
    assert listed(order_by="canonical_alias")[0][0] == alpha and listed(order_by="encryption")[0][0] == alpha
    assert listed(order_by="public")[0][-1] == alpha and listed(order_by="public", dir="b")[0][0] == alpha
    for order in ("alphabetical", "joined_local_members", "creator", "federatable", "join_rules", "guest_access", "history_visibility", "state_events"):
        assert set(listed(order_by=order)[0]) == {alpha, beta, gamma}, order
    assert listed(public_rooms="true")[0] == [alpha] and set(listed(public_rooms="false")[0]) == {beta, gamma}
    assert listed(empty_rooms="true")[0] == [] and len(listed(empty_rooms="false")[0]) == 3
    page, answer = listed(limit=1)
    assert page == [alpha] and answer["next_batch"] == 1
    page, answer = listed(limit=1, **{"from": 2})
    assert page == [beta] and answer["prev_batch"] == 1 and "next_batch" not in answer
    assert listed(search_term="ZEBRA.ONE")[0] == [alpha] and listed(search_term=gamma)[0] == [gamma]
    ask("GET", V1, "rooms", params={"search_term": ""}, expect=400)
    ask("GET", V1, "rooms", params={"order_by": "colour"}, expect=400)
    assert {room["room_id"] for room in synadm("room", "list", "-n", "zebra")["rooms"]} == {alpha, beta, gamma}
    ann.leave(beta)
    assert listed(empty_rooms="true")[0] == [beta]


def test_a_room_its_members_and_its_state_are_shown(server, synadm, ask, users):
    ann, bea = users("ann", "bea")
    room = ann.create_room(name="Workshop", topic="Tools", preset="public_chat")
    ann.set_state(room, "m.room.avatar", {"url": "mxc://example.org/tool"})
    bea.join(room)
    second = bea.another_device()
    shown = synadm("room", "details", room)
    assert (shown["name"], shown["topic"], shown["avatar"]) == ("Workshop", "Tools", "mxc://example.org/tool")
    assert (shown["joined_members"], shown["joined_local_members"], shown["joined_local_devices"]) == (2, 2, 3)
    assert (shown["forgotten"], shown["tombstoned"], shown["replacement_room"]) == (False, False, None)
    assert synadm("room", "members", room) == {"members": [ann.user, bea.user], "total": 2}
    state = synadm("room", "state", room)["state"]
    assert {(event["type"], event["state_key"]) for event in state} == {
        (event["type"], event["state_key"]) for event in ann.get("rooms", room, "state")
    }
    assert [event["content"]["topic"] for event in ask("GET", V1, "rooms", room, "state", params={"type": "m.room.topic"})["state"]] == ["Tools"]
    new = ann.post("rooms", room, "upgrade", json={"new_version": "11"})["replacement_room"]
    shown = ask("GET", V1, "rooms", room)
    assert shown["tombstoned"] is True and shown["replacement_room"] == new
    ends = ask("GET", V1, "rooms", room, "forward_extremities")
    assert ends["count"] == len(ends["results"]) == 1 and ends["results"][0]["depth"] > 5
    assert abs(ends["results"][0]["received_ts"] / 1000 - time.time()) < 3600
    for user in (ann, bea):
        user.leave(room)
        user.post("rooms", room, "forget")
    shown = ask("GET", V1, "rooms", room)
    assert shown["forgotten"] is True and shown["joined_members"] == 0
    unknown = f"!nothing:{server.server_name}"
    for rest in ((), ("members",), ("state",), ("messages",), ("forward_extremities",)):
        assert ask("GET", V1, "rooms", unknown, *rest, expect=404)["errcode"] == "M_NOT_FOUND"
    ask("GET", V1, "rooms", "nothing", expect=400)
    second.close()


def test_what_was_said_is_read_by_administrators_and_the_trail_tells(administrator, ask, trail, users):
    ann, bea = users("ann", "bea")
    room = ann.create_room(preset="private_chat", initial_state=[
        {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}])
    said = [ann.say(room, f"secret {number}") for number in range(6)]
    administrator.refused("M_FORBIDDEN", 403, "GET", "rooms", room, "messages", params={"dir": "b"})
    page = ask("GET", V1, "rooms", room, "messages", params={"dir": "b", "limit": 4})
    assert [event["event_id"] for event in page["chunk"]] == said[:1:-1] and page["chunk"][0]["content"]["body"] == "secret 5"
    page = ask("GET", V1, "rooms", room, "messages", params={"dir": "b", "limit": 2, "from": page["end"]})
    assert [event["event_id"] for event in page["chunk"]] == [said[1], said[0]]
    events, token = [], None
    while True:
        page = ask("GET", V1, "rooms", room, "messages", params={"limit": 5, **({"from": token} if token else {})})
        events += page["chunk"]
        if "end" not in page:
            break
        token = page["end"]
    assert [event["event_id"] for event in events if event["type"] == "m.room.message"] == said and events[0]["type"] == "m.room.create"
    filtered = ask("GET", V1, "rooms", room, "messages", params={"dir": "b", "limit": 50, "filter": '{"types": ["m.room.create"]}'})
    assert [event["type"] for event in filtered["chunk"]] == ["m.room.create"]
    around = ask("GET", V1, "rooms", room, "context", said[3], params={"limit": 2})
    assert around["event"]["event_id"] == said[3]
    assert [event["event_id"] for event in around["events_before"]] == [said[2]]
    assert [event["event_id"] for event in around["events_after"]] == [said[4]]
    assert {event["type"] for event in around["state"]} >= {"m.room.create", "m.room.member"}
    ask("GET", V1, "rooms", room, "context", "$nothing", expect=404)
    event = ask("GET", V1, "fetch_event", said[0])["event"]
    assert event["event_id"] == said[0] and event["content"]["body"] == "secret 0" and "signatures" in event
    ask("GET", V1, "fetch_event", "$nothing", expect=404)
    first = {"event_id": said[0], "origin_server_ts": event["origin_server_ts"]}
    assert ask("GET", V1, "rooms", room, "timestamp_to_event", params={"ts": event["origin_server_ts"] + 3_600_000, "dir": "b"})["event_id"] == said[5]
    assert ask("GET", V1, "rooms", room, "timestamp_to_event", params={"ts": first["origin_server_ts"], "dir": "f"})["origin_server_ts"] == first["origin_server_ts"]
    ask("GET", V1, "rooms", room, "timestamp_to_event", params={"ts": event["origin_server_ts"] + 3_600_000}, expect=404)
    ask("GET", V1, "rooms", room, "timestamp_to_event", expect=400)
    ask("GET", V1, "rooms", room, "messages", params={"from": "nonsense"}, expect=400)
    told = trail(room)
    assert set(acts(told, administrator.user)) == {"room.read"} and told[-1]["detail"] == {"event_id": said[0]}


def test_a_space_is_shown_with_what_is_private_in_it(ask, users):
    (ann,) = users("ann")
    space = ann.create_room(name="Space", preset="private_chat", creation_content={"type": "m.space"})
    inner = ann.create_room(name="Inner", preset="private_chat")
    ann.set_state(space, "m.space.child", {"via": ["chappe.test"]}, inner)
    ann.set_state(space, "m.space.child", {"via": ["elsewhere.example"]}, "!far:elsewhere.example")
    page = ask("GET", V1, "rooms", space, "hierarchy")
    assert [room["room_id"] for room in page["rooms"]] == [space, inner] and "next_batch" not in page
    page = ask("GET", V1, "rooms", space, "hierarchy", params={"limit": 1})
    assert [room["room_id"] for room in page["rooms"]] == [space]
    page = ask("GET", V1, "rooms", space, "hierarchy", params={"from": page["next_batch"]})
    assert [room["room_id"] for room in page["rooms"]] == [inner]
    assert len(ask("GET", V1, "rooms", space, "hierarchy", params={"max_depth": 0})["rooms"]) == 1


def test_a_room_is_closed_and_opened(server, synadm, administrator, ask, trail, users):
    ann, bea, cid = users("ann", "bea", "cid")
    room = ann.create_room(preset="public_chat")
    bea.join(room)
    assert ask("GET", V1, "rooms", room, "block") == {"block": False}
    assert synadm("room", "block", room) == {"block": True}
    assert ask("GET", V1, "rooms", room, "block") == {"block": True, "user_id": administrator.user}
    assert synadm("room", "block-status", room)["block"] is True
    cid.refused("M_FORBIDDEN", 403, "POST", "join", room)
    ann.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, "send", "m.room.message", "t", json={"msgtype": "m.text", "body": "x"})
    ann.refused("M_FORBIDDEN", 403, "POST", "rooms", room, "invite", json={"user_id": cid.user})
    bea.leave(room)  # nobody is held there
    assert ask("PUT", V1, "rooms", room, "block", json={"block": False}) == {"block": False}
    assert ask("GET", V1, "rooms", room, "block") == {"block": False}
    cid.join(room)
    ann.say(room, "open")
    assert ask("PUT", V1, "rooms", room, "block", json={}, expect=400)["errcode"] == "M_MISSING_PARAM"
    # Also one that nobody here knows yet.
    far = "!far:elsewhere.example"
    ask("PUT", V1, "rooms", far, "block", json={"block": True})
    assert ask("GET", V1, "rooms", far, "block")["block"] is True
    body = ann.refused("M_FORBIDDEN", 403, "POST", "join", far, params={"via": "elsewhere.example"})
    assert "closed" in body["error"]
    assert acts(trail(room), administrator.user) == ["room.block", "room.unblock"]
    ask("PUT", V1, "rooms", "nonsense", "block", json={"block": True}, expect=400)


def test_a_closed_room_stays_closed(own_server):
    administrator = register_administrator(own_server, "warden")
    ask = Asker(administrator)
    ann, bea = register(own_server, "ann"), register(own_server, "bea")
    room = ann.create_room(preset="public_chat")
    ask("PUT", V1, "rooms", room, "block", json={"block": True})
    own_server.stop()
    own_server.start()
    bea.refused("M_FORBIDDEN", 403, "POST", "join", room)
    ask("PUT", V1, "rooms", room, "block", json={"block": False})
    bea.join(room)


@pytest.mark.parametrize("version", ["10", "12"])
def test_somebody_is_given_power(administrator, ask, trail, users, version):
    ann, bea, cid = users("ann", "bea", "cid")
    room = ann.create_room(preset="private_chat", room_version=version)
    assert ask("POST", V1, "rooms", room, "make_room_admin", json={"user_id": bea.user}) == {}
    levels = ann.state(room, "m.room.power_levels")["users"]
    assert levels[bea.user] == 100
    bea.join(room)  # was invited
    bea.set_state(room, "m.room.name", {"name": "Bea's"})
    assert ask("POST", V1, "rooms", room, "make_room_admin", json={}) == {}
    assert ann.state(room, "m.room.power_levels")["users"][administrator.user] == 100
    assert ann.state(room, "m.room.member", administrator.user)["membership"] == "invite"
    assert acts(trail(room), administrator.user) == ["room.make_admin", "room.make_admin"]
    assert trail(room)[0]["detail"] == {"user_id": bea.user}
    ann.leave(room)
    bea.leave(room)
    assert ask("POST", V1, "rooms", room, "make_room_admin", json={"user_id": cid.user}, expect=400)["errcode"] == "M_UNKNOWN"


def test_somebody_is_put_into_a_room(server, synadm, administrator, ask, trail, users):
    ann, bea = users("ann", "bea")
    room = ann.create_room(preset="public_chat", room_alias_name="come.in")
    assert synadm("room", "join", room, bea.user) == {"room_id": room}
    assert ann.state(room, "m.room.member", bea.user)["membership"] == "join"
    bea.leave(room)
    assert ask("POST", V1, "join", f"#come.in:{server.server_name}", json={"user_id": bea.user}) == {"room_id": room}
    assert acts(trail(room), administrator.user) == ["room.join", "room.join"]
    closed = ann.create_room(preset="private_chat")
    assert ask("POST", V1, "join", closed, json={"user_id": bea.user}, expect=403)["errcode"] == "M_FORBIDDEN"
    ann.invite(closed, administrator)
    administrator.join(closed)
    ann.set_state(closed, "m.room.power_levels", {**ann.state(closed, "m.room.power_levels"), "invite": 0})
    assert ask("POST", V1, "join", closed, json={"user_id": bea.user}) == {"room_id": closed}
    assert ask("POST", V1, "join", closed, json={"user_id": bea.user}) == {"room_id": closed}
    ask("POST", V1, "join", room, json={"user_id": "@x:elsewhere.example"}, expect=400)
    ask("POST", V1, "join", room, json={"user_id": f"@nobody:{server.server_name}"}, expect=404)
    ask("POST", V1, "join", room, expect=400)
    ask("POST", V1, "join", "nonsense", json={"user_id": bea.user}, expect=400)


def test_a_room_is_emptied(server, synadm, administrator, ask, trail, users):
    ann, bea, cid = users("ann", "bea", "cid")
    room = ann.create_room(preset="public_chat")
    bea.join(room)
    ann.invite(room, cid)
    done = ask("DELETE", V1, "rooms", room, json={"purge": False, "block": True})
    assert set(done.pop("kicked_users")) == {ann.user, bea.user, cid.user}
    assert done == {"failed_to_kick_users": [], "local_aliases": [], "new_room_id": None}
    assert ask("GET", V1, "rooms", room, "members") == {"members": [], "total": 0}
    assert ask("GET", V1, "rooms", room)["forgotten"] is True and ask("GET", V1, "rooms", room, "block")["block"] is True
    bea.refused("M_FORBIDDEN", 403, "POST", "join", room)
    assert bea.get("joined_rooms")["joined_rooms"] == []
    assert trail(room)[0]["detail"] == {"block": True} and acts(trail(room), administrator.user) == ["room.shutdown"]

    second = ann.create_room(preset="public_chat")
    bea.join(second)
    name = synadm("room", "delete", second, "--no-purge")["delete_id"]
    deadline = time.monotonic() + 60
    while (status := synadm("room", "delete-status", "-d", name))["status"] in ("scheduled", "active"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status["status"] == "complete" and set(status["shutdown_room"]["kicked_users"]) == {ann.user, bea.user}
    assert status["room_id"] == second and status["delete_id"] == name
    assert ask("GET", V2, "rooms", second, "delete_status") == {"results": [status]}
    assert ask("GET", V1, "rooms", second, "block") == {"block": False}
    assert [result["status"] for result in ask("GET", V2, "rooms", room, "delete_status")["results"]] == ["complete"]
    ask("GET", V2, "rooms", "delete_status", "nothing", expect=404)
    # Who makes the other room must be somebody.
    third = ann.create_room()
    for version in (V1, V2):
        for wrong in (f"@nobody:{server.server_name}", "nonsense", "@x:elsewhere.example"):
            ask("DELETE", version, "rooms", third, json={"purge": False, "new_room_user_id": wrong}, expect=400)
    ask("GET", V2, "rooms", third, "delete_status", expect=404)
    assert third in ann.get("joined_rooms")["joined_rooms"]
    unknown = f"!unknown:{server.server_name}"
    ask("DELETE", V1, "rooms", unknown, json={"purge": False}, expect=400)
    ask("DELETE", V2, "rooms", unknown, json={"purge": False}, expect=404)
    assert ask("DELETE", V1, "rooms", unknown, json={"purge": False, "block": True})["kicked_users"] == []
    assert ask("GET", V1, "rooms", unknown, "block")["block"] is True


def test_a_room_has_a_successor(server, ask, users):
    ann, bea, cid, guard = users("ann", "bea", "cid", "guard")
    room = ann.create_room(preset="public_chat", room_alias_name=f"closing-{ann.device.lower()}")
    bea.join(room)
    ann.invite(room, cid)
    alias = f"#closing-{ann.device.lower()}:{server.server_name}"
    wanted = {"new_room_user_id": guard.user, "room_name": "Moved on", "message": "Ask the help desk why.", "purge": True}
    done = ask("DELETE", V1, "rooms", room, json=wanted)
    successor = done["new_room_id"]
    assert done["local_aliases"] == [alias] and set(done["kicked_users"]) == {ann.user, bea.user, cid.user}
    for client in (ann, bea):
        assert client.get("joined_rooms")["joined_rooms"] == [successor]
        client.refused("M_FORBIDDEN", 403, "PUT", "rooms", successor, "send", "m.room.message", "t1", json={"msgtype": "m.text", "body": "why?"})
    assert cid.get("joined_rooms")["joined_rooms"] == [], "who was invited only is not moved"
    assert ann.state(successor, "m.room.name")["name"] == "Moved on"
    said = [event["content"]["body"] for event in bea.messages(successor)["chunk"] if event["type"] == "m.room.message"]
    assert said == ["Ask the help desk why."]
    assert cid.get("directory", "room", alias)["room_id"] == successor


# Files


def gone(client: Client, server, file: str) -> bool:
    return client.request("GET", f"/_matrix/client/v1/media/download/{server.server_name}/{file}", expect=(200, 404)).status_code == 404


def test_files_are_put_away_protected_and_deleted(server, synadm, administrator, ask, trail, users):
    (ann,) = users("ann")
    name = server.server_name
    one, two, three = (upload(ann, content, f"{number}.txt") for number, content in enumerate((b"one", b"two", b"three")))
    told = ask("GET", V1, "media", name, one)["media_info"]
    assert (told["media_origin"], told["media_id"], told["user_id"], told["media_length"]) == (name, one, ann.user, 3)
    assert told["sha256"] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed" and told["quarantined_by"] is None
    assert ask("POST", V1, "media", "quarantine", name, one) == {}
    assert gone(ann, server, one)
    assert ask("GET", V1, "media", name, one)["media_info"]["quarantined_by"] == administrator.user
    assert ask("POST", V1, "media", "unquarantine", name, one) == {}
    assert not gone(ann, server, one) and ask("GET", V1, "media", name, one)["media_info"]["quarantined_by"] is None
    assert ask("POST", V1, "media", "protect", two) == {}
    assert ask("GET", V1, "media", name, two)["media_info"]["safe_from_quarantine"] is True
    ask("POST", V1, "media", "quarantine", name, two, expect=400)
    assert ask("POST", V1, "user", ann.user, "media", "quarantine") == {"num_quarantined": 2}
    assert gone(ann, server, one) and not gone(ann, server, two) and gone(ann, server, three)
    assert ask("POST", V1, "user", ann.user, "media", "quarantine") == {"num_quarantined": 0}
    assert ask("POST", V1, "media", "unprotect", two) == {}
    ask("POST", V1, "media", "unquarantine", name, three)
    assert synadm("media", "delete", "-i", three) == {"deleted_media": [three], "total": 1}
    assert gone(ann, server, three)
    ask("GET", V1, "media", name, three, expect=404)
    ask("DELETE", V1, "media", name, three, expect=404)
    ask("DELETE", V1, "media", "elsewhere.example", one, expect=400)
    for verb in ("quarantine", "unquarantine"):
        ask("POST", V1, "media", verb, name, "nothing", expect=404)
    ask("POST", V1, "media", "protect", "nothing", expect=404)
    assert acts(trail(f"mxc://{name}/{two}"), administrator.user) == ["media.protect", "media.unprotect"]
    assert acts(trail(f"mxc://{name}/{three}"), administrator.user) == ["media.quarantine", "media.unquarantine", "media.delete"]


def test_files_of_a_room_are_listed_and_put_away(server, synadm, ask, users):
    (ann,) = users("ann")
    room = ann.create_room()
    name = server.server_name
    one, thumbnail, other = (upload(ann, content, "x.txt") for content in (b"first", b"small", b"elsewhere"))
    uri = f"mxc://{name}/"
    ann.send(room, {"msgtype": "m.image", "body": "x", "url": uri + one, "info": {"thumbnail_url": uri + thumbnail}})
    ann.send(room, {"msgtype": "m.image", "body": "x", "url": "mxc://elsewhere.example/abc"})
    ann.send(room, {"msgtype": "m.image", "body": "x", "url": 5, "info": "none"})
    assert synadm("media", "list", "-r", room) == {"local": [uri + one, uri + thumbnail], "remote": ["mxc://elsewhere.example/abc"]}
    assert ask("POST", V1, "room", room, "media", "quarantine") == {"num_quarantined": 2}
    assert gone(ann, server, one) and gone(ann, server, thumbnail) and not gone(ann, server, other)
    ask("GET", V1, "room", f"!nothing:{name}", "media", expect=404)
    # There are no copies of other servers' files here.
    assert ask("POST", V1, "purge_media_cache", params={"before_ts": int(time.time() * 1000) + 60_000}) == {"deleted": 0}
    ask("POST", V1, "purge_media_cache", expect=400)
    assert not gone(ann, server, other)


# Reports, other servers, work in the background


def test_reports_are_listed_shown_and_deleted(administrator, ask, trail, users):
    ann, bea, cid = users("ann", "bea", "cid")
    room = ann.create_room(name="Rude", preset="public_chat")
    for user in (bea, cid):
        user.join(room)
    event, second = ann.say(room, "rude"), cid.say(room, "ruder")
    bea.post("rooms", room, "report", event, json={"reason": "not nice", "score": -50})
    bea.post("rooms", room, "report", second, json={"reason": "worse"})
    cid.post("rooms", room, "report", event, json={"reason": ""})
    ann.post("rooms", room, "report", json={"reason": "a room, and no event"})

    def listed(**params):
        answer = ask("GET", V1, "event_reports", params={"room_id": room, **params})
        return [(report["event_id"], report["user_id"]) for report in answer["event_reports"]], answer

    found, answer = listed()
    assert found == [(event, cid.user), (second, bea.user), (event, bea.user)] and answer["total"] == 3
    assert listed(dir="f")[0] == found[::-1]
    assert listed(user_id=bea.user)[0] == found[1:] and listed(event_sender_user_id=cid.user)[0] == found[1:2]
    page, answer = listed(limit=2)
    assert page == found[:2] and answer["next_token"] == 2
    page, answer = listed(limit=2, **{"from": 2})
    assert page == found[2:] and "next_token" not in answer
    report = answer["event_reports"][0]
    number = report["id"]
    assert abs(report.pop("received_ts") / 1000 - time.time()) < 3600
    assert report == {
        "id": number, "room_id": room, "event_id": event, "user_id": bea.user, "sender": ann.user, "reason": "not nice", "score": -50,
        "name": "Rude", "canonical_alias": None,
    }
    shown = ask("GET", V1, "event_reports", str(number))
    assert shown["event_json"]["content"]["body"] == "rude" and "signatures" in shown["event_json"] and shown["id"] == number
    assert ask("DELETE", V1, "event_reports", str(number)) == {}
    ask("GET", V1, "event_reports", str(number), expect=404)
    ask("DELETE", V1, "event_reports", str(number), expect=404)
    ask("GET", V1, "event_reports", "x", expect=400)
    assert acts(trail(ann.user), administrator.user) == ["report.delete"]
    ask("GET", V1, "event_reports", params={"room_id": "nonsense"}, expect=400)


def test_reports_of_users_are_listed_shown_and_deleted(administrator, ask, trail, users):
    ann, bea, cid = users("ann", "bea", "cid")
    for user, target in ((bea, ann), (cid, ann), (bea, cid)):
        user.post("users", target.user, "report", json={"reason": f"of {target.user}"})

    def listed(**params):
        answer = ask("GET", V1, "user_reports", params=params)
        return [(report["target_user_id"], report["user_id"]) for report in answer["user_reports"]], answer

    found, answer = listed(target_user_id=ann.user)
    assert found == [(ann.user, cid.user), (ann.user, bea.user)] and answer["total"] == 2 and "next_token" not in answer
    assert listed(target_user_id=ann.user, dir="f")[0] == found[::-1]
    assert listed(user_id=bea.user)[0] == [(cid.user, bea.user), (ann.user, bea.user)]
    assert listed(user_id=bea.user, limit=1)[1]["next_token"] == 1
    report = answer["user_reports"][0]
    assert set(report) == {"id", "received_ts", "target_user_id", "user_id", "reason"} and report["reason"] == f"of {ann.user}"
    number = str(report["id"])
    assert ask("GET", V1, "user_reports", number) == report
    # Each kind of report is found in its own place only.
    ask("GET", V1, "event_reports", number, expect=404)
    ask("DELETE", V1, "event_reports", number, expect=404)
    assert ask("DELETE", V1, "user_reports", number) == {}
    for method in ("GET", "DELETE"):
        ask(method, V1, "user_reports", number, expect=404)
        ask(method, V1, "user_reports", "x", expect=400)
    assert acts(trail(ann.user), administrator.user) == ["report.delete"]


def test_what_is_not_is_answered_so(ask):
    assert ask("GET", V1, "federation", "destinations") == {"destinations": [], "total": 0}
    ask("GET", V1, "federation", "destinations", "elsewhere.example", expect=404)
    ask("GET", V1, "federation", "destinations", "elsewhere.example", "rooms", expect=404)
    ask("POST", V1, "federation", "destinations", "elsewhere.example", "reset_connection", expect=404)
    assert ask("GET", V1, "background_updates", "status") == {"enabled": True, "current_updates": {}}
    assert ask("GET", V1, "background_updates", "enabled") == {"enabled": True}
