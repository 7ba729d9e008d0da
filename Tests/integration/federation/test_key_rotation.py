"""A server's signing key is replaced while rooms are shared: the other server learns the new one, and old events still count."""

import pytest
from harness.rooms import arrives
from test_commands import run


def test_rotation(alice, bob, room, pair):
    chappes = [server for server in pair.both if server.kind == "chappe"]
    if not chappes:
        pytest.skip("a command of Chappe's")
    arrives(bob, room, alice.say(room, "before"))
    # A room of which the other server knows nothing yet.
    old = alice.create_room(preset="public_chat")
    alice.say(old, "signed with the old key")
    for server in chappes:
        run("federation", "rotate-key", "-c", server.directory / "chappe.yaml")
    for turn in range(4):
        speaker, listener = (alice, bob) if turn % 2 == 0 else (bob, alice)
        arrives(listener, room, speaker.say(room, f"after {turn}"))
    # Its state is signed with the key that has been given up.
    bob.join_via(old, alice)
    arrives(bob, old, alice.say(old, "signed with the new key"))
