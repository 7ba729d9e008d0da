"""The loads, and how each is prepared and measured."""

import itertools
import json
import os
import socket
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
from measure import open_sockets, usage

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = Path(os.environ.get("CHAPPE_LOAD", ROOT / ".build" / "release" / "chappe-load"))
V3 = "/_matrix/client/v3"
PASSWORD = "a password of the benchmark"

_labels = itertools.count(1)


class Bench:
    """A running server, and users on it."""

    def __init__(self, server, cluster, scale: float, neighborhood=None):
        """`neighborhood` gives the loads between servers what they need."""
        self.server = server
        self.cluster = cluster
        self.scale = scale
        self.neighborhood = neighborhood
        self.http = httpx.Client(base_url=server.url, timeout=120)

    # Preparing

    def call(self, method: str, where: str, token: str | None = None, **options):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.request(method, V3 + where, headers=headers, **options)
        assert answer.status_code == 200, f"{method} {where}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def register(self, count: int) -> list[dict]:
        """So many new users, each signed in on one device: `user_id`, `access_token`."""

        def one(name: str) -> dict:
            body = {"username": name, "password": PASSWORD}
            answer = self.http.post(V3 + "/register", json=body)
            session = answer.json()["session"]
            return self.call("POST", "/register", json={**body, "auth": {"type": "m.login.dummy", "session": session}})

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(one, [f"bench{next(_labels)}" for _ in range(count)]))

    def login(self, user: dict) -> dict:
        identifier = {"type": "m.id.user", "user": user["user_id"]}
        return self.call("POST", "/login", json={"type": "m.login.password", "identifier": identifier, "password": PASSWORD})

    def create_room(self, user: dict, name: str = "Bench", timeout: float = 120, **options) -> str:
        body = {"preset": "public_chat", "name": name, **options}
        return self.call("POST", "/createRoom", user["access_token"], json=body, timeout=timeout)["room_id"]

    def join(self, user: dict, room: str) -> None:
        self.call("POST", f"/join/{quote(room)}", user["access_token"], json={})

    def say(self, user: dict, room: str, text: str) -> str:
        where = f"/rooms/{quote(room)}/send/m.room.message/p{next(_labels)}"
        return self.call("PUT", where, user["access_token"], json={"msgtype": "m.text", "body": text})["event_id"]

    def has_event(self, user: dict, room: str, event: str) -> bool:
        where = f"{V3}/rooms/{quote(room)}/event/{quote(event)}"
        return self.http.get(where, headers={"Authorization": f"Bearer {user['access_token']}"}).status_code == 200

    def count_messages(self, user: dict, room: str) -> int:
        """How many messages the room's history has."""
        count, position = 0, ""
        while True:
            page = self.call("GET", f"/rooms/{quote(room)}/messages?dir=b&limit=500{position}", user["access_token"])
            count += sum(event["type"] == "m.room.message" for event in page["chunk"])
            if "end" not in page:
                return count
            position = f"&from={quote(page['end'])}"

    def token_now(self, user: dict) -> str:
        """Where the user's sync stands."""
        return self.call("GET", "/sync?timeout=0", user["access_token"])["next_batch"]

    def amount(self, count: int) -> int:
        return max(1, round(count * self.scale))

    def count(self, synapse: int, chappe: int) -> int:
        """Enough for Chappe to be measured in hundredths of CPU seconds, and for Synapse to end before evening."""
        return self.amount(chappe if self.server.kind == "chappe" else synapse)

    # Measuring

    def wait_for_rest(self, seconds: float = 60) -> None:
        """Waits until the server does nothing any more for three seconds together."""
        deadline, quiet = time.monotonic() + seconds, 0
        while quiet < 3 and time.monotonic() < deadline:
            cpu = self.usage()[0]
            time.sleep(1)
            quiet = quiet + 1 if self.usage()[0] - cpu < 0.05 else 0

    def postgres_pid(self) -> int:
        return int((Path(self.cluster.directory) / "data" / "postmaster.pid").read_text().splitlines()[0])

    def usage(self) -> tuple[float, float]:
        """CPU seconds of the server, and of PostgreSQL."""
        postgres = usage(self.postgres_pid()).cpu_seconds if self.cluster else 0.0
        return usage(self.server.process.pid).cpu_seconds, postgres

    def plan(self, mode: str, clients: list[dict], count: int = 0, timeout: int = 0) -> str:
        return json.dumps({
            "mode": mode, "port": self.server.port, "clients": clients, "count": count,
            "timeoutMilliseconds": timeout, "label": f"b{next(_labels)}",
        })

    def load(self, mode: str, clients: list[dict], count: int, timeout: int = 0) -> dict:
        """Applies a load and returns its measures."""
        before = self.usage()
        run = subprocess.run(
            [GENERATOR], input=self.plan(mode, clients, count, timeout) + "\n", capture_output=True, text=True, timeout=600
        )
        after = self.usage()
        assert run.returncode == 0, run.stderr
        outcome = json.loads(run.stdout)
        assert outcome["failures"] == 0, outcome
        thousands = outcome["count"] / 1000
        measures = {
            "per_second": outcome["count"] / outcome["seconds"],
            "p50_milliseconds": outcome["p50Milliseconds"],
            "p99_milliseconds": outcome["p99Milliseconds"],
            "cpu_seconds_per_1000": (after[0] - before[0]) / thousands,
            **usage(self.server.process.pid).memory,
            "count": outcome["count"],
            "response_bytes": outcome["bytes"],
        }
        if self.cluster:
            measures["postgres_cpu_seconds_per_1000"] = (after[1] - before[1]) / thousands
        return measures


