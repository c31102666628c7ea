"""Leaked connections: who held one, and where it was taken.

Noting that costs half a microsecond at each check-out: a frame's code and the index of its instruction, no
text and no line numbers. Frames themselves are not kept, for they would keep their variables alive.
"""

import os
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any

_DEPTH = 16
_POOL = f"{Path(__file__).parent}{os.sep}"


class _Token:
    """Stands for a thread: it dies with the thread's locals."""

    __slots__ = ("__weakref__", "reference")

    def __init__(self) -> None:
        self.reference: weakref.ref[Any] = weakref.ref(self)


class ThreadOwners(threading.local):
    """For each thread an object that ends when the thread does."""

    def __init__(self) -> None:
        self._token = _Token()

    @property
    def current(self) -> weakref.ref[Any]:
        """A reference that dies with the calling thread."""
        return self._token.reference


def note_caller() -> list[tuple[CodeType, int]]:
    """The innermost frames outside this function's caller, as code and instruction."""
    found: list[tuple[CodeType, int]] = []
    frame = sys._getframe(2)
    while len(found) < _DEPTH:
        found.append((frame.f_code, frame.f_lasti))
        if frame.f_back is None:
            break
        frame = frame.f_back
    return found


def describe(frames: Sequence[tuple[CodeType, int]], passed_through: Sequence[str] = ()) -> str:
    """Name the innermost place outside the pool and the paths given: `file:line in function`."""
    for code, instruction in frames:
        if not code.co_filename.startswith((_POOL, *passed_through)):
            return f"{code.co_filename}:{_line(code, instruction)} in {code.co_name}"
    return "an unknown place"


def _line(code: CodeType, instruction: int) -> int:
    lines = (line for start, end, line in code.co_lines() if start <= instruction < end)
    return next((line for line in lines if line), code.co_firstlineno)
