"""Which of the specification's operations is served by which file, and which tests call it: the table in OPERATIONS.md.

Operations come from the specification's data, files from the routes that endpoints declare and that are added to the router, calls from
the integration tests as they run: every request that succeeded is noted (`called`). The table itself remembers the calls, so that a run
of some tests can bring its part up to date.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .schema import ROOT, ServedOperation, checked_events, served_operations

TABLE = ROOT / "OPERATIONS.md"
TESTS = ROOT / "Tests" / "integration"

#: The APIs that have a table: title, whether this server serves it or asks others, and where to look for that.
APIS = {
    "client-server": ("Client-server API", True, ("Sources/ClientAPI",)),
    "server-server": ("Server-server API", True, ("Federation/Inbound", "Sources/ClientAPI/Server")),
    "application-service": ("Application-service API", False, ()),
    "push-gateway": ("Push-gateway API", False, ()),
}

#: Who asks, where this server is the one that asks.
ASKING = {
    "sendTransaction": "Sources/Homeserver/AppServices/AppServiceConnection.swift",
    "ping": "Sources/Homeserver/AppServices/AppServiceQueries.swift",
    "queryUserById": "Sources/Homeserver/AppServices/AppServiceQueries.swift",
    "queryRoomByAlias": "Sources/Homeserver/AppServices/AppServiceQueries.swift",
    "getProtocolMetadata": "Sources/Homeserver/AppServices/AppServiceNetworks.swift",
    "queryUserByProtocol": "Sources/Homeserver/AppServices/AppServiceNetworks.swift",
    "queryLocationByProtocol": "Sources/Homeserver/AppServices/AppServiceNetworks.swift",
    "queryLocationByAlias": "Sources/Homeserver/AppServices/AppServiceNetworks.swift",
    "queryUserByID": "Sources/Homeserver/AppServices/AppServiceNetworks.swift",
    "notify": "Sources/Adapters/Push/PushGatewayClient.swift",
}

#: What is not served by choice.
NOT_SERVED = {
    "getWellknownPolicy": "this server is no policy server",
    "askPolicyServerToSign": "this server is no policy server",
    "queryInfo": "the two types that there are, directory and profile, have rows of their own",
}

#: The versions that routes have where an endpoint does not say.
VERSIONS = {"client": ("/_matrix/client/", ["v3", "r0"]), "media": ("/_matrix/media/", ["v3", "r0", "v1"])}


class Run:
    """What the tests of this run have called."""

    def __init__(self):
        self.calls: dict[str, set[tuple[str, str]]] = defaultdict(set)
        #: Modules of which every test has run and passed, unless they are in `partial`.
        self.modules: set[str] = set()
        self.partial: set[str] = set()
        #: Modules that choose at random, and so do not call the same each time.
        self.random: set[str] = set()
        #: Whether all tests were chosen.
        self.is_whole = True
        self._current: str | None = None

    def choose(self, config, items) -> None:
        """The tests that will run."""
        for item in items:
            self.modules.add(module_name(item))
            if "seed" in item.fixturenames:
                self.random.add(module_name(item))
        files = {str(path.relative_to(TESTS).with_suffix("")) for path in TESTS.rglob("test_*.py")}
        self.is_whole = self.is_whole and files <= self.modules | {"test_operations"}
        if any("::" in argument for argument in config.args):
            self.partial |= self.modules
            self.is_whole = False

    def leave_out(self, item) -> None:
        """A test that does not run, or does not pass."""
        self.partial.add(module_name(item))

    def pass_over(self, items) -> None:
        """Tests that were not chosen."""
        self.is_whole = False
        for item in items:
            self.leave_out(item)

    def enter(self, item) -> None:
        """A test begins."""
        self._current = module_name(item)

    @contextmanager
    def unnoticed(self, really: bool = True) -> Iterator[None]:
        """What is called meanwhile is not noted."""
        current, self._current = self._current, None if really else self._current
        yield
        self._current = current

    def call(self, api: str, operation: str) -> None:
        """Notes a call."""
        if self._current:
            self.calls[self._current].add((api, operation))

    def written(self) -> dict:
        """The notes, for another process to `take`."""
        return {
            "calls": {name: sorted(calls) for name, calls in self.calls.items()},
            "modules": sorted(self.modules), "partial": sorted(self.partial), "random": sorted(self.random),
            "is_whole": self.is_whole, "events": sorted(checked_events),
        }

    def take(self, notes: dict) -> None:
        """Adds the notes of another process that has run a part of the same tests."""
        for name, calls in notes["calls"].items():
            self.calls[name] |= {tuple(call) for call in calls}
        self.modules |= set(notes["modules"])
        self.partial |= set(notes["partial"])
        self.random |= set(notes["random"])
        self.is_whole = self.is_whole and notes["is_whole"]
        checked_events.update(notes["events"])

    def updated(self, known: dict[str, set[tuple[str, str]]]) -> dict[str, set[tuple[str, str]]]:
        """The calls that are known, with those of this run in their place."""
        made = {name: set(calls) for name, calls in known.items() if (TESTS / f"{name}.py").exists()}
        for name in self.modules:
            if name in self.partial or name in self.random:
                made[name] = made.get(name, set()) | self.calls[name]
            else:
                made[name] = self.calls[name]
        return made


#: Of the test run that this process is.
RUN = Run()


def module_name(item) -> str:
    """A test's module, as the table names it."""
    # The rules of tidiness, which run with the tests, are beside them.
    return os.path.relpath(item.path.with_suffix(""), TESTS)


