"""The PostgreSQL cluster of the test run, and one database a server."""

import itertools
import os
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

SCRIPT = Path(__file__).resolve().parents[2] / "support" / "postgres-cluster.sh"

_numbers = itertools.count(1)


class Cluster:
    """A PostgreSQL server that tests may stop and start.

    `url` is a connection string to its maintenance database, as a superuser without password.
    """

    def __init__(self, url: str, directory: str | None):
        self.url = url
        self.directory = directory

    @classmethod
    def start(cls) -> "Cluster":
        """Starts a cluster of one's own, to be ended with `stop`."""
        directory = tempfile.mkdtemp(prefix="chappe-pg-")
        output = subprocess.run([SCRIPT, "start", directory], check=True, capture_output=True, text=True).stdout
        return cls(url=output.strip(), directory=directory)

    @classmethod
    def of_environment(cls) -> "Cluster | None":
        """The cluster that `make test` started, if it did."""
        url = os.environ.get("CHAPPE_TEST_POSTGRES")
        return cls(url, None) if url else None

    def pause(self) -> None:
        """Stops PostgreSQL at once; connections break."""
        subprocess.run([SCRIPT, "pause", self.directory], check=True)

    def resume(self) -> None:
        subprocess.run([SCRIPT, "resume", self.directory], check=True)

    def stop(self) -> None:
        if self.directory:
            subprocess.run([SCRIPT, "stop", self.directory], check=True)

    def create_database(self) -> str:
        """Makes an empty database and returns its URL."""
        name = f"chappe_{os.getpid()}_{next(_numbers)}"
        # Synapse insists on this locale; Chappe takes any.
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def execute(self, sql: str) -> str:
        result = subprocess.run(
            ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", self.url, "--command", sql],
            capture_output=True, text=True, cwd="/",
        )
        if result.returncode:
            raise RuntimeError(f"{sql}: {result.stderr}")
        return result.stdout.strip()


def connection_arguments(url: str) -> dict:
    """The parts of a database URL by the names that psycopg2 (and so Synapse) knows."""
    parts = urlsplit(url)
    named = {"user": parts.username, "host": parts.hostname, "port": parts.port, "dbname": parts.path.strip("/")}
    return {name: value for name, value in named.items() if value} | dict(parse_qsl(parts.query))
