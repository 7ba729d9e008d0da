"""Reads the project's own source and holds it to the rules that a compiler does not know.

Every rule names the offending file and line, so that a failure says what to change. The folders and what each may import
are those of ARCHITECTURE.md.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: A file longer than this holds more than one idea.
LONGEST_FILE_LINES = 600

#: What each of our modules may import of ours. Imports go down only.
LAYERS: dict[str, set[str]] = {
    "Matrix": set(),
    "RoomEngine": {"Matrix"},
    "Database": set(),
    "Schema": {"Database"},
    "Store": {"Matrix", "Database", "Schema"},
    "Homeserver": {"Matrix", "RoomEngine", "Store"},
    "Web": {"Matrix"},
    "ClientAPI": {"Matrix", "Store", "Homeserver", "Web"},
    "AdminAPI": {"Matrix", "Store", "Homeserver", "Web"},
    "NameLookup": set(),
    "Adapters": {"Matrix", "Store", "Homeserver", "NameLookup"},
    "FederationWire": {"Matrix"},
    "FederationInbound": {"Matrix", "RoomEngine", "FederationWire", "Store", "Homeserver", "Web"},
    "FederationOutbound": {"Matrix", "FederationWire", "Homeserver", "Store", "Database", "NameLookup"},
}

#: The executable wires everything together.
EVERYTHING = {"chappe"}

#: Modules that take time and chance as arguments, so that they can be replayed and simulated.
PURE_MODULES = ("Matrix", "RoomEngine", "Store", "Homeserver", "ClientAPI")


def project_files() -> list[Path]:
    """Files that are or would be committed, apart from deleted ones."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return [path for line in listing.splitlines() if (path := ROOT / line).is_file()]


def swift_modules() -> dict[str, list[Path]]:
    """The Swift files of each module that ships: those under Sources, Federation and Schema."""
    modules: dict[str, list[Path]] = {}
    for path in project_files():
        parts = path.relative_to(ROOT).parts
        if path.suffix != ".swift":
            continue
        if parts[0] == "Sources":
            modules.setdefault(parts[1], []).append(path)
        elif parts[0] == "Federation":
            modules.setdefault("Federation" + parts[1], []).append(path)
        elif parts[0] == "Schema":
            modules.setdefault("Schema", []).append(path)
    return modules


def shipped_swift() -> list[Path]:
    return [path for files in swift_modules().values() for path in files]


def text_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []  # test data in other encodings


def code_lines(path: Path) -> list[tuple[int, str]]:
    """Numbered lines without comments and without what string literals say."""
    lines = []
    for number, line in enumerate(text_lines(path), start=1):
        line = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
        lines.append((number, re.sub(r"//.*", "", line)))
    return lines


def offences(paths: list[Path], pattern: str, *, in_code: bool) -> list[str]:
    """Where the pattern occurs, as file:line: text."""
    found = []
    for path in paths:
        lines = code_lines(path) if in_code else list(enumerate(text_lines(path), start=1))
        for number, line in lines:
            if re.search(pattern, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_the_source_is_where_these_rules_look():
    # Every other test here would pass on an empty list.
    modules = swift_modules()
    assert {"Matrix", "Store", "ClientAPI", "chappe"} <= modules.keys()


def test_no_path_of_a_machine():
    folders = "|".join(("work", "farm", "root", "home"))
    found = offences(project_files(), rf"(?<![A-Za-z0-9_.$~}}])/(?:{folders})/", in_code=False)
    assert not found, "\n".join(found)


def test_no_file_is_too_long():
    found = [
        f"{path.relative_to(ROOT)}: {length} lines"
        for path in project_files()
        if path.suffix in (".swift", ".py", ".sh", ".sql", ".h", ".c")
        and (length := len(text_lines(path))) > LONGEST_FILE_LINES
    ]
    assert not found, "\n".join(found)


def test_nothing_traps_on_purpose():
    found = offences(shipped_swift(), r"\btry!|\bfatalError\b|\bas!|\bunsafelyUnwrapped\b", in_code=True)
    assert not found, "\n".join(found)


def test_no_unfinished_work_is_marked():
    words = "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "not " + "implemented"))
    found = offences(shipped_swift(), rf"\b(?:{words})\b", in_code=False)
    assert not found, "\n".join(found)


def test_every_endpoint_links_its_specification():
    missing = []
    for path in swift_modules()["ClientAPI"]:
        text = path.read_text(encoding="utf-8")
        if re.search(r": Endpoint \{", text) and not re.search(r"https://(spec\.matrix\.org|github\.com/matrix-org/matrix-spec-proposals)/", text):
            missing.append(str(path.relative_to(ROOT)))
    assert not missing, "no link to the specification in:\n" + "\n".join(missing)


@pytest.mark.parametrize("module", sorted(LAYERS))
def test_imports_go_down_only(module):
    found = []
    for path in swift_modules().get(module, []):
        for number, line in code_lines(path):
            match = re.match(r"\s*(?:@\w+(?:\(\w+\))?\s+|public\s+|internal\s+|package\s+)*import\s+(?:\w+\s+)?(\w+)", line)
            if match and match[1] in LAYERS.keys() | EVERYTHING and match[1] not in LAYERS[module]:
                found.append(f"{path.relative_to(ROOT)}:{number}: {module} may not import {match[1]}")
    assert not found, "\n".join(found)


def test_every_module_has_a_layer():
    unknown = swift_modules().keys() - LAYERS.keys() - EVERYTHING
    assert not unknown, f"modules without a row in LAYERS: {sorted(unknown)}"


@pytest.mark.parametrize("module", PURE_MODULES)
def test_time_and_chance_are_arguments(module):
    pattern = (
        r"\bDate\(\)|\bDate\.now\b|(?:Continuous|Suspending)Clock(?:\(\))?\.now|SystemRandomNumberGenerator"
        r"|\.random\(in:|\.randomElement\(\)|\bUUID\(\)|\bclock_gettime\b|\bgettimeofday\b"
    )
    # A generator that was handed in is an argument: `.random(in: range, using: &generator)`.
    found = [
        offence for offence in offences(swift_modules().get(module, []), pattern, in_code=True) if "using:" not in offence
    ]
    assert not found, "\n".join(found)


def test_migrations_are_numbered_without_gaps():
    numbers: dict[int, list[str]] = {}
    for path in project_files():
        inside = path.relative_to(ROOT)
        if inside.parts[0] == "Schema" and (match := re.match(r"(\d+)[-_ ]", path.name)):
            numbers.setdefault(int(match[1]), []).append(str(inside))
    twice = {number: files for number, files in numbers.items() if len(files) > 1}
    assert not twice, f"one number, several migrations: {twice}"
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), f"numbers are not contiguous: {sorted(numbers)}"


def test_shell_scripts_parse():
    scripts = [path for path in project_files() if path.suffix == ".sh" or path.relative_to(ROOT) == Path(".ci/run")]
    assert scripts
    for script in scripts:
        result = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr


def test_nothing_generated_is_committed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    generated = [name for name in tracked if re.match(r"(\.build|\.test|\.bench|demo)/|Package\.resolved$", name)]
    assert not generated, generated
