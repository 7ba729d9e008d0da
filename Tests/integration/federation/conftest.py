"""Fixtures: pairs of servers that federate, which the whole run shares, and people on either side.

`alice` and `carol` are on the server where rooms are made; `bob` and `dave`, on the other.
"""

import functools

import pytest
from harness import conferences
from harness.clients import Client, register
from harness.federation import FEDERATING, HOSTS, Authority, Pair, room_versions
from harness.servers import RUNNING


def pytest_generate_tests(metafunc):
    if "pair" not in metafunc.fixturenames:
        return
    pairs = [tuple(pair.split("-")) for pair in metafunc.config.getoption("--pair").split(",")]
    if "version" in metafunc.fixturenames:
        cases = [(pair, version) for pair in pairs for version in room_versions(pair)]
        ids = [f"{'-'.join(pair)}-v{version}" for pair, version in cases]
        metafunc.parametrize(("pair", "version"), cases, ids=ids, indirect=["pair"])
    else:
        metafunc.parametrize("pair", pairs, ids=["-".join(pair) for pair in pairs], indirect=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def outside():
    """Visio and LiveKit, which every Chappe of the run uses."""
    with conferences.running() as both:
        yield both


@pytest.fixture(scope="session")
def federating_server(request, authority, outside, tmp_path_factory):
    """A function that gives the run's first or second server of a kind, started when it is first asked for.

    The second Chappe is on PostgreSQL: so the pair of two Chappes has an engine on each side.
    """

    @functools.cache
    def get(kind: str, number: int):
        engine = request.config.getoption("--engine") or ("postgres" if (kind, number) == ("chappe", 1) else "sqlite")
        database = "sqlite" if engine == "sqlite" else request.getfixturevalue("postgres_cluster").create_database()
        directory = tmp_path_factory.mktemp(f"federating-{kind}-{number}")
        settings = conferences.settings(outside) if kind == "chappe" else None
        server = FEDERATING[kind](directory, database, authority, HOSTS[number], settings)
        RUNNING.append(server)
        made.append(server)
        return server.start()

    made = []
    yield get
    for server in made:
        server.finish()


@pytest.fixture
def pair(request, federating_server):
    """Two servers in touch with each other. They must be running after the test too."""
    here, there = request.param
    # Of two kinds, each one's first server takes both parts by turns.
    pair = Pair(federating_server(here, 0), federating_server(there, 1 if here == there else 0))
    for server in pair.both:
        server.passes_on_null = "synapse" in (here, there)
        server.gate.open()
        if server.process.poll() is not None:
            server.start()
    yield pair
    dead = [server for server in pair.both if server.process.poll() is not None]
    assert not dead, f"died: {[(server.kind, server.process.returncode) for server in dead]}"


@pytest.fixture
def person(pair, fresh_name):
    """A function that registers somebody on one of the two: `person("erin", pair.there)`."""
    opened: list[Client] = []

    def make(stem: str, server) -> Client:
        client = register(server, fresh_name(stem))
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def alice(person, pair):
    return person("alice", pair.here)


@pytest.fixture
def carol(person, pair):
    return person("carol", pair.here)


@pytest.fixture
def bob(person, pair):
    return person("bob", pair.there)


@pytest.fixture
def dave(person, pair):
    return person("dave", pair.there)


@pytest.fixture
def room(alice, bob):
    """A public room of alice's that bob has joined."""
    room = alice.create_room(preset="public_chat")
    bob.join_via(room, alice)
    return room
