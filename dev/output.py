"""What a program of ours writes, passed on to the terminal."""

import os
import re
import select
import sys
import threading
from contextlib import suppress
from typing import IO

# a line of the product's log that nobody need read while a server starts or ends (app/logs.py)
ROUTINE = re.compile(rb"\d\d:\d\d:\d\d (?:DEBUG|INFO) ")


class Output:
    """Passes on all there is, byte by byte; while it is quiet it leaves the routine lines out."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._quiet = True
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def be(self, *, quiet: bool) -> None:
        """Leave routine lines out from now on, or no longer; what was written before is treated as before."""
        with self._turn:
            while not self._source.closed and self._is_readable() and self._pass_on():
                pass
            self._quiet = quiet

    def end(self) -> None:
        """Wait a moment for the last lines of a program that has ended."""
        self._thread.join(1)

    def _pump(self) -> None:
        more = True
        while more:
            select.select([self._source], [], [])
            with self._turn:
                more = not self._is_readable() or self._pass_on()
        with self._turn:
            self._source.close()

    def _is_readable(self) -> bool:
        return bool(select.select([self._source], [], [], 0)[0])

    def _pass_on(self) -> bool:
        """Pass on what there is; tell whether there may be more."""
        data = os.read(self._source.fileno(), 1 << 16)
        lines = data.splitlines(keepends=True) if self._quiet else [data]
        with suppress(OSError):  # the terminal is gone
            for line in lines:
                if not (self._quiet and ROUTINE.match(line)):
                    os.write(sys.stderr.fileno(), line)
        return bool(data)
