"""Backups made while people write, checked, and restored: on the same engine and on the other."""

import json
import shutil
import stat
import threading
import time

import httpx
import pytest
from harness.clients import Client, path, register, register_administrator
from test_commands import run
from test_provisioning import CommandLine

pytestmark = pytest.mark.only_chappe(reason="its own commands")

V1 = "/_matrix/client/v1"


class Load:
    """Somebody who writes without a pause; what was acknowledged is known."""

    def __init__(self, client: Client, room: str):
        self.client, self.room = client, room
        self.acknowledged: list[str] = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.stopped = threading.Event()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(60)

    def run(self):
        with httpx.Client(base_url=self.client.server.url, timeout=60) as http:
            while not self.stopped.is_set():
                where = path("rooms", self.room, "send", "m.room.message", f"load{len(self.acknowledged)}")
                answer = http.put(
                    where, json={"msgtype": "m.text", "body": "load " + "x" * 500},
                    headers={"Authorization": f"Bearer {self.client.token}"})
                assert answer.status_code == 200, answer.text
                self.acknowledged.append(answer.json()["event_id"])

    def wait_for(self, count: int):
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < count:
            assert self.thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.01)


def upload(client: Client, content: bytes) -> str:
    return client.request("POST", "/_matrix/media/v3/upload", content=content).json()["content_uri"]


def download(client: Client, uri: str) -> bytes:
    return client.request("GET", path("media", "download", *uri.removeprefix("mxc://").split("/"), base=V1)).content


def upload_keys(client: Client):
    keys = {f"curve25519:AAAA{number}": f"key{number}" for number in range(3)}
    return client.post("keys", "upload", json={"one_time_keys": keys})["one_time_key_counts"]


def media_files(backup):
    return {file.name: file for file in (backup / "media").rglob("*") if file.is_file()}


def test_a_backup_under_load_comes_back(make_server, engine, tmp_path):
    server = make_server(engine).start()
    chappe = CommandLine(server)
    boss, alice, bob = register_administrator(server, "boss"), register(server, "alice"), register(server, "bob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    first = upload(alice, b"the first file" * 1000)
    upload_keys(alice)
    boss.put("rooms", alice.create_room(), "send", "m.room.message", "x", json={}, expect=403)
    one, two = tmp_path / "one", tmp_path / "two"

    with Load(bob, room) as load:
        load.wait_for(30)
        before = list(load.acknowledged)
        made = chappe.json("backup", one)
        load.wait_for(len(load.acknowledged) + 5)
    assert made["server_name"] == server.server_name and made["media_files"] == 1 and made["engine"] == engine
    assert stat.S_IMODE(one.stat().st_mode) == 0o700 and stat.S_IMODE((one / "signing.key").stat().st_mode) == 0o600
    assert not (server.directory / "backup.snapshot").exists()
    second = upload(alice, b"the second file" * 1000)
    before += load.acknowledged[len(before):] + [alice.say(room, "before the second backup")]
    assert "It is whole" in run("backup", "verify", one).stdout
    run("backup", "create", two, "--previous", one, "--without-key", "--verify", "-c", server.directory / "chappe.yaml")
    (shared,) = media_files(one).keys() & media_files(two).keys()
    assert media_files(one)[shared].stat().st_ino == media_files(two)[shared].stat().st_ino
    assert len(media_files(two)) == 2 and not (two / "signing.key").exists()
    assert "exists" in chappe("backup", two, status=1).stderr
    assert [entry["action"] for entry in chappe.json("audit", "search", "--action", "backup")] == ["backup.create"] * 2

    # What is said after the backup is lost with the machine, and so is an upload.
    lost = alice.say(room, "after the backup")
    token = alice.sync()["next_batch"]
    assert "stop it first" in chappe("restore", two, status=1).stderr
    damage(two, tmp_path)
    server.stop()

    refuse(server, two, tmp_path)
    configuration = server.directory / "chappe.yaml"
    assert "--force" in run("restore", two, "-c", configuration, status=1).stderr
    would = json.loads(run("restore", two, "--force", "--dry-run", "--json", "-c", configuration).stdout)
    assert len(would["replaced"]) == 2
    assert "nothing was done" in run("restore", two, "--force", "-c", configuration, given="no\n", status=1).stderr
    restored = json.loads(run("restore", two, "--force", "--yes", "--json", "-c", configuration).stdout)
    assert restored["one_time_keys"] == 3
    server.start()
    check(server, alice, room, before, {first: b"the first file" * 1000, second: b"the second file" * 1000}, lost, token)
    assert chappe.json("audit", "verify")["valid"] is True
    assert chappe.json("audit", "tail", "-n", "1")[0]["action"] == "backup.restore"
    server.stop()

    # Elsewhere, on the other engine, from the backup that has the key.
    other = make_server("postgres" if engine == "sqlite" else "sqlite")
    (other.directory / "signing.key").unlink()
    run("restore", one, "-c", other.directory / "chappe.yaml")
    other.start()
    found = Client(other, alice.user, alice.token)
    assert set(before[:30]) <= {event["event_id"] for event in found.all_messages(room, page=500)}
    assert download(found, first) == b"the first file" * 1000
    found.say(room, "a needle on the other engine")
    assert CommandLine(other).json("audit", "verify")["valid"] is True
    search = {"search_categories": {"room_events": {"search_term": "needle"}}}
    deadline = time.monotonic() + 60
    while not found.post("search", json=search)["search_categories"]["room_events"]["count"]:
        assert time.monotonic() < deadline, "the search index was not made again"
        time.sleep(0.1)
    # A backup of the restored one, of a server that does not run.
    other.stop()
    run("backup", tmp_path / "three", "--verify", "-c", other.directory / "chappe.yaml")
    other.finish()
    server.finish()


def damage(backup, tmp_path):
    """What was changed, taken away or added is found."""
    copy = tmp_path / "damaged"

    def flaws(change) -> str:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(backup, copy)
        change()
        return run("backup", "verify", copy, status=1).stdout

    media = next(iter(media_files(backup).values())).relative_to(backup)

    def flip(name):
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)

    assert f"{media} was changed" in flaws(lambda: flip(media))
    assert "database.sqlite was changed" in flaws(lambda: flip("database.sqlite"))
    assert f"{media} is missing" in flaws(lambda: (copy / media).unlink())
    assert "more does not belong" in flaws(lambda: (copy / "more").write_text("x"))
    (copy / "more").unlink()
    (copy / "SHA256SUMS").write_text((copy / "SHA256SUMS").read_text()[:-1])
    assert "not the list" in run("backup", "verify", copy, status=1).stderr


