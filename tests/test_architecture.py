"""Who may import whom: a room imports only rooms in rows below its own."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEATURES = {folder.parent.name for folder in ROOT.glob("app/*/routes.py")}
# a feature may use the public names of those before it
FEATURE_ORDER = ("tenants", "rcas")
ROWS = [
    {"wsgi"},
    {"app"},
    {"cli", *FEATURES},
    {"http", "health", "metrics", "logs", "lifeline"},
    {"revision", "fleet"},
    {"migrate", "audit"},
    {"models", "catalog", "auth", "bootstrap"},
    {"tenancy"},
    {"database"},
    {"pool"},
    {"config", "naming"},
    {"errors"},
]
ROW_OF = {room: number for number, row in enumerate(ROWS) for room in row}
FILES = sorted(path for path in [*ROOT.glob("app/**/*.py"), ROOT / "wsgi.py"])

# which rooms, and which single files, may know of what is not ours
_UP_TO_HTTP = set().union(*ROWS[:4])
_ORM = {"cli", "migrate", "audit", "models", "catalog", "bootstrap", "tenancy", "database", "http", *FEATURES}
_DRIVER = {
    "pool",
    "database",
    "bootstrap",
    "catalog",
    "migrate",
    "audit",
    "revision",
    "fleet",
    "cli",
    "health",
}
OUTSIDE = {
    "flask": _UP_TO_HTTP | {"auth"},
    "peewee": _ORM,
    "playhouse": _ORM - {"cli", "http"},
    "click": {"app", "wsgi", "cli", "migrate/progress.py", *(f"{feature}/cli.py" for feature in FEATURES)},
    "psycopg2": _DRIVER,
}
# Peewee in http and cli: what a row or an error is called, and nothing that makes a statement
_PEEWEE_IN_HTTP = re.compile(r"Model\w*|\w+(Error|Exception)")
_POOL_KNOWS = {"psycopg2", "app", *sys.stdlib_module_names}


def room_of(module: str) -> str:
    """app.http.pages belongs to the room http, app itself and its own names to the assembly."""
    second = module.split(".")[1] if "." in module else module
    return second if second in ROW_OF else "app"


def imports_of(source: str) -> Iterator[str]:
    """The modules of the product that a source imports, `from app import x` as app.x."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "app")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "app":
            names = [node.module] if node.module != "app" else [f"app.{name.name}" for name in node.names]
            yield from names


def faults(room: str, source: str) -> list[str]:
    """The imports that point up or sideways."""
    found = []
    for module in imports_of(source):
        other = room_of(module)
        allowed = other == room or ROW_OF[other] > ROW_OF[room] or _is_earlier_feature(room, module)
        found += [] if allowed else [f"{room} imports {module}"]
    return found


def _is_earlier_feature(room: str, module: str) -> bool:
    """Whether a feature uses the public names of one that was declared before it."""
    if not {room, room_of(module)} <= {*FEATURE_ORDER} or module.count(".") > 1:
        return False
    return FEATURE_ORDER.index(room_of(module)) < FEATURE_ORDER.index(room)


def room_of_file(path: Path) -> str:
    """The room a file stands in."""
    first = place_of(path).split("/")[0].removesuffix(".py")
    return "app" if first == "__init__" else first


def place_of(path: Path) -> str:
    """A file's path in app/, as in `migrate/progress.py`."""
    return str(path.relative_to(ROOT)).removeprefix("app/")


def strangers(place: str, room: str, source: str) -> list[str]:
    """What a file knows of the outside and may not."""
    modules = [name.split(".")[0] for name, _ in outside_of(source)]
    found = [name for name in modules if name in OUTSIDE and not {place, room} & OUTSIDE[name]]
    if room == "pool":
        found += [name for name in modules if name not in _POOL_KNOWS]
    if room in {"cli", "http"}:
        found += [used for used in peewee_used(source) if not _PEEWEE_IN_HTTP.fullmatch(used)]
    return found


