"""Events that relate to others: edits, reactions, references and threads, and what is told of them."""

import pytest
from harness.clients import V1, path


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    return room


def relate(client, room, target, kind, body="related", **content):
    message = {"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": kind, "event_id": target}, **content}
    return client.send(room, message)


def edit(client, room, target, body):
    return relate(client, room, target, "m.replace", f"* {body}", **{"m.new_content": {"msgtype": "m.text", "body": body}})


def react(client, room, target, key, **options):
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": key}}
    return client.send(room, content, kind="m.reaction", **options)


def relations(client, room, target, *kinds, **params):
    return client.get("rooms", room, "relations", target, *kinds, base=V1, params=params)


def ids(events):
    return [event["event_id"] for event in events]


def bundled(event):
    return event.get("unsigned", {}).get("m.relations", {})


def everywhere(client, room, target):
    """The event as each endpoint serves it: alone, on a page, in its context, in a first sync."""
    page = client.messages(room, limit=50)["chunk"]
    context = client.get("rooms", room, "context", target, params={"limit": 4})
    filtered = client.sync(filter='{"room": {"timeline": {"limit": 30}}}')["rooms"]["join"][room]["timeline"]
    found = [client.event(room, target), context["event"]] + [event for event in page if event["event_id"] == target]
    if filtered["limited"]:
        found += [event for event in filtered["events"] if event["event_id"] == target]
    return found


def test_children_are_paged_through_in_both_directions(alice, bob, room):
    parent = alice.say(room, "parent")
    children = [relate(bob, room, parent, "m.reference") for _ in range(5)]
    seen, position = [], {}
    while True:
        page = relations(alice, room, parent, limit=2, **position)
        assert ("prev_batch" in page) == bool(position)
        seen += ids(page["chunk"])
        if "next_batch" not in page:
            break
        position = {"from": page["next_batch"]}
    assert seen == children[::-1]
    assert ids(relations(alice, room, parent, dir="f", limit=3)["chunk"]) == children[:3]
    assert relations(alice, room, alice.say(room, "alone"))["chunk"] == []


def test_children_by_kind_of_relation_and_type(alice, bob, room):
    parent = alice.say(room, "parent")
    reference, reaction = relate(bob, room, parent, "m.reference"), react(bob, room, parent, "👍")
    odd = bob.send(room, {"m.relates_to": {"rel_type": "m.reference", "event_id": parent}}, kind="org.example.odd")
    assert ids(relations(alice, room, parent)["chunk"]) == [odd, reaction, reference]
    assert ids(relations(alice, room, parent, "m.reference")["chunk"]) == [odd, reference]
    assert ids(relations(alice, room, parent, "m.reference", "m.room.message")["chunk"]) == [reference]
    assert ids(relations(alice, room, parent, "m.annotation", "m.reaction")["chunk"]) == [reaction]
    assert relations(alice, room, parent, "m.thread")["chunk"] == []


@pytest.mark.only_chappe(reason="Synapse goes on from what the filter leaves out")
def test_children_of_children(alice, bob, room):
    root = alice.say(room, "root")
    reply = relate(bob, room, root, "m.thread", "reply")
    reaction, edited = react(alice, room, reply, "❤"), edit(bob, room, reply, "better")
    assert ids(relations(alice, room, root)["chunk"]) == [reply]
    deep = relations(alice, room, root, recurse="true")
    assert ids(deep["chunk"]) == [edited, reaction, reply] and deep["recursion_depth"] >= 3
    # What does not match leads no further.
    assert ids(relations(alice, room, root, "m.thread", recurse="true")["chunk"]) == [reply]
    assert relations(alice, room, root, "m.annotation", recurse="true")["chunk"] == []


@pytest.mark.only_chappe(reason="Synapse answers 403")
def test_who_may_not_see_the_parent_sees_no_children(alice, bob, carol, room):
    parent = alice.say(room, "parent")
    relate(alice, room, parent, "m.reference")
    carol.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "relations", parent, base=V1)
    alice.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "relations", "$nowhere", base=V1)
    alice.refused("M_INVALID_PARAM", 400, "GET", "rooms", room, "relations", parent, base=V1, params={"limit": 0})
    alice.refused("M_INVALID_PARAM", 400, "GET", "rooms", room, "relations", parent, base=V1, params={"from": "x"})


