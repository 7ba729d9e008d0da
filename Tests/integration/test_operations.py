"""What is said of the specification's operations, and of its events, holds of this very run. It comes after all other tests."""

import difflib

import pytest
from harness.operations import APIS, NOT_SERVED, RUN, TABLE, remembered, rendered, serving
from harness.schema import SERVER_WRITTEN, checked_events, served_operations, specification

pytestmark = [
    pytest.mark.only_chappe(reason="it is about Chappe's files"),
    pytest.mark.skipif(not specification().available, reason="the specification's data is not there"),
]


def test_the_table_of_operations_is_up_to_date(request):
    text = rendered(RUN.updated(remembered()))
    if request.config.getoption("--write-operations"):
        TABLE.write_text(text)
    written = TABLE.read_text() if TABLE.exists() else ""
    (was, tests_were), (now, tests_are) = parted(written), parted(text)
    changes = [line[:300] for line in difflib.unified_diff(was, now, lineterm="", n=0)]
    assert was == now, "OPERATIONS.md is stale; `make operations` writes it:\n" + "\n".join(changes[:20])
    # Which tests call an operation may differ by what happens meanwhile; that one does may not.
    lost = [row for row, tests in tests_were.items() if tests != "–" and tests_are[row] == "–"]
    assert not lost, lost


def parted(table: str) -> tuple[list[str], dict[str, str]]:
    """The lines without the tests that they name, and these by what is left of the line."""
    lines, tests = [], {}
    for line in table.splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            line, named = line[:-2].rsplit(" | ", 1)
            tests[line] = named
        lines.append(line)
    return lines, tests


@pytest.mark.parametrize("api", APIS)
def test_every_operation_has_a_file(api):
    files = serving(api)
    missing = [operation.name for operation in served_operations(api) if operation.name not in files]
    # What the client API lacks, test_specification knows.
    assert api == "client-server" or set(missing) <= NOT_SERVED.keys(), missing


def test_every_event_that_a_server_writes_was_checked():
    if not RUN.is_whole:
        pytest.skip("only some tests were chosen")
    assert checked_events >= SERVER_WRITTEN, f"no test has seen {sorted(SERVER_WRITTEN - checked_events)}"