def sender(user: dict, room: str) -> dict:
    return {"token": user["access_token"], "room": quote(room, safe="")}


def send(bench: Bench, senders: int) -> dict:
    """Messages, by so many senders at a time, each in a room of their own choosing among five."""
    users = bench.register(senders)
    rooms = [bench.create_room(users[0]) for _ in range(min(5, senders))]
    for user in users[1:]:
        for room in rooms:
            bench.join(user, room)
    clients = [sender(user, rooms[number % len(rooms)]) for number, user in enumerate(users)]
    bench.load("send", clients, 20 * senders)  # warm
    return bench.load("send", clients, bench.count(400, 5000 if senders == 1 else 20_000))


def fan_out(bench: Bench) -> dict:
    """One sender, and 100 members of the room who all wait in a sync; counted is each arrival of a message."""
    users = bench.register(101)
    room = bench.create_room(users[0])
    for user in users[1:]:
        bench.join(user, room)
    clients = [sender(users[0], room)]
    clients += [{"token": user["access_token"], "since": bench.token_now(user)} for user in users[1:]]
    bench.load("fanOut", clients, 2, timeout=30_000)  # warm
    clients[1:] = [{"token": user["access_token"], "since": bench.token_now(user)} for user in users[1:]]
    return bench.load("fanOut", clients, bench.count(15, 200), timeout=30_000)


def first_sync(bench: Bench) -> dict:
    """The first sync of a device whose user is in 50 rooms with ten members and thirty messages each."""
    others = bench.register(10)
    user = others[0]
    for number in range(50):
        room = bench.create_room(user, f"Room {number}")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda other: bench.join(other, room), others[1:]))
            list(pool.map(lambda text: bench.say(others[text % 10], room, f"message {text}"), range(30)))
    devices = [bench.login(user) for _ in range(bench.count(12, 200) + 2)]
    clients = [{"token": device["access_token"]} for device in devices]
    bench.load("sync", clients[:2], 2)  # warm
    return one_at_a_time(bench, clients[2:])


def one_at_a_time(bench: Bench, measured: list[dict]) -> dict:
    """A sync of each client, one after another: how long it takes, not how many fit."""
    total: dict = {}
    before, begun, times = bench.usage(), time.monotonic(), []
    for client in measured:
        outcome = bench.load("sync", [client], 1)
        times.append(outcome["p50_milliseconds"])
        total["response_bytes"] = outcome["response_bytes"]
    after = bench.usage()
    times.sort()
    thousands = len(measured) / 1000
    total |= {
        "per_second": len(measured) / (sum(times) / 1000),
        "p50_milliseconds": statistics.median(times),
        "p99_milliseconds": times[min(len(times) - 1, int(len(times) * 0.99))],
        "cpu_seconds_per_1000": (after[0] - before[0]) / thousands,
        **usage(bench.server.process.pid).memory,
        "count": len(measured),
        "seconds": time.monotonic() - begun,
    }
    if bench.cluster:
        total["postgres_cpu_seconds_per_1000"] = (after[1] - before[1]) / thousands
    return total


def empty_sync(bench: Bench) -> dict:
    """Incremental syncs that find nothing new, of ten users in ten rooms."""
    users = bench.register(10)
    rooms = [bench.create_room(users[0]) for _ in range(10)]
    for user in users[1:]:
        for room in rooms:
            bench.join(user, room)
    clients = [{"token": user["access_token"], "since": bench.token_now(user)} for user in users]
    bench.load("sync", clients, 50)  # warm
    return bench.load("sync", clients, bench.count(1000, 30_000))


