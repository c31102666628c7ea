"""Where a connection was taken: noted at each check-out, worked out only for a leak.

Noting costs half a microsecond: a frame's code and the index of its instruction, no text and no line
numbers. Frames themselves are not kept, for they would keep their variables alive.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

import peewee

_DEPTH = 16
_OURS = str(Path(__file__).parent)
_PASSED_THROUGH = (_OURS, str(Path(peewee.__file__)), str(Path(_OURS).with_name("database.py")))


def note() -> list[tuple[CodeType, int]]:
    """The innermost frames, as code and instruction."""
    found: list[tuple[CodeType, int]] = []
    frame = inspect.currentframe()
    while frame is not None and len(found) < _DEPTH:
        found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return found


def describe(frames: Sequence[tuple[CodeType, int]]) -> str:
    """The innermost place that is neither the pool nor Peewee: `file:line in function`."""
    for code, instruction in frames:
        if not code.co_filename.startswith(_PASSED_THROUGH):
            return f"{code.co_filename}:{_line(code, instruction)} in {code.co_name}"
    return "an unknown place"


def _line(code: CodeType, instruction: int) -> int:
    lines = (line for start, end, line in code.co_lines() if start <= instruction < end)
    return next((line for line in lines if line), code.co_firstlineno)