def called(api: str, operation: str) -> None:
    """Notes that a test has called an operation, and got what it asked for."""
    RUN.call(api, operation)


@dataclass(frozen=True)
class ServedRoute:
    """A route as an endpoint declares it, its parameters without their names."""

    method: str
    path: str
    file: str


def _unnamed(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.strip())


def _expressions(text: str) -> list[tuple[str, str]]:
    """The endpoints of a file: name, and what its routes are."""
    found = []
    for match in re.finditer(r"struct (\w+): Endpoint \{(.*?)(?=\n(?:public )?struct |\Z)", text, re.DOTALL):
        routes = re.search(r"static let routes\b[^=]*=(.*?)(?=\n\s*(?://|static |let |struct |init|func |public |\}))", match[2], re.DOTALL)
        assert routes, f"{match[1]} declares no routes that can be read"
        found.append((match[1], routes[1]))
    return found


def _constant(name: str, text: str, folder: Path) -> str:
    """What a constant is, as its literal says: of this file, or of another."""
    pattern = rf'\blet {name.rpartition(".")[2]}\b[^=\n]*= ("[^"]*"|\[[^\]]*\])'
    texts = [text] if "." not in name else [next(iter(folder.rglob(f"{name.partition('.')[0]}.swift"))).read_text()]
    for where in texts + [path.read_text() for path in folder.rglob("*.swift")]:
        if found := re.search(pattern, where):
            return found[1]
    raise AssertionError(f"{name} is no constant that can be read")


def _value(expression: str, text: str, folder: Path) -> str:
    """A string, with what is put into it, or a constant that is one."""
    literal = expression if expression.startswith('"') else _constant(expression, text, folder)
    return re.sub(r"\\\((\w+)\)", lambda match: _value(match[1], text, folder), literal.strip('"'))


