"""Checks responses against the response schemas of the Matrix specification (its OpenAPI data).

The data is not part of this repository: it is read from `CHAPPE_MATRIX_SPEC`, or from `shared/matrix-spec/data` beside
the checkout. Where it is missing, responses are not checked, and the test run says so at its end.
"""

import functools
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).resolve().parents[3]

METHODS = ("get", "put", "post", "delete", "patch", "head")

#: Every Matrix error, whatever the endpoint.
ERROR_SCHEMA = {
    "type": "object",
    "required": ["errcode", "error"],
    "properties": {"errcode": {"type": "string", "pattern": "^[A-Z]+(\\.[A-Z]+)*_[A-Z0-9_]+$"}, "error": {"type": "string"}},
}

#: Events that a server writes, or whose content it writes from a request's fields. Wherever they are told, they are checked.
SERVER_WRITTEN = {
    "m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility",
    "m.room.guest_access", "m.room.name", "m.room.topic", "m.room.canonical_alias", "m.room.tombstone", "m.room.encryption",
    "m.room.redaction",
    "m.receipt", "m.typing", "m.fully_read", "m.tag", "m.push_rules", "m.presence",
}

#: What an event of the server's may be other than its schema says: kind and place of each deviation, and why.
EVENT_DEVIATIONS: dict[tuple[str, str], str] = {}

#: The kinds of events that this run has seen and checked.
checked_events: set[str] = set()

#: Operations whose answers other servers fill with nulls, and whose clients (and Sytest) want the keys to be there.
NULLS_EXPECTED = {"getJoinedMembersByRoom"}

#: Templates of events that others finish: no server says in them any more where they come from.
TEMPLATES = {"makeJoin", "makeKnock", "makeLeave"}

formats = FormatChecker(formats=[])
for name, pattern in {
    "mx-user-id": r"@[^:\0]*:.+",
    # Rooms of version 12 and later have an ID without a server name.
    "mx-room-id": r"![^\0]+",
    "mx-event-id": r"\$[^\0]+",
    "mx-room-alias": r"#[^:\0]*:.+",
    "mx-mxc-uri": r"mxc://[^/]+/[A-Za-z0-9_-]+",
    "mx-server-name": r"[A-Za-z0-9.:\[\]-]+",
}.items():
    formats.checks(name)(
        lambda value, pattern=pattern: not isinstance(value, str) or value == "" or re.fullmatch(pattern, value) is not None
    )


class SchemaMismatch(AssertionError):
    """A response is not what the specification says."""


class UnknownOperation(AssertionError):
    """A request to an endpoint that the specification does not have."""


@dataclass(frozen=True)
class Operation:
    """One method of one path: `name` is its operationId."""

    name: str
    method: str
    path: re.Pattern
    literals: int
    file: Path
    pointer: str
    responses: dict

    def __str__(self) -> str:
        return self.name


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def _data_folder() -> Path | None:
    candidates = []
    if folder := os.environ.get("CHAPPE_MATRIX_SPEC"):
        candidates.append(Path(folder))
    # A linked work tree has its repository, and so what lies beside it, elsewhere.
    common = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"], cwd=ROOT, capture_output=True, text=True
    )
    for checkout in [ROOT] + ([Path(common.stdout.strip()).parent] if common.returncode == 0 else []):
        candidates.append(checkout.parent / "shared" / "matrix-spec" / "data")
    return next((path for path in candidates if (path / "api" / "client-server").is_dir()), None)


