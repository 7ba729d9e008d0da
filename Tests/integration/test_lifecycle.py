"""Starting, draining on SIGTERM, and what happens when the disk is full or PostgreSQL goes away."""

import http.client
import resource
import signal
import subprocess
import threading
import time

import httpx
import pytest
from harness.clients import Client, UnexpectedStatus, path, register
from harness.postgres import Cluster

MEDIA_UPLOAD = "/_matrix/media/v3/upload"


def test_long_polls_end_and_the_exit_is_clean(own_server, fresh_name):
    clients = [register(own_server, fresh_name()) for _ in range(8)]
    tokens = [client.sync()["next_batch"] for client in clients]
    tokens = [client.sync(token)["next_batch"] for client, token in zip(clients, tokens)]
    answers = {}

    def poll(number):
        try:
            answers[number] = clients[number].http.get(
                path("sync"), params={"since": tokens[number], "timeout": 30_000},
                headers={"Authorization": f"Bearer {clients[number].token}"},
            ).status_code
        except httpx.TransportError as error:
            answers[number] = type(error).__name__

    threads = [threading.Thread(target=poll, args=(number,), daemon=True) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    time.sleep(1)
    seconds = own_server.stop(seconds=10)
    for thread in threads:
        thread.join(10)
    assert len(answers) == len(clients), "a long poll outlived the server"
    if own_server.kind == "chappe":
        assert seconds < 8
        assert set(answers.values()) == {200}, answers
    own_server.start()
    # The tokens that the waiting clients had are still good.
    for client, token in zip(clients, tokens):
        client.sync(token)


@pytest.mark.only_chappe(reason="Synapse cuts requests under way")
def test_a_request_under_way_is_finished(own_server, fresh_name):
    alice = register(own_server, fresh_name())
    body = b"x" * 100_000
    connection = http.client.HTTPConnection("127.0.0.1", own_server.port, timeout=30)
    connection.putrequest("POST", MEDIA_UPLOAD)
    connection.putheader("Authorization", f"Bearer {alice.token}")
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[:50_000])
    time.sleep(0.5)
    own_server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    connection.send(body[50_000:])
    response = connection.getresponse()
    assert response.status == 200
    uri = response.read().decode()
    connection.close()
    own_server.stop(seconds=10)
    own_server.start()
    import json

    media = json.loads(uri)["content_uri"].removeprefix("mxc://").split("/")
    assert alice.request("GET", path("media", "download", *media, base="/_matrix/client/v1")).content == body


