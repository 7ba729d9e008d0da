"""What the command line shows of the servers that are sent to, and does about them."""

import json
import subprocess

import pytest
from harness.clients import register_administrator
from harness.rooms import arrives, bodies
from harness.servers import chappe_binary
from harness.synadm import V1, Asker
from harness.waiting import eventually


@pytest.fixture
def chappe(pair):
    """A function that runs `chappe federation …` against the server where rooms are made."""
    if pair.here.kind != "chappe":
        pytest.skip("its own commands")

    def run(*arguments, status: int = 0) -> str:
        configuration = str(pair.here.directory / "chappe.yaml")
        result = subprocess.run(
            [chappe_binary(), "federation", *arguments, "--config", configuration],
            capture_output=True, text=True, timeout=60,
        )
        assert result.returncode == status, f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout if status == 0 or "--json" in arguments else result.stdout + result.stderr

    return run


def test_the_queue_shows_what_waits_and_retry_sends_it(chappe, alice, bob, room, pair):
    name = pair.there.server_name

    def entry() -> dict:
        return {found["server_name"]: found for found in json.loads(chappe("queue", "--json"))}[name]

    arrives(bob, room, alice.say(room, "before"))
    eventually(lambda: entry()["last_success_ts"] and entry()["failures"] == 0, what="a success")
    pair.there.gate.close()
    texts = [f"waiting {number}" for number in range(5)]
    for text in texts:
        alice.say(room, text)
    alice.put("sendToDevice", "org.example.n", "q1", json={"messages": {bob.user: {bob.device: {"n": 1}}}})
    eventually(lambda: entry()["failures"] >= 1 and entry()["pending_events"] == 5, what="a failure")
    waiting = entry()
    assert waiting["pending_to_device"] == 1 and waiting["last_error"]
    assert waiting["next_attempt_ts"] > waiting["last_attempt_ts"] >= waiting["first_failure_ts"]
    table = chappe("queue", "--waiting")
    assert name in table and "NEXT ATTEMPT" in table

    pair.there.gate.open()
    chappe("retry", name)
    eventually(lambda: [text for text in bodies(bob, room) if text in texts] == texts, what="what waited")
    eventually(lambda: entry()["failures"] == 0 and entry()["pending_to_device"] == 0, what="an empty queue")
    assert entry()["pending_events"] == 0


def test_a_server_is_probed_step_by_step(chappe, alice, bob, room, pair):
    name = pair.there.server_name
    report = json.loads(chappe("test", name, "--json"))
    assert report["reachable"] is True and all(step["passed"] for step in report["steps"])
    assert len(report["steps"]) == 4
    assert pair.there.kind in chappe("test", name).lower()

    pair.there.gate.close()
    report = json.loads(chappe("test", name, "--json", status=1))
    assert report["reachable"] is False and [step["passed"] for step in report["steps"]] == [True, False]
    assert "failed" in chappe("test", name, status=1)
    pair.there.gate.open()


def test_servers_that_are_not_known_are_refused(chappe, pair):
    chappe("retry", "nowhere.example", status=1)
    chappe("retry", "not a name", status=1)
    report = json.loads(chappe("test", "nowhere.invalid", "--json", status=1))
    assert [step["passed"] for step in report["steps"]] == [False]


def test_servers_are_shown_as_synapse_shows_them(alice, bob, room, pair, fresh_name):
    if pair.here.kind != "chappe":
        pytest.skip("its own answers")
    ask = Asker(register_administrator(pair.here, fresh_name("warden")))
    name = pair.there.server_name
    where = ("federation", "destinations", name)
    arrives(bob, room, alice.say(room, "before"))
    eventually(lambda: ask("GET", V1, *where)["last_successful_stream_ordering"], what="a success")
    shown = ask("GET", V1, *where)
    assert (shown["destination"], shown["retry_last_ts"], shown["retry_interval"], shown["failure_ts"]) == (name, 0, 0, None)
    for order in ("destination", "retry_last_ts", "retry_interval", "failure_ts", "last_successful_stream_ordering"):
        listed = ask("GET", V1, "federation", "destinations", params={"order_by": order, "dir": "b"})
        assert name in [one["destination"] for one in listed["destinations"]] and listed["total"] == len(listed["destinations"])
    rooms = ask("GET", V1, *where, "rooms")
    assert room in [one["room_id"] for one in rooms["rooms"]] and rooms["total"] == len(rooms["rooms"])
    assert ask("POST", V1, *where, "reset_connection", expect=400)["errcode"] == "M_UNKNOWN"

    pair.there.gate.close()
    waiting = alice.say(room, "waiting")
    eventually(lambda: ask("GET", V1, *where)["retry_interval"] > 0, what="a failure")
    shown = ask("GET", V1, *where)
    assert 0 < shown["failure_ts"] <= shown["retry_last_ts"]
    pair.there.gate.open()
    assert ask("POST", V1, *where, "reset_connection") == {}
    arrives(bob, room, waiting)
    eventually(lambda: ask("GET", V1, *where)["failure_ts"] is None, what="that all is well again")
    assert [entry["action"] for entry in ask.trail(name)] == ["federation.retry"]


def test_a_room_that_was_purged_is_joined_again(alice, bob, room, pair, fresh_name):
    if pair.there.kind != "chappe":
        pytest.skip("what Synapse purges is its own affair")
    ask = Asker(register_administrator(pair.there, fresh_name("purger")))
    arrives(bob, room, alice.say(room, "before"))
    assert ask("DELETE", V1, "rooms", room, json={})["kicked_users"] == [bob.user]
    ask("GET", V1, "rooms", room, expect=404)
    bob.refused("M_NOT_FOUND", 404, "GET", "rooms", room, "state", "m.room.create")
    eventually(lambda: alice.state(room, "m.room.member", bob.user)["membership"] == "leave", what="that bob has left")
    alice.say(room, "meanwhile")
    # The same events come back.
    bob.join_via(room, alice)
    arrives(bob, room, alice.say(room, "after"))
    arrives(alice, room, bob.say(room, "back again"))
    eventually(lambda: {"before", "meanwhile", "after"} <= set(bodies(bob, room)), what="what was said before")