class Specification:
    """The operations of one API (`client-server`, `server-server` or `application-service`), by method and path."""

    def __init__(self, folder: Path | None, api: str):
        self.folder = folder
        self.operations: list[Operation] = []
        self.registry = Registry(retrieve=self._retrieve)
        self._documents: dict[Path, Any] = {}
        self._validators: dict[str, Draft202012Validator] = {}
        if folder is not None:
            for path in sorted((folder / "api" / api).glob("*.yaml")):
                self._read(path)
            # The most literal path wins: /keys/query is not /keys/{something}.
            self.operations.sort(key=lambda operation: -operation.literals)

    @property
    def available(self) -> bool:
        return self.folder is not None

    def _retrieve(self, uri: str):
        return DRAFT202012.create_resource(self._document(Path(uri.removeprefix("file://"))))

    def _document(self, path: Path) -> Any:
        if path not in self._documents:
            self._documents[path] = _load(path)
        return self._documents[path]

    def _read(self, path: Path) -> None:
        document = self._document(path)
        base = document["servers"][0]["variables"]["basePath"]["default"]
        for template, methods in document["paths"].items():
            for method in METHODS:
                if method not in methods:
                    continue
                whole = base + template
                # The last parameter may be empty (a state key), and then its slash may be missing too.
                pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(whole))
                if whole.endswith("/{stateKey}"):
                    pattern = pattern.removesuffix("/[^/]+") + "(/[^/]*)?"
                self.operations.append(
                    Operation(
                        name=methods[method]["operationId"],
                        method=method.upper(),
                        path=re.compile(pattern),
                        literals=len(re.sub(r"\{[^}]*\}", "", whole)),
                        file=path,
                        pointer=f"/paths/{_escaped(template)}/{method}",
                        responses=methods[method]["responses"],
                    )
                )

    def operation(self, method: str, path: str) -> Operation:
        """The operation for a request; `path` percent-encoded, without the query."""
        for operation in self.operations:
            if operation.method == method and operation.path.fullmatch(path):
                return operation
        raise UnknownOperation(f"the specification has no {method} {path}")

    def namesakes(self, operation: Operation) -> list[str]:
        """The names of the operations that have a request's method and path: only what is sent tells them apart."""
        return [
            other.name for other in self.operations
            if (other.method, other.path.pattern) == (operation.method, operation.path.pattern)
        ]

    def _validator(self, operation: Operation, status: str) -> Draft202012Validator | None:
        """What validates a body with this status; none where the specification does not describe one."""
        pointer = f"{operation.pointer}/responses/{status}"
        described = operation.responses[status]
        file = operation.file
        if "$ref" in described:
            reference_file, _, pointer = described["$ref"].partition("#")
            if reference_file:
                file = (operation.file.parent / reference_file).resolve()
            described = self._document(file)
            for token in pointer.strip("/").split("/"):
                described = described[token]
        media = described.get("content", {}).get("application/json")
        if not media or "schema" not in media:
            return None
        address = f"file://{file}#{pointer}/content/application~1json/schema"
        if address not in self._validators:
            self._validators[address] = Draft202012Validator(
                {"$ref": address}, registry=self.registry, format_checker=formats
            )
        return self._validators[address]

    def check_request(self, operation: Operation, body: Any) -> None:
        """Raises `SchemaMismatch` unless this is a request that the operation may be made with. `body` is decoded JSON, or None."""
        document = self._document(operation.file)
        _, template, method = operation.pointer.strip("/").split("/")
        described = document["paths"][template.replace("~1", "/").replace("~0", "~")][method].get("requestBody")
        if described is None:
            if body is not None:
                raise SchemaMismatch(f"{operation} takes no body")
            return
        address = f"file://{operation.file}#{operation.pointer}/requestBody/content/application~1json/schema"
        if address not in self._validators:
            self._validators[address] = Draft202012Validator(
                {"$ref": address}, registry=self.registry, format_checker=formats
            )
        problems = list(self._validators[address].iter_errors(body))
        if problems:
            listed = "\n".join(f"  {problem.json_path}: {problem.message[:300]}" for problem in problems[:8])
            raise SchemaMismatch(f"a request of {operation} does not fit its schema:\n{listed}")

    def check(self, operation: Operation, status: int, content_type: str, body: Any, tolerates_null: bool = False) -> None:
        """Raises `SchemaMismatch` unless this is an answer the operation may give. `body` is decoded JSON, or None.

        `tolerates_null` is for Synapse, which writes null where the specification wants a key left out.
        """
        declared = str(status) in operation.responses
        if status < 400 and not declared:
            raise SchemaMismatch(f"{operation} does not answer {status}")
        validators = []
        if declared and (validator := self._validator(operation, str(status))) is not None:
            validators.append(validator)
        if status >= 400 and status != 401:  # user-interactive authentication answers 401 without an errcode
            validators.append(Draft202012Validator(ERROR_SCHEMA))
        if status == 200:
            self.check_events(operation, body, tolerates_null)
        if not validators:
            return
        if content_type.split(";")[0].strip() != "application/json":
            raise SchemaMismatch(f"{operation} {status}: Content-Type is {content_type!r}")
        for validator in validators:
            problems = sorted(validator.iter_errors(body), key=lambda error: list(map(str, error.absolute_path)))
            if tolerates_null or operation.name in NULLS_EXPECTED:
                problems = [problem for problem in problems if problem.instance is not None]
            if operation.name in TEMPLATES:
                problems = [problem for problem in problems if problem.message != "'origin' is a required property"]
            if problems:
                listed = "\n".join(f"  {problem.json_path}: {problem.message[:300]}" for problem in problems[:8])
                raise SchemaMismatch(f"{operation} {status} does not fit its schema:\n{listed}")

    def check_events(self, operation: "Operation | str", part: Any, tolerates_null: bool) -> None:
        """Checks every event, wherever it is in what a server says, that a server has written: its content, and all of it where it is
        told in full. `operation` is how it was told."""
        if isinstance(part, list):
            for element in part:
                self.check_events(operation, element, tolerates_null)
        elif isinstance(part, dict):
            kind, content = part.get("type"), part.get("content")
            # A redacted event keeps little of its content.
            if isinstance(content, dict) and kind in SERVER_WRITTEN and content:
                self._check_event(operation, kind, part, tolerates_null)
            for key, element in part.items():
                if key != "content":  # what users say is theirs
                    self.check_events(operation, element, tolerates_null)

    def _check_event(self, operation: "Operation | str", kind: str, event: dict, tolerates_null: bool) -> None:
        # In syncs the room is said elsewhere; other servers, and who is not in the room yet, are told another form.
        if "event_id" in event and "origin_server_ts" in event and "auth_events" not in event:
            what, address = {"room_id": "!elsewhere", **event}, ""
        else:
            what, address = event["content"], "#/properties/content"
        address = f"file://{self.folder}/event-schemas/schema/{kind}.yaml{address}"
        if address not in self._validators:
            self._validators[address] = Draft202012Validator(
                {"$ref": address}, registry=self.registry, format_checker=formats
            )
        checked_events.add(kind)
        problems = [
            problem for problem in self._validators[address].iter_errors(what) if (kind, problem.json_path) not in EVENT_DEVIATIONS
        ]
        if tolerates_null:
            problems = [problem for problem in problems if problem.instance is not None]
        if problems:
            raise SchemaMismatch(f"{operation}: a {kind} does not fit its schema: {problems[0].json_path} {problems[0].message[:300]}")


