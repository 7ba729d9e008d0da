"""What is not part of the room's history: who is typing, who has read what, who is there."""

from harness.rooms import arrives, becomes
from harness.waiting import eventually


def ephemeral(sync, room, kind):
    """The contents of the room's ephemeral events of a type."""
    events = sync.get("rooms", {}).get("join", {}).get(room, {}).get("ephemeral", {}).get("events", [])
    return [event["content"] for event in events if event["type"] == kind]


def test_typing(alice, bob, room):
    for typist, reader in ((alice, bob), (bob, alice)):
        since = reader.sync()["next_batch"]
        typist.put("rooms", room, "typing", typist.user, json={"typing": True, "timeout": 30_000})
        (_, since) = reader.sync_until(
            lambda sync: any(typist.user in content["user_ids"] for content in ephemeral(sync, room, "m.typing")), since
        )
        typist.put("rooms", room, "typing", typist.user, json={"typing": False})
        reader.sync_until(
            lambda sync: any(typist.user not in content["user_ids"] for content in ephemeral(sync, room, "m.typing")), since
        )


def test_receipts(alice, bob, room):
    for writer, reader in ((alice, bob), (bob, alice)):
        event = writer.say(room, "Read me")
        arrives(reader, room, event)
        since = writer.sync()["next_batch"]
        reader.post("rooms", room, "receipt", "m.read", event)

        def read(sync):
            return any(reader.user in content.get(event, {}).get("m.read", {}) for content in ephemeral(sync, room, "m.receipt"))

        writer.sync_until(read, since)


def test_private_receipts_stay_at_home(alice, bob, room):
    first, second = alice.say(room, "one"), alice.say(room, "two")
    arrives(bob, room, second)
    since, seen = alice.sync()["next_batch"], []
    bob.post("rooms", room, "receipt", "m.read.private", second)
    bob.post("rooms", room, "receipt", "m.read", first)

    def public(sync):
        seen.extend(ephemeral(sync, room, "m.receipt"))
        return any(bob.user in content.get(first, {}).get("m.read", {}) for content in seen)

    alice.sync_until(public, since)
    assert not any("m.read.private" in kinds for content in seen for kinds in content.values())


def test_presence(alice, bob, dave, room):
    becomes(alice, room, bob.user, "join")

    def presence(sync, of):
        return [event["content"] for event in sync.get("presence", {}).get("events", []) if event["sender"] == of.user]

    for teller, reader in ((bob, alice), (alice, bob)):
        since = reader.sync()["next_batch"]
        text = f"In the meeting, says {teller.user}"
        # Dave shares no room with anybody: of him nothing is told.
        if teller is bob:
            dave.put("presence", dave.user, "status", json={"presence": "online", "status_msg": "alone"})
        teller.put("presence", teller.user, "status", json={"presence": "unavailable", "status_msg": text})
        seen = []

        def told(sync):
            seen.extend(presence(sync, teller))
            assert not presence(sync, dave)
            return any(content.get("status_msg") == text and content["presence"] == "unavailable" for content in seen)

        reader.sync_until(told, since)
    told = f"In the meeting, says {bob.user}"
    eventually(lambda: alice.get("presence", bob.user, "status").get("status_msg") == told, what="presence when asked")
