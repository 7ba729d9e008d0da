"""Administration as Synapse has it: the program that administrators use, and plain requests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from .clients import Client, path

V1 = "/_synapse/admin/v1"
V2 = "/_synapse/admin/v2"
V3 = "/_synapse/admin/v3"


class Synadm:
    """The program that administrators of Synapse use."""

    def __init__(self, server, administrator: Client, directory: Path):
        self.home = directory
        self.configuration = directory / "synadm.yaml"
        self.configuration.write_text(yaml.safe_dump({
            "user": administrator.user, "token": administrator.token, "protocol": "http", "base_url": server.url,
            "admin_path": "/_synapse/admin", "matrix_path": "/_matrix", "format": "json", "timeout": 60,
            "server_discovery": "well-known", "homeserver": server.server_name, "ssl_verify": False,
        }))

    def text(self, *arguments: str) -> str:
        result = subprocess.run(
            [Path(sys.executable).parent / "synadm", "--batch", "-c", self.configuration, "-o", "json", *map(str, arguments)],
            capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(self.home)},
        )
        assert result.returncode == 0, f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def __call__(self, *arguments: str):
        """What it was answered: the last thing that it prints, after what it says of its own accord."""
        text = self.text(*arguments)
        starts = [place for place, letter in enumerate(text) if letter == "{" and (place == 0 or text[place - 1] == "\n")]
        return json.loads(text[starts[-1]:])


class Asker:
    """Asks for something under the administration API: `ask("GET", V1, "rooms", …)`."""

    def __init__(self, administrator: Client):
        self.administrator = administrator

    def __call__(self, method: str, base: str, *parts: str, expect: int | tuple[int, ...] = 200, **options):
        if method in ("POST", "PUT") and "json" not in options:
            options["json"] = {}
        return self.administrator.request(method, path(*parts, base=base), schema=False, expect=expect, **options).json()

    def trail(self, subject: str) -> list[dict]:
        """What the audit trail tells of a subject, oldest first."""
        page = self("GET", "/_chappe/admin/v1", "audit", params={"subject": subject})
        return [{**entry, **json.loads(entry["entry"])} for entry in reversed(page["entries"])]


def acts(entries: list[dict], actor: str) -> list[str]:
    """What an actor did, of some entries of the audit trail."""
    return [entry["action"] for entry in entries if entry["actor"] == actor]


def upload(client: Client, content: bytes, name: str, kind: str = "text/plain") -> str:
    """Uploads a file, and returns its media ID."""
    answer = client.request(
        "POST", "/_matrix/media/v3/upload", params={"filename": name}, content=content, headers={"content-type": kind}, schema=False)
    return answer.json()["content_uri"].rsplit("/", 1)[1]