def outside_of(source: str) -> Iterator[tuple[str, list[str]]]:
    """The modules a source imports, each with the names it takes from it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((name.name, []) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [name.name for name in node.names]


def peewee_used(source: str) -> set[str]:
    """What of Peewee a source uses, whichever way it was imported."""
    taken = {name for module, names in outside_of(source) if module == "peewee" for name in names}
    attributes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    return taken | {
        node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "peewee"
    }


@pytest.mark.parametrize("path", FILES, ids=place_of)
def test_imports_point_down(path: Path) -> None:
    assert faults(room_of_file(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("database", "from app.models import Model"),
        ("tenants", "from app.rcas import RCA"),
        ("rcas", "from app.tenants.models import Tenant"),
        ("rcas", "from app.cli import check"),
        ("errors", "import app.config"),
        ("pool", "from app import tenancy"),
        ("pool", "from app.database import db"),
        ("tenancy", "from app.models import Model"),
        ("models", "from app.catalog import Finding"),
        ("migrate", "from app.http import Api"),
    ],
)
def test_an_import_that_points_up_or_sideways_is_found(room: str, source: str) -> None:
    assert faults(room, source)


def test_a_feature_may_use_the_public_names_of_an_earlier_one() -> None:
    assert faults("rcas", "from app.tenants import Tenant") == []


def test_every_feature_has_its_place_in_the_order() -> None:
    assert sorted(FEATURE_ORDER) == sorted(FEATURES)


@pytest.mark.parametrize("path", FILES, ids=place_of)
def test_a_room_knows_of_the_outside_what_its_row_may(path: Path) -> None:
    assert strangers(place_of(path), room_of_file(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("models/bases.py", "from flask import g"),
        ("migrate/run.py", "import flask"),
        ("metrics.py", "import peewee"),
        ("auth.py", "from playhouse.postgres_ext import BinaryJSONField"),
        ("http/pages.py", "from playhouse.postgres_ext import ServerSide"),
        ("http/pages.py", "from peewee import fn"),
        ("http/pages.py", "import peewee\nquery = peewee.Select()"),
        ("migrate/runner.py", "import click"),
        ("rcas/models.py", "import click"),
        ("http/frame.py", "import click"),
        ("models/bases.py", "import psycopg2"),
        ("tenancy/scope.py", "from psycopg2 import sql"),
        ("rcas/routes.py", "from psycopg2.extras import Json"),
        ("pool/pool.py", "import peewee"),
        ("pool/pool.py", "import cachetools"),
    ],
)
def test_a_stranger_is_found(place: str, source: str) -> None:
    assert strangers(place, place.split("/", maxsplit=1)[0].removesuffix(".py"), source)


def test_every_room_has_its_row() -> None:
    assert {room_of_file(path) for path in FILES} <= ROW_OF.keys()


@pytest.mark.parametrize("path", FILES, ids=place_of)
def test_functions_import_nothing(path: Path) -> None:
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    inner = [node for function in functions for node in ast.walk(function)]
    assert not [node for node in inner if isinstance(node, ast.Import | ast.ImportFrom)]


def test_no_cycles() -> None:
    graph = {module_of(path): set(imports_of(path.read_text())) for path in FILES}
    assert cycle_in(graph) == []


def test_a_cycle_is_found() -> None:
    assert cycle_in({"app.a": {"app.b"}, "app.b": {"app.a"}})


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """The modules left when those that import nothing any more are taken away, again and again."""
    left = dict(graph)
    while free := [name for name, imports in left.items() if not (imports & left.keys()) - {name}]:
        for name in free:
            del left[name]
    return sorted(left)


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_every_feature_has_the_same_files(feature: str) -> None:
    names = {path.name for path in (ROOT / "app" / feature).glob("*.py")}
    assert {"__init__.py", "models.py", "schemas.py", "routes.py"} <= names


def readers_of_the_environment(sources: dict[str, str]) -> set[str]:
    """The files that look into the environment themselves."""
    return {place for place, source in sources.items() if "os.environ" in source or "getenv" in source}


def test_only_the_settings_read_the_environment() -> None:
    """But for the folder of the metrics, which prometheus_client looks for itself."""
    found = readers_of_the_environment({place_of(path): path.read_text() for path in FILES})
    assert found <= {"metrics.py", "wsgi.py"}


def test_another_reader_is_found() -> None:
    assert readers_of_the_environment({"a.py": "import os\nos.environ['A']", "b.py": ""}) == {"a.py"}
