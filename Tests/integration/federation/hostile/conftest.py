"""Fixtures: one server under attack, and a peer that attacks it. After each attack the server must be as it was before."""

import pytest
from harness.clients import register
from harness.peer import Peer
from harness.servers import memory_bytes
from harness.waiting import eventually

#: By how much an attack may make the server grow. Far less than what the attacks send, had it been kept.
MOST_GROWTH_BYTES = 250 << 20

#: How long a message of people who have nothing to do with an attack may take meanwhile.
BYSTANDER_SECONDS = 60


@pytest.fixture
def target(request, federating_server):
    """The server under attack (`--server`). It must be running afterwards, have kept its size, and serve others all the time."""
    server = federating_server(request.config.getoption("--server"), 0)
    server.gate.open()
    if server.process.poll() is not None:
        server.start()
    before = memory_bytes(server.process)
    yield server
    assert server.process.poll() is None, f"the server died with {server.process.returncode}"
    grown = memory_bytes(server.process) - before
    assert grown < MOST_GROWTH_BYTES, f"grown by {grown >> 20} MiB"


@pytest.fixture
def person(target, fresh_name):
    """A function that registers somebody on the server under attack."""
    opened = []

    def make(stem: str):
        opened.append(register(target, fresh_name(stem)))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def alice(person):
    return person("alice")


@pytest.fixture
def peer(authority, tmp_path):
    peer = Peer(authority, tmp_path)
    yield peer
    peer.close()


@pytest.fixture
def mallory(peer):
    """The attacker's user ID."""
    return peer.user("mallory")


@pytest.fixture
def room(alice):
    """A public room of alice's, of version 11."""
    return alice.create_room(preset="public_chat", room_version="11", name="Honest")


@pytest.fixture
def known(peer, target, room, mallory):
    """What the peer knows of alice's room, which mallory has joined."""
    return peer.join(target, room, mallory, "11")


@pytest.fixture(autouse=True)
def others_go_on(person):
    """People in another room of the server, who must be served after the attack as before it."""
    erin = person("erin")
    elsewhere = erin.create_room(preset="public_chat")
    yield
    event = erin.say(elsewhere, "Life goes on")
    eventually(lambda: event in [seen["event_id"] for seen in erin.messages(elsewhere)["chunk"]], BYSTANDER_SECONDS)
