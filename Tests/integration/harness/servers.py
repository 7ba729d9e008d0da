"""Homeservers under test, each a real process on a free loopback port with a directory of its own."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx

from .postgres import connection_arguments

ROOT = Path(__file__).resolve().parents[3]

#: How long a server may take to answer its first request, and to end after SIGTERM.
READY_SECONDS = 60
STOP_SECONDS = 20


#: Two processes of one run must not come upon the same ports.
_ports = random.SystemRandom()
#: A port is a part of a server's name, whose keys others remember: no two servers of a process have the same.
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that no connection going out will take while a server is away."""
    while True:
        port = _ports.randrange(10_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


#: The servers of this test run that have not ended, so that a failing test can show what they said.
RUNNING: list["Server"] = []


class Server:
    """A homeserver process. Subclasses write its configuration and know its command line."""

    kind: str
    server_name = "chappe.test"
    #: Whether there are events on the server that Synapse has made, which writes null where a profile has nothing. What is
    #: signed is passed on as it is.
    passes_on_null = False
    shared_secret = "shared secret of the tests"
    #: Every Matrix server has a signing key: "ed25519", its version, the seed in unpadded base64.
    signing_key = "ed25519 tests zMJ+pmZgmAqPu8x6ZnBtC3xmZg/9qTzCrwZbRkUVhUw"

    def __init__(self, directory: Path, database: str, settings: dict | None = None):
        """`database` is "sqlite" or a PostgreSQL URL; `settings` are merged into the configuration, key by key."""
        self.directory = directory
        self.database = database
        self.settings = settings or {}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Beside the directory, so that the log has room when the tests fill the directory.
        self.log_path = directory.parent / f"{directory.name}.log"
        self.process: subprocess.Popen | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.prepare()

    @property
    def engine(self) -> str:
        return "sqlite" if self.database == "sqlite" else "postgres"

    def configuration(self) -> dict:
        """What its configuration file says, before the settings of the test."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Writes the configuration and whatever else must exist before the first start."""
        # JSON is YAML.
        configuration = merged(self.configuration(), self.settings)
        (self.directory / f"{self.kind}.yaml").write_text(json.dumps(configuration, indent=2))
        key = self.directory / "signing.key"
        key.write_text(self.signing_key + "\n")
        key.chmod(0o600)

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        # What the test run itself is told must not configure the server.
        return {name: value for name, value in os.environ.items() if not name.startswith("CHAPPE_")}

    # Life

    def start(self) -> "Server":
        """Starts the process and waits until it answers /versions."""
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self) -> None:
        assert self.process is None or self.process.poll() is not None, "already running"
        with self.log_path.open("ab") as log:
            log.write(f"---- start at {time.strftime('%H:%M:%S')}\n".encode())
        # Through a pipe, so that the tests which limit the size of the server's files do not limit its log.
        with self.log_path.open("ab") as log:
            self._log_writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log, start_new_session=True)
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=self._log_writer.stdin,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=self.environment(),
            start_new_session=True,
            # Leaves SIGXFSZ ignored, as Python has it: a write beyond the size limit then fails and does not kill.
            restore_signals=False,
        )
        self._log_writer.stdin.close()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with httpx.Client(timeout=2) as client:
            while True:
                if self.process.poll() is not None:
                    raise AssertionError(f"the server ended with {self.process.returncode} while starting:\n{self.log_tail()}")
                try:
                    if client.get(self.url + "/_matrix/client/versions").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                assert time.monotonic() < deadline, f"not ready after {READY_SECONDS} s:\n{self.log_tail()}"
                time.sleep(0.05)

    def stop(self, seconds: float = STOP_SECONDS) -> float:
        """Ends the process with SIGTERM, asserts that it ended cleanly, and returns how many seconds that took."""
        assert self.process is not None
        begun = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {seconds} s of SIGTERM:\n{self.log_tail()}") from None
        self._log_writer.wait(5)
        assert status == 0, f"exit status {status} after SIGTERM:\n{self.log_tail()}"
        return time.monotonic() - begun

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        self.process.kill()
        self.process.wait()
        self._log_writer.wait(5)

    def restart(self) -> None:
        self.stop()
        self.start()

    def end(self) -> None:
        """Whatever its state, leaves no process behind."""
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def finish(self) -> None:
        """Ends the server and frees what it kept on disk."""
        if self in RUNNING:
            RUNNING.remove(self)
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_tail(self, lines: int = 80) -> str:
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"


