"""What becomes of a server's processes: reloaded, killed, crowded."""

import asyncio
import os
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Event

import pytest

from app.config import Settings
from app.http import FixApp
from app.tenants import Tenant
from tests.factories import bearer, make_environment, make_rca
from tests.faults.freeze import processes_of
from tests.processes import GUNICORN, ROOT, SERVERS, Served, environment, serving
from tests.waiting import wait_until

each_server = pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
# the two seconds in which a worker sees that its master is gone, on a machine three times slower
SOON = 8


# --- killed ----------------------------------------------------------------------------------------


@each_server
def test_workers_end_soon_after_a_master_that_was_killed(
    app: FixApp, settings: Settings, command: list[str]
) -> None:
    with serving(command, make_environment(settings)) as served:
        served.ask("GET", "/health")
        workers = [pid for pid in processes_of(served.process.pid) if pid != served.process.pid]
        assert len(workers) >= 2
        served.process.kill()
        served.process.wait()
        wait_until(lambda: not any(map(is_alive, workers)), SOON)


def test_a_parent_that_is_no_server_may_go() -> None:
    """The other way round: a process that a shell started outlives the shell."""
    code = (
        "import os, time; from app import lifeline; lifeline.hold_on(os.getppid());"
        " print('up', flush=True); time.sleep(60)"
    )
    shell = f'{SERVERS["gunicorn"][0]} -c "{code}" & echo $!; wait'
    variables = environment({"APP_ENV": "test", "DB_PASSWORD": "x" * 20, "JWT_SECRET": "y" * 40})
    with Popen(
        ["sh", "-c", shell], cwd=ROOT, env=variables, stdout=PIPE, stderr=DEVNULL, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "up\n"
        parent.kill()
        parent.wait()
        with pytest.raises(AssertionError):
            wait_until(lambda: not is_alive(child), 2)
        os.kill(child, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


# --- reloaded --------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the code, to be changed while it is served."""
    for name in ("app", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("wsgi.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_a_reload_serves_the_new_code_and_drops_no_request(
    app: FixApp, settings: Settings, project: Path
) -> None:
    variables = make_environment(settings) | {"PYTHONPATH": str(project)}
    with serving(GUNICORN, variables, folder=project) as served, asking(served, "/health/live") as answers:
        deploy(project)
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: answers[-20:] == ["new"] * 20, 30)
    assert set(answers) == {"ok", "new"}
    assert answers.index("new") > answers.index("ok")


def deploy(project: Path) -> None:
    """Let liveness answer otherwise than before."""
    health = project / "app" / "health.py"
    health.write_text(
        health.read_text().replace('return {"status": "ok"}, 200', 'return {"status": "new"}, 200', 1)
    )


@contextmanager
def asking(served: Served, path: str) -> Iterator[list[str]]:
    """Ask again and again; what was answered, or the error."""
    answers, done = [""], Event()

    def ask() -> None:
        while not done.is_set():
            try:
                answers.append(served.ask("GET", path)[1]["status"])
            except OSError as error:
                answers.append(repr(error))

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask) for _ in range(2)]
        wait_until(lambda: len(answers) > 5, 20)
        answers.pop(0)
        yield answers
        done.set()
        for one in asked:
            one.result()


# --- crowded ---------------------------------------------------------------------------------------


@each_server
def test_a_thousand_clients_of_one_tenant_are_all_served(
    app: FixApp, settings: Settings, acme: Tenant, command: list[str]
) -> None:
    path = f"/api/v1/rcas/{make_rca(acme).id}"
    head = "\r\n".join(f"{name}: {value}" for name, value in bearer(app, acme).items())
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n".encode()
    with serving(command, make_environment(settings)) as served, many_files():
        statuses = asyncio.run(crowd(served.port, request, clients=1000, each=3))
    assert statuses == {200: 3000}


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process have a thousand sockets."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def crowd(port: int, request: bytes, *, clients: int, each: int) -> Counter[int]:
    """Clients that keep their connections and ask without a pause; the statuses of all answers."""
    found: Counter[int] = Counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(each):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            found[int(head.split()[1])] += 1
            lines = dict(line.lower().split(b": ") for line in head.splitlines()[1:] if line)
            await reader.readexactly(int(lines[b"content-length"]))
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return found