@pytest.mark.only_chappe(reason="Synapse takes an edit without new content")
def test_the_last_edit_is_told_with_the_event(alice, bob, room):
    event = alice.say(room, "first")
    edit(alice, room, event, "second")
    last = edit(alice, room, event, "third")
    edit(bob, room, event, "somebody else's words")
    relate(alice, room, event, "m.replace", "without new content")
    alice.send(
        room, {"m.relates_to": {"rel_type": "m.replace", "event_id": event}, "m.new_content": {}}, kind="org.example.other"
    )
    for _ in range(30):
        alice.say(room, "filler")
    seen = everywhere(bob, room, event)
    assert len(seen) == 3
    for shown in seen:
        assert shown["content"]["body"] == "first"
        assert bundled(shown)["m.replace"]["event_id"] == last
        assert bundled(shown)["m.replace"]["content"]["m.new_content"]["body"] == "third"
    alice.put("rooms", room, "redact", last, "r1", json={})
    assert bundled(bob.event(room, event))["m.replace"]["content"]["m.new_content"]["body"] == "second"
    assert last not in ids(relations(bob, room, event, "m.replace")["chunk"])
    # What has been redacted has nothing left to be replaced, but who asks for the edits gets them.
    alice.put("rooms", room, "redact", event, "r2", json={})
    assert "m.replace" not in bundled(bob.event(room, event))
    assert relations(bob, room, event, "m.replace")["chunk"]


def test_references_are_told_with_the_event(alice, bob, room):
    event = alice.say(room, "a verification, say")
    references = [relate(bob, room, event, "m.reference") for _ in range(2)]
    for shown in everywhere(alice, room, event):
        assert ids(bundled(shown)["m.reference"]["chunk"]) == references
    react(bob, room, event, "👍")
    assert "m.annotation" not in bundled(alice.event(room, event))


def test_a_first_sync_tells_relations_only_where_it_leaves_something_out(alice, bob, room):
    event = alice.say(room, "first")
    last = edit(alice, room, event, "second")
    short = '{"room": {"timeline": {"limit": 2}}}'
    timeline = bob.sync(filter=short)["rooms"]["join"][room]["timeline"]
    assert timeline["limited"] and bundled(timeline["events"][0])["m.replace"]["event_id"] == last


def test_a_thread_is_told_with_its_root(alice, bob, carol, room):
    alice.invite(room, carol)
    carol.join(room)
    root = bob.say(room, "root")
    relate(alice, room, root, "m.thread", "one")
    last = relate(alice, room, root, "m.thread", "two")
    edited = edit(alice, room, last, "two!")
    for client, participated in ((alice, True), (bob, True), (carol, False)):
        for shown in everywhere(client, room, root):
            thread = bundled(shown)["m.thread"]
            assert thread["count"] == 2 and thread["current_user_participated"] is participated
            assert thread["latest_event"]["event_id"] == last
            assert bundled(thread["latest_event"])["m.replace"]["event_id"] == edited
    alice.put("rooms", room, "redact", last, "r", json={})
    assert bundled(carol.event(room, root))["m.thread"]["count"] == 1
    # Who is ignored is not counted.
    carol.put("user", carol.user, "account_data", "m.ignored_user_list", json={"ignored_users": {alice.user: {}}})
    assert "m.thread" not in bundled(carol.event(room, root))
    assert relations(carol, room, root)["chunk"] == []


@pytest.mark.only_chappe(reason="Synapse leaves out threads that ignored users began")
def test_threads_of_a_room(alice, bob, carol, room):
    roots = [alice.say(room, f"root {number}") for number in range(4)]
    for root in roots[:3]:
        relate(alice, room, root, "m.thread")
    relate(bob, room, roots[0], "m.thread")

    def listed(client, **params):
        return client.get("rooms", room, "threads", base=V1, params=params)

    everything = listed(bob)
    assert ids(everything["chunk"]) == [roots[0], roots[2], roots[1]] and "next_batch" not in everything
    assert bundled(everything["chunk"][0])["m.thread"]["count"] == 2
    first = listed(bob, limit=2)
    assert ids(first["chunk"]) == [roots[0], roots[2]]
    assert ids(listed(bob, limit=2, **{"from": first["next_batch"]})["chunk"]) == [roots[1]]
    assert ids(listed(bob, include="participated")["chunk"]) == [roots[0]]
    assert ids(listed(alice, include="participated")["chunk"]) == [roots[0], roots[2], roots[1]]
    reply = relate(bob, room, roots[3], "m.thread")
    assert ids(listed(alice)["chunk"]) == [roots[3], roots[0], roots[2], roots[1]]
    bob.put("rooms", room, "redact", reply, "r", json={})
    assert ids(listed(alice)["chunk"]) == [roots[0], roots[2], roots[1]]
    carol.refused("M_FORBIDDEN", 403, "GET", "rooms", room, "threads", base=V1)
    carol.refused("M_FORBIDDEN", 403, "GET", "rooms", "!nowhere:example.org", "threads", base=V1)
    alice.refused("M_INVALID_PARAM", 400, "GET", "rooms", room, "threads", base=V1, params={"include": "some"})
    # Somebody ignored has begun a thread: it is there, without their words.
    bob.put("user", bob.user, "account_data", "m.ignored_user_list", json={"ignored_users": {alice.user: {}}})
    hidden = listed(bob)["chunk"]
    assert ids(hidden) == [roots[0]] or hidden[0]["content"] == {}


