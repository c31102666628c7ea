"""The steps on the way to a running server, told to a person at a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NOTICEABLE = 2  # seconds


@dataclass
class Step:
    """What a step has done, in words; no words, nothing worth telling."""

    done: str


@contextmanager
def step(done: str) -> Iterator[Step]:
    """Tick a step off when it went well, with its seconds where it took noticeably long."""
    began = time.monotonic()
    this = Step(done)
    yield this
    seconds = time.monotonic() - began
    if this.done:
        say(f"✓ {this.done} ({seconds:.1f} s)" if seconds > NOTICEABLE else f"✓ {this.done}")


def say(line: str) -> None:
    """Print a line at once: other programs' lines go to the same terminal."""
    print(line, flush=True)
