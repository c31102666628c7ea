"""What was measured, as a page of Markdown."""

import os
import platform
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.data import ANALYSES, TENANTS
from benchmarks.load import CONNECTIONS, quantile
from benchmarks.processes import Memory
from benchmarks.table import table

HEADS = ["", "ours", "bare", "ours/bare"]
DIFFERENCE = """
Both sides: one server with one configuration, the same rows and JSON fields, a JWT verified with PyJWT,
row-level security, ten connections for each worker. Bare: psycopg2's own pool; BEGIN, set_config, the
statement and COMMIT as four messages; nothing else. Ours as well: marshmallow both ways, strict JSON,
an id and a log line for each request, each tenant's state looked up every 5 s, problem details, Peewee
models. APP_ENV=test, which logs requests as production does (as text, not JSON), and no SQL.
"""


@dataclass
class Tally:
    """All rounds of one endpoint on one side; CPU in milliseconds."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    app_cpu: float = 0.0
    database_cpu: float = 0.0

    def figures(self) -> dict[str, float]:
        """What is reported of it, each figure by its name."""
        thousands = len(self.latencies) / 1000
        return {
            "requests/s": len(self.latencies) / self.seconds,
            "p50 ms": quantile(self.latencies, 0.5) * 1000,
            "p99 ms": quantile(self.latencies, 0.99) * 1000,
            "CPU ms per 1,000, application": self.app_cpu / thousands,
            "CPU ms per 1,000, database": self.database_cpu / thousands,
            "CPU ms per 1,000, both": (self.app_cpu + self.database_cpu) / thousands,
        }


@dataclass
class Result:
    """Everything that was measured; seconds unless it says otherwise."""

    rounds: int
    seconds: float
    db_check: float
    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    memory: dict[str, Memory] = field(default_factory=dict)
    start: dict[str, float] = field(default_factory=dict)
    logins: dict[str, int] = field(default_factory=dict)


def text(result: Result) -> str:
    """The page."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores shared with database and callers"
    load = f"{result.rounds} rounds of {result.seconds:g} s for each side in turn, {CONNECTIONS} connections"
    filled = f"{TENANTS} tenants with {ANALYSES:,} analyses each"
    return "\n".join(
        ["# HTTP: ours and bare", "", f"{filled}; {load}; {machine}.", DIFFERENCE, _tables(result), ""]
    )


def _tables(result: Result) -> str:
    endpoints = dict.fromkeys(name for name, _ in result.tallies)
    parts = [table([name, *HEADS[1:]], _endpoint(result, name)) for name in endpoints]
    parts.append(table(["the whole", *HEADS[1:]], _whole(result)))
    return "\n\n".join(parts)


def _endpoint(result: Result, name: str) -> list[list[str]]:
    ours, bare = result.tallies[name, "ours"].figures(), result.tallies[name, "bare"].figures()
    return [_row(label, ours[label], bare[label]) for label in ours]


def _whole(result: Result) -> list[list[str]]:
    ours, bare = result.memory["ours"], result.memory["bare"]
    return [
        _row("memory MiB, RSS summed", ours.rss, bare.rss),
        _row("memory MiB, PSS summed", ours.pss, bare.pss),
        ["log-ins to the database", str(result.logins["ours"]), str(result.logins["bare"]), ""],
        _row("first answer after s", result.start["ours"], result.start["bare"]),
        ["flask db-check s", f"{result.db_check:.2f}", "", ""],
    ]


def _row(label: str, ours: float, bare: float) -> list[str]:
    return [label, _shown(ours), _shown(bare), f"{ours / bare:.2f}" if bare else ""]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"  # noqa: PLR2004 - three figures are enough
