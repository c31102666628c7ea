"""How far a data migration is: a bar at a terminal, a line in a log."""

import sys
import time
from typing import Any, Self

import click


class Progress:
    """Shows the rows of a table as they are done, and how many there are in a second."""

    def __init__(self, table: str, expected: int) -> None:
        self.table = table
        self.rows = 0
        self._started = time.monotonic()
        self._bar: Any = click.progressbar(
            length=expected,
            label=f"  {table}",
            show_pos=True,
            item_show_func=lambda _: f"{self.rate:,.0f} rows/s",
            file=sys.stderr,
        )

    @property
    def rate(self) -> float:
        """Rows in a second, since the start."""
        return self.rows / max(time.monotonic() - self._started, 1e-6)

    def advance(self, rows: int) -> None:
        """Some more are done."""
        self.rows += rows
        self._bar.update(rows)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.__exit__(*failure)
        if failure[0] is None:
            click.echo(f"  {self.table}: {self.rows:,} rows, {self.rate:,.0f} rows/s", err=True)
