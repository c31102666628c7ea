"""The tests say the same whatever the environment of their caller holds."""

import os
import subprocess
import sys

from app.config import SettingsSchema
from tests.environment import of_the_product
from tests.processes import ROOT

VARIABLES = [*SettingsSchema().fields, "DB_PASSWORD_FILE", "PGOPTIONS", "PROMETHEUS_MULTIPROC_DIR"]
NAMES = "print(*os.environ)"


def test_no_variable_of_the_product_reaches_a_test() -> None:
    assert seen(f"import os, tests.conftest; {NAMES}") == []


def test_they_would_without_the_package() -> None:
    """The positive control of the test above."""
    assert seen(f"import os; {NAMES}") == sorted(VARIABLES)


def test_what_the_caller_chooses_is_heard() -> None:
    assert of_the_product(["PG_BINDIR", "FLASK_SKIP_DOTENV", "HOME", "PATH"]) == []


def seen(script: str) -> list[str]:
    """The product's variables that a script finds which is started with all of them."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | dict.fromkeys(VARIABLES, "1"),
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(set(done.stdout.split()) & set(VARIABLES))