def test_a_burst_is_drained(own_server, fresh_name):
    alice = register(own_server, fresh_name())
    room = alice.create_room()
    acknowledged, stopped = [], threading.Event()

    def send(number):
        with httpx.Client(base_url=own_server.url, timeout=30) as http_client:
            while not stopped.is_set():
                where = path("rooms", room, "send", "m.room.message", f"{number}-{len(acknowledged)}-{time.monotonic_ns()}")
                try:
                    answer = http_client.put(
                        where, json={"msgtype": "m.text", "body": "drain"}, headers={"Authorization": f"Bearer {alice.token}"}
                    )
                except httpx.TransportError:
                    return
                # A draining server may turn new requests away; what it takes it finishes.
                assert answer.status_code in (200, 503), answer.text
                if answer.status_code == 200:
                    acknowledged.append(answer.json()["event_id"])

    threads = [threading.Thread(target=send, args=(number,), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(acknowledged) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    own_server.stop(seconds=15)
    stopped.set()
    for thread in threads:
        thread.join(15)
    own_server.start()
    found = [event["event_id"] for event in alice.all_messages(room, page=500)]
    assert acknowledged and set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


def test_sigint_ends_it_too(own_server):
    own_server.process.send_signal(signal.SIGINT)
    assert own_server.process.wait(10) == 0


@pytest.mark.only_chappe(reason="the page at / and /health are Chappe's own")
def test_what_is_not_matrix(own_server):
    with httpx.Client(base_url=own_server.url) as client:
        page = client.get("/")
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
        assert "Chappe" in page.text and own_server.server_name in page.text
        assert client.get("/health").status_code == 200


def send_while_storage_fails(alice, room, failing: str) -> list[str]:
    """Sends until the first refusal, which must be a clean one; returns what was acknowledged meanwhile."""
    acknowledged = []
    for number in range(3000):
        answer = alice.request(
            "PUT", path("rooms", room, "send", "m.room.message", f"{failing}{number}"),
            json={"msgtype": "m.text", "body": f"{failing} {number} " + "x" * 4000}, expect=(200, 503), timeout=30,
        )
        if answer.status_code == 503:
            assert answer.json()["errcode"] == "M_UNKNOWN"
            return acknowledged
        acknowledged.append(answer.json()["event_id"])
    raise AssertionError("the storage never failed")


def works_again(alice, room, seconds: float = 20) -> str:
    """Sends until it succeeds, within so many seconds; only 503 is allowed before. Returns the event ID."""
    deadline = time.monotonic() + seconds
    transaction = f"again{time.monotonic_ns()}"
    while True:
        answer = alice.request(
            "PUT", path("rooms", room, "send", "m.room.message", transaction),
            json={"msgtype": "m.text", "body": "again"}, expect=(200, 503), timeout=30,
        )
        if answer.status_code == 200:
            return answer.json()["event_id"]
        assert time.monotonic() < deadline, f"still refused after {seconds} s"
        time.sleep(0.2)


def check_nothing_lost(client, room, acknowledged):
    found = [event["event_id"] for event in client.all_messages(room, page=500)]
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


@pytest.fixture
def server_on_small_disk(make_server, tmp_path):
    """A server whose data lie on a file system of 40 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    server = make_server("sqlite", directory=disk / "data")
    try:
        yield server.start()
        server.end()
    finally:
        if server.process.poll() is None:
            server.kill()
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.only_chappe(reason="Synapse answers 500")
def test_a_full_disk_refuses_and_loses_nothing(server_on_small_disk, fresh_name):
    server = server_on_small_disk
    alice = register(server, fresh_name())
    room = alice.create_room()
    ballast = server.directory / "ballast"
    # Unbuffered: what does not fit must not be written once more when the file is closed.
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            pass
    acknowledged = send_while_storage_fails(alice, room, "full")
    alice.get("account", "whoami")
    upload = alice.request("POST", MEDIA_UPLOAD, content=b"x" * 1_000_000, expect=503, timeout=30)
    assert upload.json()["errcode"] == "M_UNKNOWN"
    ballast.unlink()
    acknowledged.append(works_again(alice, room))
    check_nothing_lost(alice, room, acknowledged)
    server.restart()
    check_nothing_lost(alice, room, acknowledged)


@pytest.mark.only_chappe(reason="Synapse answers 500")
def test_files_that_may_not_grow_refuse_and_lose_nothing(make_server, fresh_name):
    server = make_server("sqlite").start()
    alice = register(server, fresh_name())
    room = alice.create_room()
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (8192, limits[1]))
    acknowledged = send_while_storage_fails(alice, room, "limit")
    alice.messages(room)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
    acknowledged.append(works_again(alice, room))
    check_nothing_lost(alice, room, acknowledged)
    server.kill()
    server.start()
    check_nothing_lost(alice, room, acknowledged)
    server.end()


@pytest.mark.only_chappe(reason="Synapse answers 500")
def test_postgres_going_away_refuses_and_loses_nothing(make_server, fresh_name):
    cluster = Cluster.start()
    server = make_server("postgres", cluster=cluster)
    try:
        server.start()
        alice = register(server, fresh_name())
        room = alice.create_room()
        acknowledged = [alice.say(room, f"before {number}") for number in range(20)]
        for round_number in range(2):
            since = alice.sync()["next_batch"]
            cluster.pause()
            begun = time.monotonic()
            acknowledged += send_while_storage_fails(alice, room, f"gone{round_number}-")
            assert time.monotonic() - begun < 20, "refusing took too long"
            ready = httpx.get(server.url + "/ready", timeout=30)
            assert ready.status_code == 503 and ready.json() == {"status": "database"}
            cluster.resume()
            acknowledged.append(works_again(alice, room))
            check_nothing_lost(alice, room, acknowledged)
            assert alice.sync(since)["rooms"]["join"][room]
        server.end()
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        cluster.stop()


@pytest.mark.only_chappe(reason="about Chappe's own configuration")
def test_a_configuration_error_is_told_and_is_no_crash(make_server):
    server = make_server("sqlite", settings={"servername": "mistyped"})
    server.launch()
    assert server.process.wait(20) in (1, 2)
    assert "server_name" in server.log_path.read_text(), "the nearest known key is named"


@pytest.mark.only_chappe(reason="about Chappe's own start")
def test_a_taken_port_is_told_and_is_no_crash(own_server, make_server):
    second = make_server("sqlite", settings={"listeners": [{"bind": "127.0.0.1", "port": own_server.port, "serves": ["client"]}]})
    second.launch()
    assert second.process.wait(20) == 1
    Client(own_server).get("versions", base="/_matrix/client")


def test_an_unexpected_status_is_noticed(own_server):
    # The tests' own instrument: a request that is refused must not pass for one that is not.
    with pytest.raises(UnexpectedStatus):
        Client(own_server).get("account", "whoami")