def refuse(server, backup, tmp_path):
    """A backup of another server, one of a newer version, and one without a key where there is none are refused."""
    settings = json.loads((server.directory / "chappe.yaml").read_text())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    settings |= {"server_name": "other.test", "data_dir": str(elsewhere), "database": "sqlite:chappe.db"}
    configuration = elsewhere / "chappe.yaml"

    def refused(backup) -> str:
        configuration.write_text(json.dumps(settings))
        return run("restore", backup, "-c", configuration, status=1).stderr

    assert "other.test" in refused(backup)
    settings["server_name"] = server.server_name
    assert "without the signing key" in refused(backup)
    newer = tmp_path / "newer"
    shutil.copytree(backup, newer)
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 9999}))
    assert "newer" in refused(newer)
    (newer / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    assert "format 2" in refused(newer)
    assert "no backup" in refused(elsewhere)
    assert {file.name for file in elsewhere.iterdir()} == {"chappe.yaml"}


def check(server, alice, room, before, files, lost, token):
    """All that the backup holds is there, and the server says nothing that it has said before."""
    events = [event["event_id"] for event in alice.all_messages(room, page=500)]
    assert set(before) <= set(events) and len(events) == len(set(events)) and lost not in events
    for uri, content in files.items():
        assert download(alice, uri) == content
    # A client goes on with the token that it has from before the restoration, and misses nothing.
    fresh = alice.say(room, "after the restoration")
    news = alice.sync(token)
    timeline = news["rooms"]["join"][room]["timeline"]["events"]
    assert [event["event_id"] for event in timeline] == [fresh]
    assert news["device_one_time_keys_count"].get("curve25519", 0) == 0, "keys may have been claimed meanwhile"
    claimed = alice.post("keys", "claim", json={"one_time_keys": {alice.user: {alice.device: "curve25519"}}})
    assert not claimed["one_time_keys"].get(alice.user)
    server.restart()
    assert not alice.sync(news["next_batch"]).get("rooms")
