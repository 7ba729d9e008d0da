"""Answers of a `Peer` to whatever it is asked, none of which is one."""

#: A lie of the peer's may keep its own asker waiting, but not for ever.
PATIENCE_SECONDS = 60

#: In nothing that anybody is shown may this appear.
SECRET = "What must not be seen"

_JSON = {"Content-Type": "application/json"}


def broken(asked):
    return 500, {"errcode": "M_UNKNOWN", "error": "no"}


NONSENSE = {
    "deep": lambda asked: (200, b"[" * 200_000, _JSON),
    "huge": lambda asked: (200, b'{"events":["' + b"x" * (64 << 20) + b'"]}', _JSON),
    "no JSON": lambda asked: (200, b"<html>", {"Content-Type": "text/html"}),
    "an error": broken,
    "a list": lambda asked: (200, ["a", "list"]),
    "elsewhere": lambda asked: (307, b"", {"Location": "http://127.0.0.1:1" + asked.target}),
}


def statuses(server, *specified):
    """What a client may be answered when another server has lied; Synapse gives all sorts of answers."""
    return specified if server.kind == "chappe" else range(200, 600)
