"""Relations of events that come from another server, as they happen and as history."""

from harness.clients import V1
from harness.rooms import arrives, becomes
from harness.waiting import eventually


def relate(client, room, target, kind, **content):
    message = {"msgtype": "m.text", "body": "related", "m.relates_to": {"rel_type": kind, "event_id": target}, **content}
    return client.send(room, message)


def children(client, room, target):
    page = client.get("rooms", room, "relations", target, base=V1)
    return {event["event_id"] for event in page["chunk"]}


def test_relations_come_with_events(alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")
    root = alice.say(room, "root")
    arrives(bob, room, root)
    reply = relate(alice, room, root, "m.thread")
    edit = relate(alice, room, root, "m.replace", **{"m.new_content": {"msgtype": "m.text", "body": "edited"}})
    arrives(bob, room, edit)
    assert children(bob, room, root) == {reply, edit}
    told = bob.event(room, root)["unsigned"]["m.relations"]
    assert told["m.thread"]["count"] == 1 and told["m.replace"]["event_id"] == edit
    alice.put("rooms", room, "redact", reply, "r", json={})
    eventually(lambda: children(bob, room, root) == {edit}, what="the redacted reply relates to nothing")


def test_relations_come_with_history(alice, bob):
    room = alice.create_room(preset="public_chat")
    root = alice.say(room, "root")
    replies = {relate(alice, room, root, "m.thread") for _ in range(3)}
    for number in range(30):
        alice.say(room, f"message {number}")
    bob.join_via(room, alice)
    becomes(alice, room, bob.user, "join")

    def is_there():
        return root in [event["event_id"] for event in bob.all_messages(room, page=50)]

    eventually(is_there, what="the history")
    assert children(bob, room, root) == replies
    threads = bob.get("rooms", room, "threads", base=V1)["chunk"]
    assert [event["event_id"] for event in threads] == [root]
    assert threads[0]["unsigned"]["m.relations"]["m.thread"]["count"] == 3
