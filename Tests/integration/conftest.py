"""Fixtures: a server for each test module and database engine, and accounts on it."""

import itertools
import json
from pathlib import Path

import pytest

from harness.clients import Client, register
from harness.postgres import Cluster
from harness.operations import RUN
from harness.schema import specification
from harness.servers import KINDS, RUNNING, Server

_numbers = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption(
        "--server", choices=sorted(KINDS), default="chappe",
        help="which homeserver to test; synapse proves the tests themselves",
    )
    parser.addoption(
        "--pair", default="chappe-synapse,synapse-chappe,chappe-chappe",
        help="which homeservers federate, who makes the rooms first; several with commas; synapse-synapse proves the tests",
    )
    parser.addoption("--engine", choices=["sqlite", "postgres"], help="only this database engine")
    parser.addoption("--seed", type=int, default=1, help="seed of the tests that choose at random: the same each time, unless given")
    parser.addoption("--write-operations", action="store_true", help="bring OPERATIONS.md up to date instead of comparing it")
    parser.addoption(
        "--notes", type=Path, help="a folder that the processes of one run leave their notes in, and test_operations.py reads",
    )
    parser.addoption("--steps", type=int, default=100, help="how many steps the tests that run long take")


def pytest_configure(config):
    config.addinivalue_line("markers", "only_chappe(reason): what the test demands is Chappe's own promise")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    # It compares what the others have called.
    items.sort(key=lambda item: item.path.name == "test_operations.py")
    notes = sorted(config.getoption("--notes").glob("*.json")) if config.getoption("--notes") else []
    if notes and all(item.path.name == "test_operations.py" for item in items):
        for note in notes:
            RUN.take(json.loads(note.read_text()))
    else:
        RUN.choose(config, items)
    if config.getoption("--server") == "chappe":
        return
    for item in items:
        if mark := item.get_closest_marker("only_chappe"):
            item.add_marker(pytest.mark.skip(reason=f"only Chappe: {mark.kwargs['reason']}"))


def pytest_sessionfinish(session):
    folder = session.config.getoption("--notes")
    if folder and not any(item.path.name == "test_operations.py" for item in session.items):
        folder.mkdir(parents=True, exist_ok=True)
        name = getattr(session.config, "workerinput", {"workerid": "main"})["workerid"]
        (folder / f"{name}.json").write_text(json.dumps(RUN.written()))


def pytest_generate_tests(metafunc):
    if "engine" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--engine")
        metafunc.parametrize("engine", [chosen] if chosen else ["sqlite", "postgres"], scope="module")


def pytest_terminal_summary(terminalreporter):
    if not specification().available:
        terminalreporter.write_line(
            "The Matrix specification's data was not found: responses were not checked against its schemas. "
            "Set CHAPPE_MATRIX_SPEC to its `data` folder.",
            yellow=True,
        )


def pytest_deselected(items):
    RUN.pass_over(items)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    RUN.enter(item)
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef):
    # What many modules share is called by none of them.
    with RUN.unnoticed(fixturedef.scope == "session"):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what the servers said when a test fails."""
    outcome = yield
    report = outcome.get_result()
    if not report.passed and not hasattr(report, "wasxfail"):
        RUN.leave_out(item)
    if report.failed:
        for server in RUNNING:
            report.sections.append((f"log of {server.kind} on {server.engine}: {server.server_name}", server.log_tail()))


@pytest.fixture(scope="session")
def postgres_cluster():
    """The PostgreSQL of the whole run."""
    cluster = Cluster.of_environment() or Cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def make_server(request, tmp_path_factory):
    """A function that makes a server, not yet started: `make_server(engine, settings=…, directory=…, cluster=…)`."""
    kind = KINDS[request.config.getoption("--server")]

    def make(engine: str, *, settings: dict | None = None, directory: Path | None = None, cluster: Cluster | None = None):
        database = "sqlite"
        if engine == "postgres":
            owner = cluster or request.getfixturevalue("postgres_cluster")
            database = owner.create_database()
        server = kind(directory or tmp_path_factory.mktemp(f"{kind.kind}-{engine}"), database, settings)
        RUNNING.append(server)
        return server

    return make


@pytest.fixture(scope="module")
def server(make_server, engine):
    """A server that the tests of a module share. It must be running, and end cleanly, after the last of them."""
    server = make_server(engine).start()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log_tail()}"
    server.finish()


@pytest.fixture
def own_server(make_server, engine):
    """A server for one test, which may stop, kill and restart it."""
    server = make_server(engine).start()
    yield server
    server.finish()


@pytest.fixture
def another_server(make_server, engine):
    """A function that starts a server with settings of its own, `another_server({…})`; it ends with the test."""
    made: list[Server] = []

    def start(settings: dict | None = None) -> Server:
        made.append(make_server(engine, settings=settings))
        return made[-1].start()

    yield start
    for server in made:
        server.finish()


@pytest.fixture
def fresh_name():
    """A function that makes user names which no other test uses."""
    return lambda stem="user": f"{stem}{next(_numbers)}"


@pytest.fixture
def users(server, fresh_name):
    """A function that registers users: `alice, bob = users("alice", "bob")`."""
    opened: list[Client] = []

    def make(*stems: str) -> list[Client]:
        created = [register(server, fresh_name(stem)) for stem in stems]
        opened.extend(created)
        return created

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def alice(users):
    return users("alice")[0]


@pytest.fixture
def bob(users):
    return users("bob")[0]


@pytest.fixture
def carol(users):
    return users("carol")[0]


@pytest.fixture
def seed(request):
    """The seed of what a test chooses at random; shown when the test fails."""
    value = request.config.getoption("--seed")
    print(f"--seed {value}")
    return value


@pytest.fixture
def steps(request):
    """How many steps a test that could run for ever takes."""
    return request.config.getoption("--steps")