def _routes(expression: str, text: str, folder: Path) -> list[tuple[str, str]]:
    """Method and path of each route of an expression."""
    operand = r'("[^"]*"|[\w.]+)'
    found = []
    pattern = rf"\.(client|media)\(\s*\.(\w+),\s*{operand}(?:,\s*versions:\s*(\[[^\]]*\]|\w+))?"
    for kind, method, path, versions in re.findall(pattern, expression):
        base, known = VERSIONS[kind]
        if versions and not versions.startswith("["):
            versions = _constant(versions, text, folder)
        given = [_value(part.strip(), text, folder) for part in versions.strip("[]").split(",")] if versions else known
        found += [(method.upper(), f"{base}{version}{_value(path, text, folder)}") for version in given]
    for method, path in re.findall(r'\.(get|put|post|delete)\(\s*"(/[^"]*)"', expression):
        found.append((method.upper(), path))
    for method, path in re.findall(r'Route\(\.(\w+),\s*"(/[^"]*)"', expression):
        found.append((method.upper(), path))
    # A lock and a suspension have one form: AccountRestriction.
    for case, method in re.findall(r"AccountRestriction\.(\w+)\.routes\(\.(\w+)\)", expression):
        verb = {"locked": "lock", "suspended": "suspend"}[case]
        found.append((method.upper(), f"/_matrix/client/v1/admin/{verb}/{{userId}}"))
    return found


def served_routes(folders: tuple[str, ...]) -> list[ServedRoute]:
    """The routes of all endpoints in these folders, each of which must be added to the router somewhere."""
    swift = [path for folder in ("Sources", "Federation") for path in sorted((ROOT / folder).rglob("*.swift"))]
    added = set(re.findall(r"\badd\(\s*(\w+)[(<]", "\n".join(path.read_text() for path in swift)))
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.swift")):
            text = path.read_text()
            for name, expression in _expressions(text):
                assert name in added, f"{name} is an endpoint that nobody adds to the router"
                for method, where in _routes(expression, text, ROOT / folder):
                    found.append(ServedRoute(method, _unnamed(where), str(path.relative_to(ROOT))))
    return found


def serving(api: str) -> dict[str, str]:
    """The file of each operation of an API."""
    _, serves, folders = APIS[api]
    if not serves:
        return {operation.name: ASKING[operation.name] for operation in served_operations(api)}
    routes = {(route.method, route.path): route.file for route in served_routes(folders)}
    return {
        operation.name: routes[operation.method, _unnamed(operation.path)] for operation in served_operations(api)
        if (operation.method, _unnamed(operation.path)) in routes
    }


def rendered(calls: dict[str, set[tuple[str, str]]]) -> str:
    """The table, for the calls of each test module."""
    lines = [
        "# The specification's operations", "",
        "Each operation of [Matrix v1.19](https://spec.matrix.org/v1.19/), the file that serves it (or asks for it, where others serve it), and",
        "the integration tests that call it and are answered with success; `test_specification` asks of every one besides whether it is there",
        "and wants a token. Generated: `make operations` runs the integration tests and writes this file, and a test fails when it is stale.", "",
    ]
    for api, (title, serves, _) in APIS.items():
        files = serving(api)
        operations = served_operations(api)
        lines += [f"## {title}", "", f"{len(operations)} operations.", ""]
        lines += [f"| operation | request | {'served by' if serves else 'asked by'} | tests |", "|---|---|---|---|"]
        for operation in sorted(operations, key=lambda one: (one.path, one.method)):
            lines.append(_row(api, operation, files, calls))
        lines.append("")
    return "\n".join(lines)


def _row(api: str, operation: ServedOperation, files: dict[str, str], calls: dict[str, set[tuple[str, str]]]) -> str:
    callers = sorted(module for module, made in calls.items() if (api, operation.name) in made)
    if file := files.get(operation.name):
        served = f"[{Path(file).name}]({file})"
    else:
        served = f"– ({NOT_SERVED[operation.name]})" if operation.name in NOT_SERVED else "–"
    return f"| {operation.name} | {operation.method} `{operation.path.strip()}` | {served} | {', '.join(callers) or '–'} |"


def remembered() -> dict[str, set[tuple[str, str]]]:
    """The calls that the table knows of."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    titles = {title: api for api, (title, _, _) in APIS.items()}
    api = None
    for line in TABLE.read_text().splitlines() if TABLE.exists() else []:
        api = titles.get(line.removeprefix("## "), api)
        cells = [cell.strip() for cell in line.split("|")]
        if api and len(cells) == 6 and cells[1] not in ("operation", "---"):
            for module in cells[4].split(", "):
                if module != "–":
                    found[module].add((api, cells[1]))
    return found
