"""The commands with which administrators speak to a running server."""

import json
import os
import subprocess

from .servers import chappe_binary


class CommandLine:
    """Commands for a running server, over its socket."""

    def __init__(self, server):
        self.configuration = server.directory / "chappe.yaml"

    def __call__(self, *arguments, status: int = 0, given: str = "", environment: dict | None = None, socket: bool = True):
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("CHAPPE_")}
        where = ("--config", self.configuration) if socket else ()
        result = subprocess.run(
            [chappe_binary(), *map(str, arguments), *map(str, where)], input=given, capture_output=True, text=True,
            timeout=120, env={**surroundings, **(environment or {})},
        )
        assert result.returncode == status, f"{arguments}: status {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def json(self, *arguments, **options):
        return json.loads(self(*arguments, "--json", **options).stdout)

    def trail(self, subject: str) -> list[dict]:
        """What the audit trail tells of a subject, the latest first."""
        return [{**entry, **json.loads(entry["entry"])} for entry in self.json("audit", "search", "--subject", subject)]
