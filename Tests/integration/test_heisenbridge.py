"""A real application service: Heisenbridge, between Chappe and an IRC server. Also over the server's and the bridge's restart."""

import json

import pytest
from harness.app_services import AppService
from harness.clients import register
from harness.irc import IRCClient, IRCServer, Program, heisenbridge_python
from harness.waiting import SECONDS, eventually

pytestmark = pytest.mark.only_chappe(reason="the bridge's registration is given to Chappe")


class Rooms:
    """What a user is invited to and has been told, by syncing on."""

    def __init__(self, client):
        self.client = client
        self.since = None
        self.invited: list[str] = []
        self.told: list[tuple[str, str, str]] = []

    def look(self) -> None:
        answer = self.client.sync(self.since, timeout=1000)
        self.since = answer["next_batch"]
        rooms = answer.get("rooms", {})
        self.invited += rooms.get("invite", {})
        for room, section in rooms.get("join", {}).items():
            for event in section["timeline"]["events"]:
                if event["type"] == "m.room.message":
                    self.told.append((room, event["sender"], event["content"].get("body", "")))

    def join_next(self) -> str:
        """Joins the next room that the user is invited to."""

        def invitation():
            self.look()
            return self.invited

        room = eventually(invitation, seconds=2 * SECONDS, what="an invitation of the bridge")[0]
        self.invited.remove(room)
        self.client.join(room)
        return room

    def hear(self, room: str, part: str, sender: str | None = None) -> str:
        """Waits until something is said in a room; who says it."""

        def said():
            found = [who for where, who, text in self.told if where == room and part in text and sender in (None, who)]
            if not found:
                self.look()
            return found

        return eventually(said, seconds=2 * SECONDS, what=f"{part!r} in the room; told: {self.told[-5:]}")[0]


def test_people_talk_over_the_bridge(make_server, engine, tmp_path):
    service = AppService("heisenbridge", namespaces={
        "users": [{"exclusive": True, "regex": "@irc_.*"}], "aliases": [], "rooms": []})
    service.registration["sender_localpart"] = "heisenbridge"
    registration = service.write(tmp_path)
    server = make_server(engine, settings={"app_services": [registration]}).start()
    alice = register(server, "alice")
    irc = IRCServer(tmp_path)
    bob = IRCClient(irc.port, "bob")
    programs = [irc]

    def start_bridge():
        program = Program(
            [heisenbridge_python(), "-m", "heisenbridge", "-v", "-c", registration, "-o", alice.user, server.url],
            tmp_path / "heisenbridge.log")
        programs.append(program)
        return program

    bridge = start_bridge()
    try:
        rooms = Rooms(alice)
        control = rooms.join_next()
        for command, answer in (
            ("addnetwork test", "Network added."), (f"addserver test 127.0.0.1 {irc.port}", "Server added."),
        ):
            alice.say(control, command)
            rooms.hear(control, answer, f"@heisenbridge:{server.server_name}")
        alice.say(control, "open test")
        network = rooms.join_next()
        # One after the other: the bridge stores the network's settings as a whole, whichever command was done last.
        alice.say(network, "nick alice")
        rooms.hear(network, "Nickname set to alice")
        alice.say(network, "connect")
        rooms.hear(network, "Welcome to the Internet Relay Network")
        bob.send("JOIN #tests")
        alice.say(network, "join #tests")
        channel = rooms.join_next()
        eventually(lambda: bob.heard("alice!"), what=f"alice in the channel; {bob.lines[-5:]}")
        alice.say(channel, "hello from Matrix")
        eventually(lambda: bob.heard("PRIVMSG #tests :hello from Matrix"), what="a message over the bridge")
        bob.send("PRIVMSG #tests :hello from IRC")
        assert rooms.hear(channel, "hello from IRC") == f"@irc_test_bob:{server.server_name}"
        # What is said while the bridge is down comes when it is back.
        bridge.end()
        server.kill()
        server.start()
        bridge = start_bridge()
        eventually(lambda: len(bob.heard("JOIN :#tests")) + len(bob.heard("JOIN #tests")) >= 3, seconds=2 * SECONDS,
                   what=f"alice back in the channel; {bob.lines[-5:]}")
        alice.say(channel, "hello again")
        eventually(lambda: bob.heard("PRIVMSG #tests :hello again"), seconds=2 * SECONDS, what="a message after all")
    except AssertionError:
        print("Heisenbridge:", bridge.tail(), "\nngircd:", irc.tail(), json.dumps(service.registration))
        raise
    finally:
        bob.close()
        for program in reversed(programs):
            program.end()
        server.finish()
