"""A load generator: some keep-alive connections, each asking again once it was answered.

One thread without an HTTP library, because it shares the machine with what it measures.
"""

import gc
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CONNECTIONS = 8
PATIENCE = 10  # seconds for an answer


@dataclass
class Load:
    """What was answered, and how fast."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return len(self.latencies)


class UnexpectedAnswerError(Exception):
    """An answer with another status than the one expected; its text is the message."""


def request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def run(port: int, requests: Iterator[bytes], expected: int, seconds: float) -> Load:
    """Send requests for some seconds; raises UnexpectedAnswerError for any other status."""
    callers = [_Caller(port, expected) for _ in range(CONNECTIONS)]
    gc.disable()
    try:
        return _drive(callers, requests, seconds)
    finally:
        gc.enable()
        for caller in callers:
            caller.socket.close()


def _drive(callers: list["_Caller"], requests: Iterator[bytes], seconds: float) -> Load:
    load, began = Load(), time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for caller in callers:
            selector.register(caller.socket, selectors.EVENT_READ, caller)
            caller.send(next(requests))
        while time.perf_counter() - began < seconds:
            ready = selector.select(PATIENCE)
            if not ready:
                raise UnexpectedAnswerError(f"no answer for {PATIENCE} s")
            for key, _ in ready:
                _take(key.data, requests, load)
    load.seconds = time.perf_counter() - began
    return load


def _take(caller: "_Caller", requests: Iterator[bytes], load: Load) -> None:
    if caller.receive():
        load.latencies.append(time.perf_counter() - caller.sent)
        caller.send(next(requests))


class _Caller:
    """One connection with one request on its way."""

    def __init__(self, port: int, expected: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._status_line = b"HTTP/1.1 %d " % expected
        self._received = b""
        self._missing = 0

    def send(self, text: bytes) -> None:
        self._received, self._missing = b"", 0
        self.sent = time.perf_counter()
        self.socket.sendall(text)

    def receive(self) -> bool:
        """Take what has come and tell whether the answer is complete."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise UnexpectedAnswerError("the server hung up")
        if self._missing:
            self._missing -= len(chunk)
            return self._missing == 0
        self._received += chunk
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return False
        self._missing = self._length(head) - len(body)
        return self._missing == 0

    def _length(self, head: bytes) -> int:
        if not head.startswith(self._status_line):
            raise UnexpectedAnswerError(self._received.decode(errors="replace"))
        _, _, rest = head.lower().partition(b"\r\ncontent-length:")
        return int(rest.split(b"\r\n", 1)[0])


def quantile(values: list[Any], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return float(ordered[min(int(len(ordered) * share), len(ordered) - 1)])
