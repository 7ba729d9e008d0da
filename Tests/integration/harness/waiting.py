"""Waiting for what other processes do: bounded polling, never a fixed sleep."""

import time
from typing import Callable, TypeVar

Found = TypeVar("Found")

#: How long what crosses from one server to another may take. Generous: the suite runs on busy machines.
SECONDS = 30


def eventually(look: Callable[[], Found], seconds: float = SECONDS, what: str = "") -> Found:
    """Looks again and again until something true is found, and returns it.

    An `AssertionError` of `look` counts as nothing found; the last one is raised when the time is over.
    """
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        problem = None
        try:
            if found := look():
                return found
        except AssertionError as error:
            problem = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not after {seconds} s: {what or getattr(look, '__name__', look)}") from problem
        time.sleep(pause)
        pause = min(pause * 1.5, 0.3)
