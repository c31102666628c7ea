"""Who may import whom: a room imports only rooms in rows below its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEATURES = {folder.parent.name for folder in ROOT.glob("app/*/routes.py")}
ROWS = [
    {"app", "wsgi"},
    {"cli", *FEATURES},
    {"http", "health", "metrics", "logs"},
    {"auth", "models", "catalog", "migrate", "bootstrap"},
    {"database"},
    {"pool", "tenancy"},
    {"config", "naming"},
    {"errors"},
]
ROW_OF = {room: number for number, row in enumerate(ROWS) for room in row}
FILES = sorted(path for path in ROOT.glob("app/**/*.py"))


def room_of(module: str) -> str:
    """app.http.pages belongs to the room http, app itself to the assembly."""
    return module.split(".")[1] if "." in module else module


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
    others = {room_of(module) for module in imports_of(source)} - {room}
    return [f"{room} imports {other}" for other in sorted(others) if ROW_OF[other] <= ROW_OF[room]]


def room_of_file(path: Path) -> str:
    """The room a file of app/ stands in."""
    first = path.relative_to(ROOT / "app").parts[0].removesuffix(".py")
    return "app" if first == "__init__" else first


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    assert faults(room_of_file(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("database", "from app.models import Model"),
        ("rcas", "from app.tenants import Tenant"),
        ("errors", "import app.config"),
        ("pool", "from app import tenancy"),
    ],
)
def test_an_import_that_points_up_or_sideways_is_found(room: str, source: str) -> None:
    assert faults(room, source)


def test_every_room_has_its_row() -> None:
    assert {room_of_file(path) for path in FILES} <= ROW_OF.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
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


def test_only_the_settings_read_the_environment() -> None:
    readers = [path for path in FILES if "os.environ" in path.read_text() or "getenv" in path.read_text()]
    assert readers == []
