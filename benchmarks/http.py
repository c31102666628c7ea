"""Read one, list 50, create: this product against the same endpoints in bare Flask and psycopg2."""

import argparse
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from app.auth import ALGORITHM, AUDIENCE, ISSUER
from benchmarks import load, processes, report
from benchmarks.data import Data, database, flask
from benchmarks.report import Result, Tally
from benchmarks.servers import SERVERS, Server, both

RESULTS = Path(__file__).parent / "results" / "http.md"
PATH = "/api/v1/rcas"
EXPECTED = {"read one": 200, "list 50": 200, "create": 201}
BODY = json.dumps(
    {
        "title": "Feed pump P-101 trips on overload",
        "issue_description": "Three trips in one week, each about 40 minutes after a cold start.",
        "equipment_type": "centrifugal pump",
    }
).encode()
LOGINS = {"ours": "fixapp ", "bare": "bare"}
WARM_UP = 0.5  # seconds for each side and endpoint, before the first round
ATTEMPTS = 3


def main() -> None:
    """Measure, print the table and write it to a file."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    # longer than the 5 s for which ours keeps a tenant's state would count too few look-ups, shorter too many
    options.add_argument("--seconds", type=float, default=5.0, help="for each side and endpoint in a round")
    options.add_argument("--server", choices=SERVERS, default=SERVERS[0], help="what serves both sides")
    given = options.parse_args()
    with database() as data:
        text = report.text(_measure(data, given.server, given.rounds, given.seconds))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    print(text)


def _measure(data: Data, server: str, rounds: int, seconds: float) -> Result:
    result = Result(rounds, seconds, db_check=_db_check(data))
    with both(server, data.environment) as servers:
        requests = {name: _requests(name, data) for name in EXPECTED}
        for name, side in itertools.product(EXPECTED, servers):
            load.run(servers[side].port, requests[name], EXPECTED[name], WARM_UP)
        for number in range(rounds):
            # A B, then B A: whatever drifts or grows meets both alike
            sides = list(servers) if number % 2 == 0 else list(servers)[::-1]
            for name, side in itertools.product(EXPECTED, sides):
                _tell(f"round {number + 1} of {rounds}: {name}, {side}")
                tally = result.tallies[name, side]
                _round(tally, servers[side], data, requests[name], EXPECTED[name], seconds)
        _tell("")
        result.memory = {side: processes.memory(server.pid) for side, server in servers.items()}
        # many would mean that connections are not kept, and that log-ins were measured
        result.logins = {side: data.logins(LOGINS[side]) for side in servers}
        result.start = {side: server.seconds_to_start for side, server in servers.items()}
    return result


def _round(
    tally: Tally, server: Server, data: Data, requests: Iterator[bytes], expected: int, seconds: float
) -> None:
    database_pid = data.server.pid() or 0
    before = processes.cpu(server.pid), processes.cpu(database_pid)
    done = load.run(server.port, requests, expected, seconds)
    tally.app_cpu += processes.cpu(server.pid) - before[0]
    tally.database_cpu += processes.cpu(database_pid) - before[1]
    tally.seconds += done.seconds
    tally.latencies += done.latencies


def _tell(progress: str) -> None:
    """Show where it is, on one line; a log needs no such lines."""
    if sys.stderr.isatty():
        print(f"\r{progress:<40}\r", end="", file=sys.stderr, flush=True)


def _requests(name: str, data: Data) -> Iterator[bytes]:
    """Endless requests of one kind, of all tenants in turn by chance."""
    tokens = {tenant: _token(tenant, data) for tenant, _ in data.sample}
    made = []
    for tenant, analysis in data.sample:
        match name:
            case "read one":
                made.append(load.request("GET", f"{PATH}/{analysis}", tokens[tenant]))
            case "list 50":
                made.append(load.request("GET", f"{PATH}?limit=50", tokens[tenant]))
            case _:
                made.append(load.request("POST", PATH, tokens[tenant], BODY))
    random.shuffle(made)
    return itertools.cycle(made)


def _token(tenant: str, data: Data) -> str:
    now = datetime.now(UTC)
    claims = {
        "sub": "client:bench",
        "tenant": tenant,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + timedelta(hours=1),
        "jti": tenant,
    }
    return jwt.encode(claims, data.environment["JWT_SECRET"], algorithm=ALGORITHM)


def _db_check(data: Data) -> float:
    """The best of some runs of `flask db-check`, in seconds."""
    seconds = []
    for _ in range(ATTEMPTS):
        began = time.perf_counter()
        flask(data.environment, "db-check")
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