def chappe_binary() -> str:
    """The executable under test."""
    return os.environ.get("CHAPPE_BINARY", str(ROOT / ".build" / "debug" / "chappe"))


def synapse_python() -> str:
    """The Python that has Synapse: that of the tests, or that of `make bench`."""
    if python := os.environ.get("SYNAPSE_PYTHON"):
        return python
    environments = (ROOT / ".test" / "synapse-venv", ROOT / ".bench" / "venv")
    found = next((path for path in environments if (path / "requirements.installed").exists()), None)
    assert found, "there is no Synapse: run Tests/support/python-venv.sh .test/synapse-venv Tests/integration/requirements-synapse.txt"
    return str(found / "bin" / "python")


def memory_bytes(process: subprocess.Popen) -> int:
    """How much memory a process holds (its resident set)."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def merged(base: dict, changes: dict) -> dict:
    """`base` with the keys of `changes`, objects merged and everything else replaced."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


class Chappe(Server):
    """The server this project is."""

    kind = "chappe"

    def configuration(self) -> dict:
        return {
            "server_name": self.server_name,
            "public_base_url": self.url,
            "data_dir": str(self.directory),
            "database": "sqlite:chappe.db" if self.database == "sqlite" else self.database,
            "signing_key": "signing.key",
            "listeners": [
                {"bind": "127.0.0.1", "port": self.port, "serves": ["client", "admin", "metrics", "wellknown"]}
            ],
            "registration": {"mode": "open", "shared_secret": self.shared_secret, "guests": True},
            "rate_limits": {"enabled": False},
            "passwords": {"hashing": "cheap"},
            "federation": {"mode": "closed"},
        }

    def command(self) -> list[str]:
        return [chappe_binary(), "serve", "--config", str(self.directory / "chappe.yaml")]


class Synapse(Server):
    """Synapse, against which the tests themselves are proved, and with which Chappe federates."""

    kind = "synapse"
    passes_on_null = True

    def configuration(self) -> dict:
        if self.database == "sqlite":
            database = {"name": "sqlite3", "args": {"database": str(self.directory / "synapse.db")}}
        else:
            database = {
                "name": "psycopg2",
                "args": {**connection_arguments(self.database), "cp_min": 5, "cp_max": 10},
            }
        plenty = {"per_second": 1_000_000, "burst_count": 1_000_000}
        return {
            "server_name": self.server_name,
            "public_baseurl": self.url + "/",
            "pid_file": str(self.directory / "synapse.pid"),
            "listeners": [
                {
                    "port": self.port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "tls": False,
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "database": database,
            "log_config": str(self.directory / "log.yaml"),
            "media_store_path": str(self.directory / "media"),
            "signing_key_path": str(self.directory / "signing.key"),
            "report_stats": False,
            "macaroon_secret_key": "macaroon secret of the tests",
            "form_secret": "form secret of the tests",
            "registration_shared_secret": self.shared_secret,
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "allow_guest_access": True,
            "bcrypt_rounds": 4,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "default_room_version": "12",
            "room_list_publication_rules": [{"action": "allow"}],
            "user_directory": {"search_all_users": True},
            "max_upload_size": "100M",
            "rc_message": plenty,
            "rc_registration": plenty,
            "rc_registration_token_validity": plenty,
            "rc_login": {"address": plenty, "account": plenty, "failed_attempts": plenty},
            "rc_admin_redaction": plenty,
            "rc_joins": {"local": plenty, "remote": plenty},
            "rc_joins_per_room": plenty,
            "rc_invites": {"per_room": plenty, "per_user": plenty, "per_issuer": plenty},
            "rc_3pid_validation": plenty,
            "rc_key_requests": plenty,
            "rc_presence": {"per_user": plenty},
            "rc_delayed_event_mgmt": plenty,
            "rc_room_creation": plenty,
            "rc_media_create": plenty,
            "rc_reports": plenty,
            "rc_user_directory": plenty,
        }

    def prepare(self) -> None:
        super().prepare()
        log = {
            "version": 1,
            "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
            "root": {"level": "WARNING", "handlers": ["console"]},
            "disable_existing_loggers": False,
        }
        (self.directory / "log.yaml").write_text(json.dumps(log))

    def command(self) -> list[str]:
        return [synapse_python(), "-m", "synapse.app.homeserver", "--config-path", str(self.directory / "synapse.yaml")]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "SYNAPSE_ASYNC_IO_REACTOR": "0"}


KINDS: dict[str, type[Server]] = {kind.kind: kind for kind in (Chappe, Synapse)}
