"""Threads that people follow: what they are notified of, and what sliding sync tells of it."""

import threading

import pytest
from harness.clients import path, register
from harness.sliding import Loop, rooms_list

UNSTABLE = "/_matrix/client/unstable/io.element.msc4306"
PAGES = "/_matrix/client/unstable/io.element.msc4308"
EXTENSION = "io.element.msc4308.thread_subscriptions"
RULES = (".io.element.msc4306.rule.unsubscribed_thread", ".io.element.msc4306.rule.subscribed_thread")


def subscription(client, method, room, root, expect=200, **body):
    where = path("rooms", room, "thread", root, "subscription", base=UNSTABLE)
    options = {"json": body} if method == "PUT" else {}
    return client.request(method, where, expect=expect, schema=False, **options).json()


def reply(client, room, root, text="reply", **extra):
    relation = {"rel_type": "m.thread", "event_id": root}
    return client.send(room, {"msgtype": "m.text", "body": text, "m.relates_to": relation, **extra})


def wishes(answer):
    return answer["extensions"].get(EXTENSION, {})


def told(part, room):
    return {root: wish.get("automatic") for root, wish in part.get(room, {}).items()}


def page(client, **params):
    return client.get("thread_subscriptions", base=PAGES, params={"dir": "b", **params}, schema=False)


@pytest.fixture
def threaded(make_server, engine, fresh_name):
    """A server on which threads can be followed, and two users of it."""
    server = make_server(engine, settings={"threads": {"subscriptions": True}}).start()
    yield register(server, fresh_name("alice")), register(server, fresh_name("bob"))
    server.finish()


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    return room


def test_sliding_sync_tells_of_it(alice, bob, room):
    first, second, third = (alice.say(room, f"root {number}") for number in range(3))
    subscription(bob, "PUT", room, first)
    subscription(bob, "PUT", room, second, automatic=reply(alice, room, second))
    wanted = {EXTENSION: {"enabled": True}}
    loop = Loop(bob)
    answer = wishes(loop.sync(extensions=wanted))
    assert told(answer["subscribed"], room) == {first: False, second: True}
    assert "unsubscribed" not in answer and "prev_batch" not in answer
    assert not wishes(loop.sync(extensions=wanted))
    subscription(bob, "DELETE", room, first)
    subscription(bob, "PUT", room, third)
    answer = wishes(loop.sync(extensions=wanted))
    assert told(answer["subscribed"], room) == {third: False} and told(answer["unsubscribed"], room) == {first: None}
    stamps = [answer["unsubscribed"][room][first]["bump_stamp"], answer["subscribed"][room][third]["bump_stamp"]]
    assert stamps == sorted(stamps) and stamps[0] != stamps[1]
    assert not wishes(Loop(alice).sync(extensions=wanted)), "it is nobody else's business"


def test_who_waits_is_woken(alice, bob, room):
    root = alice.say(room, "root")
    wanted = {EXTENSION: {"enabled": True}}
    loop = Loop(bob)
    loop.sync(extensions=wanted)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(loop.sync(extensions=wanted, timeout=60_000)))
    waiting.start()
    subscription(bob, "PUT", room, root)
    waiting.join(90)
    assert told(wishes(answers[0])["subscribed"], room) == {root: False}


def test_turning_the_extension_on_later_tells_everything(alice, bob, room):
    root = alice.say(room, "root")
    subscription(bob, "PUT", room, root)
    loop = Loop(bob)
    loop.sync({"all": rooms_list()})
    assert told(wishes(loop.sync({"all": rooms_list()}, extensions={EXTENSION: {"enabled": True}}))["subscribed"], room) == {root: False}
    assert not wishes(loop.sync({"all": rooms_list()}, extensions={EXTENSION: {"enabled": True}}))


def test_what_does_not_fit_comes_in_pages(alice, bob, room):
    roots = [alice.say(room, f"root {number}") for number in range(7)]
    loop = Loop(bob)
    loop.sync(extensions={EXTENSION: {"enabled": True}})
    before = loop.pos
    for root in roots:
        subscription(bob, "PUT", room, root)
    answer = wishes(loop.sync(extensions={EXTENSION: {"enabled": True, "limit": 3}}))
    assert set(answer["subscribed"][room]) == set(roots[4:])
    rest = page(bob, **{"from": answer["prev_batch"]}, to=before, limit=2)
    assert set(rest["subscribed"][room]) == {roots[3], roots[2]}
    rest = page(bob, **{"from": rest["end"]}, to=before, limit=2)
    assert set(rest["subscribed"][room]) == {roots[1], roots[0]} and "end" not in rest
    assert set(page(bob)["subscribed"][room]) == set(roots)
    assert page(alice) == {}
    bob.request("GET", path("thread_subscriptions", base=PAGES), params={"dir": "f"}, expect=400, schema=False)
    bob.request("GET", path("thread_subscriptions", base=PAGES), params={"from": "x"}, expect=400, schema=False)


def counts(client, room):
    section = client.sync()["rooms"]["join"][room]
    return section["unread_notifications"]["notification_count"], section["unread_notifications"]["highlight_count"]


def test_push_rules_follow_threads(threaded):
    alice, bob = threaded
    features = alice.get(base="/_matrix/client/versions")["unstable_features"]
    assert features["org.matrix.msc4306"] is True
    rules = bob.request("GET", "/_matrix/client/v3/pushrules/", schema=False).json()["global"]
    assert tuple(rule["rule_id"] for rule in rules["postcontent"]) == RULES
    assert rules["postcontent"][0]["conditions"] == [{"kind": "io.element.msc4306.thread_subscription", "subscribed": False}]
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    root = alice.say(room, "root")
    assert counts(bob, room) == (1, 0)
    bob.post("rooms", room, "receipt", "m.read", root)
    reply(alice, room, root)
    assert counts(bob, room) == (0, 0), "a thread that nobody follows notifies nobody"
    reply(alice, room, root, **{"m.mentions": {"user_ids": [bob.user]}})
    assert counts(bob, room) == (1, 1), "a mention does all the same"
    subscription(bob, "PUT", room, root)
    reply(alice, room, root)
    assert counts(bob, room) == (2, 1)
    # Whatever is set for the room: the thread is followed.
    bob.put("pushrules", "global", "room", room, json={"actions": []})
    reply(alice, room, root)
    assert counts(bob, room) == (3, 1)
    alice.say(room, "outside of the thread")
    assert counts(bob, room) == (3, 1)
    subscription(bob, "DELETE", room, root)
    reply(alice, room, root)
    assert counts(bob, room) == (3, 1)
    # The rules are the server's: they can be turned off, and none can be added.
    bob.put("pushrules", "global", "postcontent", RULES[0], "enabled", json={"enabled": False}, schema=False)
    bob.delete("pushrules", "global", "room", room)
    reply(alice, room, root)
    assert counts(bob, room) == (4, 1)
    bob.request("PUT", path("pushrules", "global", "postcontent", "mine"), json={"actions": [], "conditions": []}, expect=400, schema=False)


def test_without_the_feature_threads_notify_as_ever(alice, bob, room):
    assert not alice.get(base="/_matrix/client/versions")["unstable_features"]["org.matrix.msc4306"]
    assert "postcontent" not in bob.request("GET", "/_matrix/client/v3/pushrules/").json()["global"]
    root = alice.say(room, "root")
    reply(alice, room, root)
    assert counts(bob, room) == (2, 0)
    bob.request("GET", path("pushrules", "global", "postcontent", RULES[0]), expect=404, schema=False)
