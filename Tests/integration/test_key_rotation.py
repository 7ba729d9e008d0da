"""The signing key is replaced while the server runs, and what the old one has signed still counts."""

import base64
import json
import os
import signal
import stat
import time

import httpx
import pytest
from harness.clients import register
from harness.servers import Chappe
from test_commands import run

pytestmark = pytest.mark.only_chappe(reason="its own commands")


@pytest.fixture
def server(tmp_path):
    server = Chappe(tmp_path / "server", "sqlite")
    configuration = server.directory / "chappe.yaml"
    written = json.loads(configuration.read_text())
    written["listeners"][0]["serves"] = ["client", "federation", "admin"]
    configuration.write_text(json.dumps(written))
    server.start()
    yield server
    server.end()


def document(server) -> dict:
    return httpx.get(server.url + "/_matrix/key/v2/server").raise_for_status().json()


def test_rotation(server):
    path = server.directory / "signing.key"
    configuration = server.directory / "chappe.yaml"
    before = document(server)
    [old] = before["verify_keys"]
    seed = path.read_text().split()[2]

    said = json.loads(run("federation", "rotate-key", "--json", "-c", configuration).stdout)
    new = said["active_key"]
    assert said == {"active_key": new, "retired_key": old, "running_server": True} and new != old
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert seed not in path.read_text(), "the old key's secret half stays"

    # The running server has taken it over, and gives the old key out as old.
    after = document(server)
    assert list(after["verify_keys"]) == [new]
    assert after["old_verify_keys"][old]["key"] == before["verify_keys"][old]["key"]
    assert abs(after["old_verify_keys"][old]["expired_ts"] - time.time() * 1000) < 120_000
    assert set(after["signatures"][server.server_name]) == {new}

    # And again: both old keys are kept. After a restart as well.
    server.stop()
    again = run("federation", "rotate-key", "-c", configuration)
    assert "does not run" in again.stdout
    server.start()
    last = document(server)
    assert set(last["old_verify_keys"]) == {old, new}
    assert len(base64.b64decode(next(iter(last["verify_keys"].values()))["key"] + "=")) == 32


def test_sighup_reads_the_key_file(server):
    path = server.directory / "signing.key"
    [old] = document(server)["verify_keys"]
    path.write_text("ed25519 other " + base64.b64encode(os.urandom(32)).decode().rstrip("=") + "\n")
    os.kill(server.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + 10
    while list(document(server)["verify_keys"]) == [old]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert list(document(server)["verify_keys"]) == ["ed25519:other"]

    # A file that is none changes nothing.
    path.write_text("nonsense\n")
    os.kill(server.process.pid, signal.SIGHUP)
    time.sleep(0.5)
    assert list(document(server)["verify_keys"]) == ["ed25519:other"]
    run("federation", "rotate-key", "-c", server.directory / "chappe.yaml", status=1)
    alice = register(server, "alice")
    assert alice.post("createRoom", json={})["room_id"]
