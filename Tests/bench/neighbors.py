"""The loads between servers: joining a large room of another server, and sending to another server.

Rooms to be joined are made on a Synapse, whichever server is measured; messages go to a server of the measured kind.
"""

import contextlib
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from harness.federation import FEDERATING, HOSTS, Authority
from harness.servers import Server
from measure import usage
from scenarios import Bench, sender

#: The room that is joined.
MEMBERS = 1_000
STATE_EVENTS = 2_000


class Neighborhood:
    """What the measured servers of a run have around them: an authority that certifies all, and a Synapse with a large room."""

    def __init__(self, directory: Path, settings: dict[str, dict]):
        self.directory = directory
        self.settings = settings
        self.authority = Authority(directory / "authority")
        #: The origin's files as they were when it had made the large room.
        self._made = directory / "origin-as-made"
        self._large_room: tuple[str, int, Server] | None = None

    def make(self, kind: str, name: str, database: str = "sqlite", host: str = HOSTS[0]) -> Server:
        """A server that federates, not yet started."""
        return FEDERATING[kind](
            self.directory / name, database, self.authority, host, self.settings.get(kind), gated=False
        )

    @contextlib.contextmanager
    def running(self, server: Server):
        """A server that runs only as long as it is needed, so that it costs the other measurements nothing."""
        server.start()
        try:
            yield server
            server.stop(seconds=60)
        finally:
            if server.process.poll() is None:
                server.kill()

    @contextlib.contextmanager
    def large_room(self, scale: float):
        """The large room's ID, how many are in it, and the server that it is on.

        Whoever joins it finds it as it was made, on a server just started: that somebody else had been there before would make a
        difference. Synapse for one never gets to know the whole room if the join before its own is of a server that has gone, whose
        signature nobody can check any more.
        """
        if self._large_room is None:
            origin = self.make("synapse", "origin", host=HOSTS[1])
            print("making the large room", file=sys.stderr, flush=True)
            with self.running(origin):
                room, members = _make_large_room(Bench(origin, None, scale, self))
            shutil.copytree(origin.directory, self._made)
            self._large_room = (room, members, origin)
        room, members, origin = self._large_room
        shutil.rmtree(origin.directory)
        shutil.copytree(self._made, origin.directory)
        with self.running(origin):
            Bench(origin, None, scale, self).wait_for_rest()
            yield room, members, origin


def _make_large_room(bench: Bench) -> tuple[str, int]:
    users = bench.register(bench.amount(MEMBERS))
    content = {"text": "something to be kept"}
    state = [
        {"type": "org.example.bench", "state_key": str(number), "content": content}
        for number in range(bench.amount(STATE_EVENTS))
    ]
    # In one request, of minutes: one by one they take much longer.
    room = bench.create_room(users[0], "Large", timeout=900, initial_state=state)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda user: bench.join(user, room), users[1:]))
    return room, len(users)


def join(bench: Bench) -> dict:
    """From the request to join until the room is there whole: with all members. A server may answer before that."""
    user, = bench.register(1)
    with bench.neighborhood.large_room(bench.scale) as (room, members, origin):
        before, begun = bench.usage(), time.monotonic()
        bench.call("POST", f"/join/{quote(room)}?via={quote(origin.server_name)}", user["access_token"], json={}, timeout=900)
        answered = time.monotonic()
        while True:
            found = bench.call("GET", f"/rooms/{quote(room)}/joined_members", user["access_token"], timeout=900)["joined"]
            if len(found) >= members + 1:
                break
            assert time.monotonic() - begun < 900, f"{len(found)} of {members + 1} members"
            time.sleep(0.1)
        complete = time.monotonic()
        bench.wait_for_rest()
        after = bench.usage()
    measures = {
        "answered_milliseconds": (answered - begun) * 1000,
        "complete_milliseconds": (complete - begun) * 1000,
        "cpu_seconds": after[0] - before[0],
        **usage(bench.server.process.pid).memory,
        "members": members,
    }
    if bench.cluster:
        measures["postgres_cpu_seconds"] = after[1] - before[1]
    return measures


def send(bench: Bench) -> dict:
    """Messages by five senders in a room with a member on another server of the same kind, until all have arrived there."""
    neighborhood = bench.neighborhood
    peer = neighborhood.make(bench.server.kind, f"peer-of-{bench.server.directory.name}", host=HOSTS[1])
    with neighborhood.running(peer):
        other = Bench(peer, None, bench.scale, neighborhood)
        users, (reader,) = bench.register(5), other.register(1)
        room = bench.create_room(users[0])
        for user in users[1:]:
            bench.join(user, room)
        other.call("POST", f"/join/{quote(room)}?via={quote(bench.server.server_name)}", reader["access_token"], json={})

        def arrived() -> None:
            """Sends one more message, and waits until it is there: what was sent before it is then there too."""
            event = bench.say(users[0], room, "the last one")
            deadline = time.monotonic() + 600
            while not other.has_event(reader, room, event):
                assert time.monotonic() < deadline
                time.sleep(0.01)

        clients = [sender(user, room) for user in users]
        bench.load("send", clients, 50)  # warm
        arrived()
        bench.wait_for_rest()
        peer_before, before, begun = other.usage(), bench.usage(), time.monotonic()
        measures = bench.load("send", clients, bench.count(300, 3_000))
        arrived()
        seconds = time.monotonic() - begun
        bench.wait_for_rest()
        other.wait_for_rest()
        thousands = measures["count"] / 1000
        peer_after, after = other.usage(), bench.usage()
        wanted, deadline = measures["count"] + 52, time.monotonic() + 60
        while (found := other.count_messages(reader, room)) < wanted and time.monotonic() < deadline:
            time.sleep(1)
        # What Synapse fetches to fill a gap does not always come to stand in the room's history.
        least = wanted if bench.server.kind == "chappe" else wanted * 0.99
        assert least <= found <= wanted, f"{found} messages arrived of {wanted}"
    measures |= {
        "per_second": measures["count"] / seconds,
        "cpu_seconds_per_1000": (after[0] - before[0]) / thousands,
        "peer_cpu_seconds_per_1000": (peer_after[0] - peer_before[0]) / thousands,
    }
    if bench.cluster:
        measures["postgres_cpu_seconds_per_1000"] = (after[1] - before[1]) / thousands
    return measures


SCENARIOS = {"federated-join": join, "federated-send": send}