def test_a_reaction_is_sent_once(alice, bob, room):
    event = alice.say(room, "liked")
    first = react(bob, room, event, "👍", transaction="like")
    assert react(bob, room, event, "👍", transaction="like") == first, "sent again is no second one"
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": "👍"}}
    bob.refused("M_DUPLICATE_ANNOTATION", 400, "PUT", "rooms", room, "send", "m.reaction", "again", json=content)
    react(alice, room, event, "👍")
    react(bob, room, event, "👎")
    bob.put("rooms", room, "redact", first, "r", json={})
    assert react(bob, room, event, "👍") != first


def test_a_thread_does_not_begin_in_a_thread(alice, bob, room):
    root = alice.say(room, "root")
    reply = relate(bob, room, root, "m.thread")
    content = {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": reply}}
    alice.refused("M_UNKNOWN", 400, "PUT", "rooms", room, "send", "m.room.message", "t", json=content)
    elsewhere = alice.create_room()
    content["m.relates_to"]["event_id"] = alice.say(elsewhere, "elsewhere")
    alice.refused("M_UNKNOWN", 400, "PUT", "rooms", room, "send", "m.room.message", "t2", json=content)


def test_events_that_others_relate_to_are_filtered_for(alice, bob, room):
    plain, liked, threaded = (alice.say(room, body) for body in ("plain", "liked", "threaded"))
    react(bob, room, liked, "👍")
    relate(alice, room, threaded, "m.thread")

    def paged(**wanted):
        import json

        return ids(alice.messages(room, filter=json.dumps(wanted))["chunk"])

    assert paged(related_by_rel_types=["m.thread"]) == [threaded]
    assert paged(related_by_rel_types=["m.thread", "m.annotation"]) == [threaded, liked]
    assert paged(related_by_senders=[bob.user]) == [liked]
    assert paged(related_by_senders=[bob.user], related_by_rel_types=["m.thread"]) == []


@pytest.mark.only_chappe(reason="Synapse tells them")
def test_who_has_left_is_told_of_no_edits_since(alice, bob, room):
    event = alice.say(room, "first")
    edit(alice, room, event, "while bob was there")
    bob.leave(room)
    edit(alice, room, event, "behind bob's back")
    assert bundled(alice.event(room, event))["m.replace"]["content"]["m.new_content"]["body"] == "behind bob's back"
    assert "behind" not in bob.request("GET", path("rooms", room, "event", event)).text


@pytest.mark.only_chappe(reason="an experiment that Synapse has to be configured for")
def test_threads_are_followed(alice, bob, carol, room):
    root = alice.say(room, "root")
    other = alice.say(room, "other root")

    def subscription(client, method, thread=root, expect=200, **body):
        where = path("rooms", room, "thread", thread, "subscription", base="/_matrix/client/unstable/io.element.msc4306")
        options = {"json": body} if method == "PUT" else {}
        return client.request(method, where, expect=expect, schema=False, **options).json()

    assert subscription(bob, "GET", expect=404)["errcode"] == "M_NOT_FOUND"
    reply = relate(alice, room, root, "m.thread")
    assert subscription(bob, "PUT", automatic=reply) == {}
    assert subscription(bob, "GET") == {"automatic": True}
    assert subscription(bob, "PUT") == {}
    assert subscription(bob, "GET") == {"automatic": False}
    subscription(bob, "PUT", automatic=reply)
    assert subscription(bob, "GET") == {"automatic": False}, "what one has said oneself stands"
    assert subscription(bob, "DELETE") == {}
    subscription(bob, "GET", expect=404)
    conflict = subscription(bob, "PUT", automatic=reply, expect=409)
    assert conflict["errcode"] == "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION"
    subscription(bob, "PUT", automatic=relate(alice, room, root, "m.thread"))
    assert subscription(bob, "GET") == {"automatic": True}
    wrong = subscription(bob, "PUT", thread=other, automatic=reply, expect=400)
    assert wrong["errcode"] == "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD"
    for method in ("GET", "PUT", "DELETE"):
        subscription(carol, method, expect=404)
