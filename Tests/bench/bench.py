"""The same load on Chappe and on Synapse, in one run, and what it cost each.

    bench.py [--servers chappe,chappe-postgres,synapse,synapse-postgres] [--scenarios send-1,…] [--scale 1.0]

Both servers run on this machine with durable commits, rate limits off and cheap password hashing, so that registering the
users does not drown what is measured. PostgreSQL is a private cluster with fsync on; its backends' CPU time is reported
beside the server's own. Times are wall-clock from the generator; CPU is what /proc says the server's processes used
meanwhile. Results go to the terminal and, with everything that was measured, to .bench/results.json.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "integration"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import neighbors  # noqa: E402
import scenarios as local  # noqa: E402
from harness.postgres import Cluster  # noqa: E402
from harness.servers import Server  # noqa: E402
from report import table  # noqa: E402
from scenarios import Bench  # noqa: E402

SCENARIOS = local.SCENARIOS | neighbors.SCENARIOS

SERVERS = ("chappe", "chappe-postgres", "synapse", "synapse-postgres")

SETTINGS = {
    "chappe": {"log": {"level": "warning"}},
    # Otherwise Synapse answers a repeated /sync from a cache of responses, without doing what is to be measured.
    "synapse": {"caches": {"sync_response_cache_duration": "0s"}},
}


def make_server(name: str, neighborhood: neighbors.Neighborhood, cluster: Cluster | None) -> Server:
    kind, _, postgres = name.partition("-")
    database = cluster.create_database() if postgres else "sqlite"
    return neighborhood.make(kind, name, database)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--servers", default=",".join(SERVERS))
    arguments.add_argument("--scenarios", default=",".join(SCENARIOS))
    arguments.add_argument("--scale", type=float, default=1.0, help="multiplies how much of each load is applied")
    arguments.add_argument("--results", type=Path, default=ROOT / ".bench" / "results.json")
    chosen = arguments.parse_args()
    servers, scenarios = chosen.servers.split(","), chosen.scenarios.split(",")
    for unknown in (set(servers) - set(SERVERS)) | (set(scenarios) - SCENARIOS.keys()):
        arguments.error(f"unknown: {unknown}; servers: {', '.join(SERVERS)}; scenarios: {', '.join(SCENARIOS)}")

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for 2,000 connections, here and in what we start
    os.environ["CHAPPE_BINARY"] = str(ROOT / ".build" / "release" / "chappe")
    directory = Path(tempfile.mkdtemp(prefix="chappe-bench-"))
    cluster = Cluster.start() if any(name.endswith("-postgres") for name in servers) else None
    neighborhood = neighbors.Neighborhood(directory, SETTINGS)
    results: dict[str, dict] = {}
    try:
        for name in servers:
            server = make_server(name, neighborhood, cluster)
            print(f"{name}: starting", file=sys.stderr, flush=True)
            server.start()
            try:
                bench = Bench(server, cluster if name.endswith("-postgres") else None, chosen.scale, neighborhood)
                for scenario in scenarios:
                    results.setdefault(scenario, {})[name] = measured(bench, scenario, name)
                    # What was measured is kept, whatever comes after.
                    save(chosen.results, chosen.scale, results)
                server.end()
            finally:
                if server.process.poll() is None:
                    server.kill()
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(table(results, servers))
    return 1 if any("error" in result for of_servers in results.values() for result in of_servers.values()) else 0


def measured(bench: Bench, scenario: str, name: str) -> dict:
    """What a scenario measured; a scenario that fails says why, and does not take the others with it."""
    begun = time.monotonic()
    load = os.getloadavg()[0]
    try:
        if bench.server.process.poll() is not None:
            bench.server.start()
        result = SCENARIOS[scenario](bench)
        said = "took"
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"[:1000]}
        said = f"failed ({result['error'][:300]}) after"
    print(f"{name}: {scenario} {said} {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    return {**result, "load_before": round(load, 2)}


def save(path: Path, scale: float, results: dict[str, dict]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "scale": scale, "results": results}, indent=2) + "\n")


def machine() -> dict:
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {
        "cores": os.cpu_count(), "system": platform.platform(), "revision": revision,
        "load_before": os.getloadavg()[0], "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


if __name__ == "__main__":
    sys.exit(main())