#: What Element X asks for its list of rooms when it is opened, but for all rooms at once.
SLIDING = json.dumps({
    "conn_id": "room-list",
    "lists": {"all_rooms": {
        "ranges": [[0, 499]], "timeline_limit": 1,
        "required_state": [
            ["m.room.name", ""], ["m.room.encryption", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"], ["m.room.topic", ""],
            ["m.room.avatar", ""], ["m.room.canonical_alias", ""], ["m.room.power_levels", ""], ["m.room.create", ""],
            ["org.matrix.msc3401.call.member", "*"], ["m.room.join_rules", ""], ["m.room.tombstone", ""], ["m.space.child", "*"],
        ],
        "filters": {"not_room_types": ["m.space"]},
    }},
    "extensions": {name: {"enabled": True} for name in ("account_data", "receipts", "typing")},
})


def user_of_many_rooms(bench: Bench, rooms: int) -> dict:
    """A user in so many rooms, each with two others and a few messages."""
    users = bench.register(3)

    def prepare(number: int) -> None:
        room = bench.create_room(users[0], f"Room {number}")
        for user in users[1:]:
            bench.join(user, room)
        for text in range(4):
            bench.say(users[text % 3], room, f"message {text}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, range(rooms)))
    return users[0]


def first_sliding_sync(bench: Bench) -> dict:
    """The first sliding sync of a device whose user is in 500 rooms, all of them asked for."""
    user = user_of_many_rooms(bench, bench.amount(500))
    devices = [bench.login(user) for _ in range(bench.count(6, 60) + 2)]
    clients = [{"token": device["access_token"], "sliding": SLIDING} for device in devices]
    bench.load("sync", clients[:2], 2)  # warm
    return one_at_a_time(bench, clients[2:])


def empty_sliding_sync(bench: Bench) -> dict:
    """Incremental sliding syncs that find nothing new, of ten devices of a user in 500 rooms, all of them in the window."""
    user = user_of_many_rooms(bench, bench.amount(500))
    clients = []
    for device in [bench.login(user) for _ in range(10)]:
        headers = {"Authorization": f"Bearer {device['access_token']}", "Content-Type": "application/json"}
        where = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
        answer = bench.http.post(where, headers=headers, content=SLIDING)
        assert answer.status_code == 200, answer.text[:300]
        clients.append({"token": device["access_token"], "sliding": SLIDING, "since": answer.json()["pos"]})
    # A client goes on from where it is: what is measured begins where this ends, with positions of its own.
    return bench.load("sync", clients, bench.count(300, 20_000))


def idle_polls(bench: Bench) -> dict:
    """2,000 users who wait in a sync that nothing ends; measured is the server's memory.

    The server is started anew before: what it keeps of other loads is not what waiting costs.
    """
    users = bench.register(bench.amount(2000))
    bench.server.stop(seconds=60)
    bench.server.start()
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(bench.token_now, users))
        # What registering left to be told is told now.
        tokens = list(pool.map(
            lambda pair: bench.call("GET", f"/sync?timeout=0&since={pair[1]}", pair[0]["access_token"])["next_batch"],
            zip(users, tokens),
        ))
    pid = bench.server.process.pid
    before, sockets = usage(pid), open_sockets(pid)
    clients = [{"token": user["access_token"], "since": token} for user, token in zip(users, tokens)]
    process = subprocess.Popen([GENERATOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.stdin.write(bench.plan("idle", clients, timeout=600_000) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "waiting\n", "the load generator ended"
        settled = 0
        for _ in range(180):  # until the server has taken them all and come to rest
            cpu = bench.usage()[0]
            time.sleep(1)
            settled = settled + 1 if bench.usage()[0] - cpu < 0.05 else 0
            accepted = open_sockets(pid) - sockets
            if settled >= 3 and accepted >= len(clients) * 0.99:
                break
        after = usage(pid)
        outcome = json.loads(process.communicate(timeout=120)[0])
    finally:
        process.kill()
    assert accepted >= len(clients) * 0.99, f"only {accepted} of {len(clients)} connections were accepted"
    assert outcome["failures"] == 0, outcome
    return {
        **after.memory,
        "kib_per_poll": (after.memory_bytes - before.memory_bytes) / 1024 / len(clients),
        "count": len(clients),
        "answered_meanwhile": outcome["count"],
    }


def answers(port: int) -> bool:
    """Whether a request for /versions is answered with 200; a bare socket, since milliseconds count."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /_matrix/client/versions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


def start_up(bench: Bench) -> dict:
    """From exec to the first answer, of a server that has run before."""
    times = []
    for _ in range(7):
        bench.server.stop(seconds=60)
        begun = time.monotonic()
        bench.server.launch()
        while not answers(bench.server.port):
            assert time.monotonic() - begun < 60
            time.sleep(0.0005)
        times.append((time.monotonic() - begun) * 1000)
    return {
        "milliseconds": statistics.median(times), "all_milliseconds": times,
        **usage(bench.server.process.pid).memory,
    }


SCENARIOS = {
    "start-up": start_up,
    "send-1": lambda bench: send(bench, 1),
    "send-20": lambda bench: send(bench, 20),
    "fan-out": fan_out,
    "first-sync": first_sync,
    "empty-sync": empty_sync,
    "first-sliding-sync": first_sliding_sync,
    "empty-sliding-sync": empty_sliding_sync,
    "idle-polls": idle_polls,
}
