"""Adds up the results of Swift Testing and pytest, from their JUnit files, and prints "N passed, N failed" last.

A runner that failed without reporting a failed test (it crashed, or could not start) counts as one failure, so that
nothing that went wrong can be summed away.
"""

import sys
from glob import glob
from pathlib import Path
from xml.etree import ElementTree


def count(pattern: str, status: int, name: str) -> tuple[int, int]:
    """Passed and failed tests in the JUnit files that match, given the runner's exit status."""
    tests = failed = skipped = 0
    for path in glob(pattern):
        # By test: the sums that the files give count a test twice that failed twice.
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            tests += 1
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is not None:
                skipped += 1
    if status != 0 and failed == 0:
        print(f"{name} ended with status {status} and no failed test: counted as one failure")
        tests, failed = tests + 1, 1
    if tests == 0:
        print(f"{name} ran no test: counted as one failure")
        tests, failed = 1, 1
    print(f"{name}: {tests - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return tests - failed - skipped, failed


def main() -> int:
    results = Path(".test")
    swift = count(str(results / "swift-tests*.xml"), int(sys.argv[1]), "Swift Testing")
    python = count(str(results / "pytest*.xml"), int(sys.argv[2]), "pytest")
    failed = swift[1] + python[1]
    print(f"{swift[0] + python[0]} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
