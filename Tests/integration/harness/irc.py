"""IRC: a server (ngircd), a bridge to it (Heisenbridge), and somebody who speaks it. Each on loopback ports of its own."""

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from .servers import ROOT, free_port
from .waiting import eventually


def ngircd() -> str:
    """The IRC server's program; Debian has it where only administrators look."""
    found = os.environ.get("NGIRCD") or shutil.which("ngircd") or "/usr/sbin/ngircd"
    assert Path(found).exists(), "there is no IRC server: run Tests/support/system-packages.sh"
    return found


def heisenbridge_python() -> str:
    """The Python that has the bridge."""
    folder = ROOT / ".test" / "heisenbridge-venv"
    assert (folder / "requirements.installed").exists(), (
        "there is no bridge: run Tests/support/python-venv.sh .test/heisenbridge-venv Tests/integration/requirements-heisenbridge.txt")
    return str(folder / "bin" / "python")


class Program:
    """A process whose output goes to a file."""

    def __init__(self, command: list[str], log: Path):
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])


class IRCServer(Program):
    """An IRC server."""

    def __init__(self, directory: Path):
        self.port = free_port()
        configuration = directory / "ngircd.conf"
        configuration.write_text(f"""
            [Global]
            Name = irc.example.test
            Info = Tests
            Listen = 127.0.0.1
            Ports = {self.port}
            MotdPhrase = Hello
            [Limits]
            MaxConnectionsIP = 0
            [Options]
            DNS = no
            Ident = no
            PAM = no
            SyslogFacility = local1
        """)
        super().__init__([ngircd(), "--nodaemon", "--config", str(configuration)], directory / "ngircd.log")
        eventually(self.accepts, what=f"the IRC server: {self.tail()}")

    def accepts(self) -> bool:
        assert self.process.poll() is None, self.tail()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class IRCClient:
    """Somebody on an IRC server."""

    def __init__(self, port: int, nick: str):
        self.nick = nick
        self.lines: list[str] = []
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.send(f"NICK {nick}")
        self.send(f"USER {nick} 0 * :{nick}")
        threading.Thread(target=self._read, daemon=True).start()
        eventually(lambda: self.heard(" 001 "), what="the IRC server's welcome")

    def send(self, line: str) -> None:
        self.socket.sendall(f"{line}\r\n".encode())

    def heard(self, part: str) -> list[str]:
        return [line for line in self.lines if part in line]

    def _read(self) -> None:
        with self.socket.makefile("rb") as lines:
            try:
                for line in lines:
                    text = line.decode(errors="replace").rstrip()
                    if text.startswith("PING"):
                        self.send("PONG" + text[4:])
                    self.lines.append(text)
            except OSError:
                pass

    def close(self) -> None:
        self.socket.close()
