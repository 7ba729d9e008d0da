"""The table that `make bench` prints."""

#: A row's measures: its name in the results, its title, how it is written, and whether more is better.
MEASURES = {
    "per_second": ("per second", "{:,.0f}", True),
    "p50_milliseconds": ("p50 ms", "{:,.2f}", False),
    "p99_milliseconds": ("p99 ms", "{:,.2f}", False),
    "cpu_seconds_per_1000": ("CPU s / 1,000", "{:,.3f}", False),
    "postgres_cpu_seconds_per_1000": ("PostgreSQL CPU s / 1,000", "{:,.3f}", False),
    "peer_cpu_seconds_per_1000": ("the peer's CPU s / 1,000", "{:,.3f}", False),
    "answered_milliseconds": ("ms to the answer", "{:,.0f}", False),
    "complete_milliseconds": ("ms to completeness", "{:,.0f}", False),
    "cpu_seconds": ("CPU s", "{:,.2f}", False),
    "postgres_cpu_seconds": ("PostgreSQL CPU s", "{:,.2f}", False),
    "memory_mib": ("memory MiB", "{:,.0f}", False),
    "own_memory_mib": ("  without files' pages", "{:,.0f}", False),
    "milliseconds": ("ms", "{:,.0f}", False),
}


def reference(name: str) -> str:
    """Synapse on the same database engine."""
    return "synapse-postgres" if name.endswith("-postgres") else "synapse"


def ratio(measure: str, value: float, of_synapse: float) -> str:
    """How many times better than Synapse."""
    better = value / of_synapse if MEASURES[measure][2] else of_synapse / value
    return f"{better:,.1f}×" if better < 100 else f"{better:,.0f}×"


def table(results: dict[str, dict], servers: list[str]) -> str:
    """Rows: scenario and measure. Columns: the servers, and how many times better Chappe is than Synapse in this run."""
    compared = [name for name in servers if name.startswith("chappe") and reference(name) in servers]
    rows = [["", "", *servers, *(f"{name} : {reference(name)}" for name in compared)]]
    for scenario, of_servers in results.items():
        title = scenario
        if any("error" in result for result in of_servers.values()):
            rows.append([title, "", *("failed" if "error" in of_servers.get(name, {}) else "" for name in servers)])
            rows[-1] += [""] * len(compared)
            title = ""
        for measure, (name, pattern, _) in MEASURES.items():
            if not any(measure in result for result in of_servers.values()):
                continue
            row = [title, name]
            title = ""
            for server in servers:
                value = of_servers.get(server, {}).get(measure)
                row.append("" if value is None else pattern.format(value))
            for server in compared:
                pair = (of_servers.get(server, {}).get(measure), of_servers.get(reference(server), {}).get(measure))
                row.append(ratio(measure, *pair) if all(pair) else "")
            rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)
