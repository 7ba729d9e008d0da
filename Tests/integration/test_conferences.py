"""Calls at Visio and Jitsi: how they are started, what the room is told, what comes back, and what happens when the service does not do its part."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import jsonschema
import jwt
import pytest
from harness import conferences
from harness.clients import Client, login, path, register
from harness.servers import ROOT
from harness.waiting import eventually
from test_provisioning import CommandLine, entries

pytestmark = pytest.mark.only_chappe(reason="its own endpoints")

OWN = "/_matrix/client/unstable/fr.gouv.chappe"
CALL = "org.matrix.msc3401.call"
RING = "org.matrix.msc4075.rtc.notification"
WIDGET = "im.vector.modular.widgets"
SCHEMA = json.loads((ROOT / "Deploy" / "call-events.schema.json").read_text())


def check(kind: str, content: dict) -> dict:
    jsonschema.Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{kind}"}).validate(content)
    return content


@pytest.fixture(scope="module")
def outside():
    with conferences.running() as both:
        yield both


@pytest.fixture(scope="module")
def server(make_server, engine, outside):
    jitsi = {"url": "https://jitsi.example", "app_id": "chappe", "secret": "the secret of Jitsi, which is as long as secrets are"}
    settings = conferences.settings(outside, jitsi=jitsi)
    server = make_server(engine, settings=settings).start()
    yield server
    server.finish()


def start(client: Client, room: str, expect: int = 200, **options) -> dict:
    answer = client.request("POST", path("rooms", room, "call", base=OWN), json=options, schema=False, expect=expect).json()
    return check("answer", answer) if expect == 200 else answer


def hear(server, report: dict, expect: int = 200, twice: bool = False) -> None:
    body, headers = conferences.signed(report, conferences.KEY, conferences.WEBHOOK_SECRET)
    for _ in range(2 if twice else 1):
        tell(server, body, headers, expect)


def tell(server, body: bytes, headers: dict, expect: int = 200) -> None:
    where = OWN + "/calls/visio/webhook"
    Client(server).request("POST", where, content=body, headers=headers, token=None, schema=False, expect=expect)


def told(client: Client, room: str, *kinds: str) -> list[dict]:
    """The events about calls in a room, oldest first, as the schema has them."""
    events = [event for event in client.all_messages(room) if event["type"] in (kinds or (CALL, "m.room.message", RING, WIDGET))]
    for event in events:
        if event["content"]:
            check(event["type"], event["content"])
    return events[::-1]


def test_a_call_is_started_told_and_ended(server, users, outside):
    alice, bob = users("alice", "bob")
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    _, since = bob.sync_until(lambda sync: room in sync["rooms"]["join"])
    before = outside.times("/rooms/")
    answer = start(alice, room, widget=True)
    assert answer["created"] and answer["access_level"] == "trusted" and answer["url"].startswith(outside.url + "/abc-")
    assert answer["meeting_id"] in [meeting["id"] for meeting in outside.rooms["chappe@ministry.example"]]
    # Bob's clients ring: what they hear of is what was announced.
    heard, _ = bob.sync_until(lambda sync: sync.get("rooms", {}).get("join", {}).get(room), since=since)
    events = {event["type"]: event for event in heard["timeline"]["events"]}
    assert {kind: events[kind]["event_id"] for kind in events} == {
        CALL: answer["events"]["state"], "m.room.message": answer["events"]["message"], RING: answer["events"]["ring"],
        WIDGET: answer["events"]["widget"],
    }
    for kind, event in events.items():
        check(kind, event["content"])
        assert event["sender"] == alice.user
    assert answer["url"] in events["m.room.message"]["content"]["body"]
    assert events[CALL]["state_key"] == answer["call_id"] == events[WIDGET]["state_key"]
    assert events[RING]["content"]["m.relates_to"]["event_id"] == answer["events"]["state"]
    # Again, by whoever: the same call, and nobody is told twice.
    again = start(alice, room)
    assert again == {**answer, "created": False}
    where = path("rooms", room, "call", base=OWN)
    assert bob.request("GET", where, schema=False).json() == {name: value for name, value in answer.items() if name != "created"}
    assert len(told(bob, room)) == 4 and outside.times("/rooms/") == before + 2

    # What Visio tells: who comes and goes, recordings, the end.
    base = {"room": {"name": answer["meeting_id"]}}
    for name in ("Ada", "Grace"):
        person = {"identity": name.lower(), "name": name, "state": "ACTIVE"}
        hear(server, {**base, "event": "participant_joined", "participant": person}, twice=True)
    hear(server, {**base, "event": "participant_joined", "participant": {"identity": "egress", "name": "", "kind": "EGRESS"}})
    conference = check(CALL, bob.state(room, CALL, answer["call_id"]))["fr.gouv.chappe.conference"]
    assert conference["participants"] == {"count": 2, "names": ["Ada", "Grace"]}
    hear(server, {**base, "event": "participant_left", "participant": {"identity": "ada", "name": "Ada"}}, twice=True)
    assert bob.state(room, CALL, answer["call_id"])["fr.gouv.chappe.conference"]["participants"] == {"count": 1, "names": ["Grace"]}
    assert bob.request("GET", where, schema=False).json()["participants"] == 1
    hear(server, {**base, "event": "room_finished"}, twice=True)
    over = check(CALL, bob.state(room, CALL, answer["call_id"]))
    assert over["m.terminated"] == "call_ended" and "participants" not in over["fr.gouv.chappe.conference"]
    assert bob.state(room, WIDGET, answer["call_id"]) == {}
    bob.request("GET", where, schema=False, expect=404)
    # Recordings come when it is over.
    file = {"egressInfo": {"roomName": answer["meeting_id"], "status": "EGRESS_COMPLETE", "fileResults": [{"filename": "recordings/0c-1.mp4"}]}}
    hear(server, {"event": "egress_ended", **file}, twice=True)
    sealed = conferences.sealed({**base, "event": "transcript_ready", "link": "https://docs.example/t/1"})
    for _ in range(2):
        tell(server, *sealed)
    links = [
        {"kind": "recording", "url": f"{outside.url}/recording/0c-1"}, {"kind": "transcript", "url": "https://docs.example/t/1"},
    ]
    assert check(CALL, bob.state(room, CALL, answer["call_id"]))["fr.gouv.chappe.conference"]["recordings"] == links
    notices = [event["content"] for event in told(bob, room, "m.room.message") if event["content"]["msgtype"] == "m.notice"]
    assert [notice["fr.gouv.chappe.conference"]["recording"] for notice in notices] == links

    # The next call is in the same meeting, and is ended by who may.
    next_one = start(alice, room, ring=False, message=False)
    assert (next_one["created"], next_one["url"], next_one["call_id"]) == (True, answer["url"], answer["call_id"])
    assert next_one["events"].keys() == {"state"} and outside.times("/rooms/") == before + 2
    hear(server, {"event": "room_finished", "createdAt": str(int(time.time()) - 60), **base})
    assert bob.request("DELETE", where, schema=False, expect=403).json()["errcode"] == "M_FORBIDDEN"
    alice.request("DELETE", where, schema=False)
    assert check(CALL, bob.state(room, CALL, answer["call_id"]))["m.terminated"] == "ended"
    alice.request("DELETE", where, schema=False, expect=404)


def test_what_is_not_visios_is_not_heard(server, alice):
    room = alice.create_room()
    answer = start(alice, room)
    report = {"event": "room_finished", "room": {"name": answer["meeting_id"]}}
    body, headers = conferences.signed(report, conferences.KEY, conferences.SECRET)
    tell(server, body, headers, 401)
    body, headers = conferences.signed(report, "another", conferences.WEBHOOK_SECRET)
    tell(server, body, headers, 401)
    body, headers = conferences.signed(report, conferences.KEY, conferences.WEBHOOK_SECRET)
    claims = jwt.decode(headers["Authorization"], options={"verify_signature": False})
    for forged in (
        jwt.encode(claims, None, "none"), jwt.encode(claims, conferences.WEBHOOK_SECRET, "HS512"), headers["Authorization"][:-2], "nonsense", "",
        jwt.encode({**claims, "exp": int(time.time()) - 120}, conferences.WEBHOOK_SECRET, "HS256"),
        jwt.encode({**claims, "sha256": "aGFzaA=="}, conferences.WEBHOOK_SECRET, "HS256"),
    ):
        tell(server, body, {"Authorization": forged}, 401)
    body, headers = conferences.sealed(report, "another")
    tell(server, body, headers, 401)
    body, headers = conferences.sealed(report)
    tell(server, body.replace(b"finished", b"started"), headers, 401)
    tell(server, body, {}, 401)
    old = conferences.sealed({**report, "created_at": int(time.time()) - 90_000})
    tell(server, *old)
    hear(server, {"event": "room_finished", "room": {"name": "unknown"}})
    assert "m.terminated" not in alice.state(room, CALL, answer["call_id"])
    for service in ("jitsi", "nonsense"):
        alice.request("POST", f"{OWN}/calls/{service}/webhook", content=body, schema=False, expect=(400, 404))


def test_encrypted_rooms_have_the_state_alone(server, users, outside):
    alice, bob = users("alice", "bob")
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room = alice.create_room(preset="private_chat", initial_state=[encryption], invite=[bob.user])
    answer = start(alice, room)
    assert answer["events"].keys() == {"state"} and answer["url"].startswith(outside.url)
    person = {"identity": "ada", "name": "Ada"}
    hear(server, {"event": "participant_joined", "room": {"name": answer["meeting_id"]}, "participant": person})
    assert alice.state(room, CALL, answer["call_id"])["fr.gouv.chappe.conference"]["participants"] == {"count": 1}
    assert [event["type"] for event in told(alice, room)] == [CALL, CALL]


@pytest.mark.parametrize(("where", "failure", "status", "reason"), [
    ("/rooms/", "silence", 504, "timeout"), ("/token/", 401, 502, "unauthorized"),
    ("/rooms/", 401, 502, "unauthorized"), ("/token/", 403, 403, "forbidden"), ("/token/", 429, 429, "rate_limited"),
    ("/rooms/", 429, 429, "rate_limited"), ("/rooms/", 503, 502, "unavailable"), ("/token/", "nonsense", 502, "malformed"),
    ("/token/", {"access_token": ""}, 502, "malformed"), ("/rooms/", {"results": 1}, 502, "malformed"),
])
def test_what_is_wrong_with_visio_is_told(alice, outside, where, failure, status, reason):
    room = alice.create_room()
    outside.failures[where] = [failure]
    answer = start(alice, room, expect=status)
    assert answer["fr.gouv.chappe.conference_error"] == reason and answer["error"]
    assert answer["errcode"] == {403: "M_FORBIDDEN", 429: "M_LIMIT_EXCEEDED"}.get(status, "M_UNKNOWN")
    assert answer.get("retry_after_ms") == (7_000 if status == 429 else None)
    # Nothing was begun, and the next attempt succeeds.
    assert told(alice, room) == []
    alice.request("GET", path("rooms", room, "call", base=OWN), schema=False, expect=404)
    assert start(alice, room)["created"]


@pytest.mark.parametrize(("failure", "lists", "made"), [
    ("lost", True, 1), (503, True, 1), ("nonsense", True, 1), (403, True, 1), ({"id": "x", "slug": "../evil", "access_level": "trusted"}, True, 1),
    ({"id": "x", "slug": "a", "url": "https://elsewhere.example/a", "access_level": "trusted"}, True, 1),
    ({"id": "x", "slug": "a", "access_level": "public"}, True, 1), (503, False, 1),
])
def test_one_meeting_and_not_two(server, users, outside, failure, lists, made):
    """The meeting is asked for, and then something goes wrong: whatever it is, the next attempt leads to one."""
    alice, = users("alice")
    room = alice.create_room()
    before = len(outside.made)
    outside.lists = lists
    original = outside.make_room

    def fail_once(address, wanted):
        outside.make_room = original
        if failure == "lost":
            original(address, wanted)
            raise ConnectionAbortedError
        return (failure, {}) if isinstance(failure, int) else (200, None if failure == "nonsense" else failure)

    outside.make_room = fail_once
    start(alice, room, expect={403: 403, "lost": 504}.get(failure if isinstance(failure, (str, int)) else None, 502))
    assert told(alice, room) == []
    answer = start(alice, room)
    outside.lists = True
    assert answer["created"] and len(outside.made) == before + made
    assert answer["meeting_id"] in [meeting["id"] for meeting in outside.made]
    assert len([event for event in told(alice, room) if event["type"] == CALL]) == 1


def test_many_start_at_once(server, users, outside):
    people = users(*(["friend"] * 6))
    room = people[0].create_room(preset="trusted_private_chat", invite=[person.user for person in people[1:]])
    for person in people[1:]:
        person.join(room)
    before = len(outside.made)
    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(lambda person: start(person, room), people))
    assert len({answer["call_id"] for answer in answers}) == len({answer["url"] for answer in answers}) == 1
    assert [answer["created"] for answer in answers].count(True) == 1 and len(outside.made) == before + 1
    assert [event["type"] for event in told(people[0], room)] == [CALL, "m.room.message", RING]


def test_a_start_that_a_crash_cuts_short(make_server, engine, outside):
    server = make_server(engine, settings=conferences.settings(outside)).start()
    alice = register(server, "alice")
    room = alice.create_room()
    before = len(outside.made)
    asked, original = threading.Event(), outside.make_room

    def make_and_hang(address, wanted):
        answer = original(address, wanted)
        asked.set()
        outside.released.wait(20)
        return answer

    outside.make_room = make_and_hang
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(lambda: start(alice, room, expect=(200, 504)))
        assert asked.wait(30)
        server.kill()
        assert attempt.exception() is not None
    outside.make_room = original
    outside.released.set()
    outside.released = threading.Event()
    server.start()
    alice = login(server, alice.user)
    if engine == "postgres":
        # Another process could still be at it: it is not asked before its time is over.
        assert start(alice, room, expect=429)["errcode"] == "M_LIMIT_EXCEEDED"
        server.finish()
        return
    answer = start(alice, room)
    assert answer["created"] and len(outside.made) == before + 1
    # And one that is under way outlives the next.
    server.kill()
    server.start()
    assert start(alice, room) == {**answer, "created": False}
    hear(server, {"event": "room_finished", "room": {"name": answer["meeting_id"]}})
    assert alice.state(room, CALL, answer["call_id"])["m.terminated"] == "call_ended"
    server.finish()


def test_jitsi(server, users):
    alice, bob = users("alice", "bob")
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    answer = start(alice, room, service="jitsi", intent="audio")
    assert answer["url"].startswith("https://jitsi.example/chappe-") and "jwt" not in answer["url"]
    widget = check(WIDGET, alice.state(room, WIDGET, answer["call_id"]))
    assert widget["type"] == "jitsi" and widget["data"]["domain"] == "jitsi.example"
    assert urlsplit(answer["url"]).path == "/" + widget["data"]["conferenceId"] == "/" + answer["meeting_id"]
    his = bob.request("GET", path("rooms", room, "call", base=OWN), params={"service": "jitsi"}, schema=False).json()
    for token, person, moderates in ((answer["jwt"], alice, True), (his["jwt"], bob, False)):
        says = jwt.decode(token, "the secret of Jitsi, which is as long as secrets are", ["HS256"], audience="jitsi", issuer="chappe")
        assert says["room"] == answer["meeting_id"] and says["sub"] == "jitsi.example"
        assert says["context"]["user"]["id"] == person.user and says["context"]["user"]["moderator"] is moderates
    assert answer["jwt"] not in json.dumps(told(bob, room))
    start(alice, room, service="teams", expect=400)


def test_who_may_start(server, users, outside):
    alice, bob, carol = users("alice", "bob", "carol")
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    before = len(outside.made)
    for person in (bob, carol):
        assert start(person, room, expect=403)["errcode"] == "M_FORBIDDEN"
    alice.request("POST", path("rooms", room, "call", base=OWN), json={}, token=None, schema=False, expect=401)
    start(alice, "!nothing:elsewhere.test", expect=404)
    start(alice, room, intent="telepathy", expect=400)
    assert len(outside.made) == before and told(alice, room) == []


@pytest.fixture(scope="module")
def strict(make_server, engine, outside):
    policy = {"start_power_level": 50, "services": ["*.allowed.example"], "max_duration_seconds": 2, "max_members": 2}
    visio = {"private_rooms": "restricted", "account": None}
    server = make_server(engine, settings=conferences.settings(outside, visio=visio, policy=policy)).start()
    yield server
    server.finish()


def test_rules_bind_this_servers_users(strict, outside):
    people = [register(strict, name) for name in ("alice", "bob", "carol", "dora")]
    alice, bob, carol, dora = people
    room = alice.create_room(preset="public_chat")
    levels = alice.state(room, "m.room.power_levels")
    assert levels["events"][CALL] == 50 and levels["events"]["org.matrix.msc3401.call.member"] == 0
    alice.set_state(room, "m.room.power_levels", {**levels, "state_default": 0, "events": {}})
    for person in people[1:]:
        person.join(room)

    def refused(client: Client, kind: str, content: dict, code: str, key: str | None = None):
        parts = ("send", kind, str(time.monotonic_ns())) if key is None else ("state", kind, key)
        answer = client.refused("M_FORBIDDEN", 403, "PUT", "rooms", room, *parts, json=content, schema=False)
        assert answer["fr.gouv.chappe.errcode"] == f"FR.GOUV.CHAPPE_{code}", answer

    def pointing(url: str) -> dict:
        return {"m.intent": "m.prompt", "m.type": "m.video", "fr.gouv.chappe.conference": {"url": url}}

    member = {"application": "m.call", "foci_preferred": [{"type": "livekit", "livekit_service_url": "https://sfu.allowed.example"}]}
    foreign = {"application": "m.call", "foci_preferred": [{"type": "livekit", "livekit_service_url": "https://sfu.elsewhere.example"}]}
    kind = "org.matrix.msc3401.call.member"
    # Where calls lead.
    for url in ("https://elsewhere.example/x", "https://allowed.example.elsewhere.example/", "https://a.allowed.example@elsewhere.example/",
                "WSS://elsewhere.example", "http://[::1]/"):
        refused(alice, CALL, pointing(url), "FOREIGN_CONFERENCE", key="c")
    refused(alice, kind, foreign, "FOREIGN_CONFERENCE", key=f"_{alice.user}_D")
    refused(alice, "org.matrix.msc4143.rtc.member", {"member": {}, **foreign}, "FOREIGN_CONFERENCE")
    refused(alice, RING, {"link": "https://elsewhere.example"}, "FOREIGN_CONFERENCE")
    widget = {"type": "jitsi", "url": "https://client.example/jitsi.html?x", "data": {"domain": "elsewhere.example"}}
    refused(alice, WIDGET, widget, "FOREIGN_CONFERENCE", key="w")
    refused(alice, WIDGET, {"type": "jitsi", "url": "https://elsewhere.example/jitsi.html"}, "FOREIGN_CONFERENCE", key="w")
    alice.set_state(room, WIDGET, {**widget, "data": {"domain": "meet.allowed.example"}}, "w")
    alice.set_state(room, WIDGET, {"type": "m.notes", "url": "https://elsewhere.example/"}, "n")
    alice.set_state(room, CALL, pointing("https://meet.allowed.example:8443/x"), "c")
    alice.set_state(room, CALL, pointing(outside.url + "/x"), "c")
    # Who starts.
    refused(bob, CALL, pointing("https://meet.allowed.example/x"), "CALL_NEEDS_POWER", key="d")
    refused(bob, RING, {"notification_type": "ring"}, "CALL_NEEDS_POWER")
    refused(bob, kind, member, "CALL_NEEDS_POWER", key=f"_{bob.user}_D")
    assert start(bob, room, expect=403)["fr.gouv.chappe.errcode"] == "FR.GOUV.CHAPPE_CALL_NEEDS_POWER"
    bob.set_state(room, CALL, {**pointing("https://elsewhere.example/"), "m.terminated": "call_ended"}, "d")
    # How many, and how long.
    refused(alice, kind, {**member, "expires": 3_000}, "CALL_TOO_LONG", key=f"_{alice.user}_D")
    alice.set_state(room, kind, member, f"_{alice.user}_D")
    sticky = {"params": {"org.matrix.msc4354.sticky_duration_ms": 60_000}}
    bob.request("PUT", path("rooms", room, "send", "org.matrix.msc4143.rtc.member", "1"), json={**member, "msc4354_sticky_key": "b"}, schema=False, **sticky)
    bob.request("PUT", path("rooms", room, "send", "org.matrix.msc4143.rtc.member", "2"), json={**member, "msc4354_sticky_key": "b"}, schema=False, **sticky)
    refused(carol, kind, member, "CALL_FULL", key=f"_{carol.user}_D")
    alice.set_state(room, kind, member | {"device_id": "D"}, f"_{alice.user}_D")
    alice.set_state(room, kind, {}, f"_{alice.user}_D")
    carol.set_state(room, kind, member, f"_{carol.user}_D")
    refused(dora, "org.matrix.msc4143.rtc.member", member, "CALL_FULL")
    answer = dora.request(
        "POST", path("createRoom"), json={"initial_state": [{"type": CALL, "state_key": "c", "content": pointing("https://elsewhere.example/")}]},
        expect=403).json()
    assert answer["fr.gouv.chappe.errcode"] == "FR.GOUV.CHAPPE_FOREIGN_CONFERENCE"

    # Meetings are as closed as rooms, and nobody without an address owns one; the server ends what takes too long.
    private = alice.create_room(preset="private_chat")
    assert start(alice, private, expect=403)["fr.gouv.chappe.errcode"] == "FR.GOUV.CHAPPE_CALL_NEEDS_ADDRESS"
    CommandLine(strict)("user", "email", "add", "alice", "alice@ministry.example")
    answer = start(alice, private)
    assert answer["access_level"] == "restricted" and outside.rooms["alice@ministry.example"][0]["id"] == answer["meeting_id"]
    strict.kill()
    strict.start()
    eventually(lambda: alice.state(private, CALL, answer["call_id"]).get("m.terminated") == "max_duration")
    for person in people:
        person.close()


def test_administrators_start_calls(server, alice):
    chappe = CommandLine(server)
    room = alice.create_room()
    call = chappe.json("call", "start", room, "--as", alice.user, "--quiet")
    assert call["created"] and call["started_by"] == alice.user and call["events"].keys() == {"state", "message"}
    assert chappe.json("call", "show", room)["url"] == call["url"] in chappe("call", "show", room).stdout
    chappe("call", "end", room)
    assert alice.state(room, CALL, call["call_id"])["m.terminated"] == "ended"
    chappe("call", "show", room, status=1)
    anew = chappe.json("call", "start", room, "--as", alice.user, "--new-meeting")
    assert anew["created"] and anew["url"] != call["url"] and anew["call_id"] == call["call_id"]
    chappe("call", "start", room, "--as", "nobody", status=1)
    assert [entry["action"] for entry in entries(chappe, room)] == ["call.start", "call.end", "call.start"]


def test_without_a_service_there_is_nothing(make_server, engine):
    server = make_server(engine).start()
    alice = register(server, "alice")
    room = alice.create_room()
    for where in (path("rooms", room, "call", base=OWN), "/get_token", "/sfu/get", "/livekit/jwt/get_token"):
        assert alice.request("POST", where, json={}, schema=False, expect=404).json()["errcode"] == "M_UNRECOGNIZED"
    server.finish()


def test_the_examples_are_as_the_schema_has_them():
    text = (ROOT / "Deploy" / "CALLS.md").read_text()
    examples = [json.loads(block.split("```")[0]) for block in text.split("```json\n")[1:]]
    assert {example["type"] for example in examples if "type" in example} >= {CALL, "m.room.message", RING, WIDGET}
    for example in examples:
        if "type" in example:
            check(example["type"], example["content"])
        elif "call_id" in example:
            check("answer", example)


def test_every_key_is_documented():
    import re

    import yaml

    example = yaml.safe_load((ROOT / "Deploy" / "chappe.example.yaml").read_text())["calls"]
    source = (ROOT / "Sources" / "chappe" / "Configuration" / "Configuration+Conferences.swift").read_text()
    keys = set(re.findall(r'(?:node|policy)(?:\.\w+\(|, )"(\w+)"', source))
    documented = {key for section in example.values() if isinstance(section, dict) for key in section} | example.keys()
    assert keys and keys <= documented, keys - documented


@pytest.mark.parametrize(("section", "key"), [
    ({"livekit": {"url": "https://a", "key": "k", "secret": "s"}}, "calls.livekit.url"),
    ({"livekit": {"url": "wss://a", "key": "k"}}, "calls.livekit.secret"),
    ({"livekit": {"url": "wss://a", "key": "k", "secret": "s", "full_access": ["no name"]}}, "calls.livekit.full_access"),
    ({"visio": {"url": "https://a", "client_id": "c"}}, "calls.visio.client_secret"),
    ({"visio": {"url": "https://a", "client_id": "c", "client_secret": "s", "private_rooms": "public"}}, "calls.visio.private_rooms"),
    ({"jitsi": {"url": "https://a", "app_id": "c"}}, "calls.jitsi.app_id"),
    ({"policy": {"services": ["https://a/b"]}}, "calls.policy.services"),
    ({"policy": {"max_member": 3}}, "max_members"),
])
def test_wrong_settings_are_named(tmp_path_factory, section, key):
    import yaml
    from test_commands import Initialized, run

    server = Initialized(tmp_path_factory.mktemp("wrong") / "server", "sqlite")
    file = server.directory / "chappe.yaml"
    settings = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**settings, "calls": section}))
    said = run("check-config", "--config", file, status=1)
    assert key in said.stdout + said.stderr