@dataclass(frozen=True)
class ServedOperation:
    """An operation as its document names it: `path` has its parameters in braces."""

    name: str
    method: str
    path: str
    #: Whether it needs an access token; None where one may be shown.
    needs_token: bool | None


def served_operations(api: str) -> list[ServedOperation]:
    """Every operation of an API; none where the data is missing."""
    folder = _data_folder()
    found = []
    for file in sorted((folder / "api" / api).glob("*.yaml")) if folder else []:
        document = _load(file)
        base = document["servers"][0]["variables"]["basePath"]["default"]
        for template, methods in document["paths"].items():
            for method, described in methods.items():
                if method in METHODS:
                    schemes = [any("accesstoken" in name.lower() for name in scheme) for scheme in described.get("security", [])]
                    needs_token = all(schemes) if schemes and (all(schemes) or not any(schemes)) else None
                    found.append(ServedOperation(
                        described["operationId"], method.upper(), base + template, needs_token if schemes else False
                    ))
    return found


@functools.cache
def specification(api: str = "client-server") -> Specification:
    return Specification(_data_folder(), api)


def check_response(operation: Operation, response, tolerates_null: bool = False, api: str = "client-server") -> None:
    """Checks an `httpx.Response` against what its operation may answer."""
    try:
        body = response.json() if response.content else None
    except ValueError:
        body = None
    specification(api).check(operation, response.status_code, response.headers.get("content-type", ""), body, tolerates_null)
