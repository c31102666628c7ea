"""A network of our own between client and server, and what may go wrong on it."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Forwards to a server until told otherwise; a change holds for connections already open too."""

    host: str
    port: int
    listening: socket.socket = field(init=False)
    pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)
    accepted: int = 0
    mute: bool = False  # accept, and never answer
    delay: float = 0.0  # seconds each new connection waits for the server
    cut_after: int | None = None  # bytes of the server's answers to let through
    _passing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._passing.set()
        self.listening = _listener(0)
        self.local_port = self.listening.getsockname()[1]
        self._serve()

    def refuse(self) -> None:
        """Refuse new connections; open ones go on."""
        # a blocked accept() holds the socket open until it is shut down
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def accept_again(self) -> None:
        """Take new connections on the same port."""
        self.listening = _listener(self.local_port)
        self._serve()

    def hold(self) -> None:
        """Let nothing through in either direction, as when a cable is pulled."""
        self._passing.clear()

    def let_go(self) -> None:
        """Let through what was held, and all that follows."""
        self._passing.set()

    def reset(self) -> None:
        """Break every open connection with a TCP reset."""
        for pair in self.pairs:
            for end in pair:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                _shut(end)
        self.pairs.clear()

    def close(self) -> None:
        """End everything."""
        self.let_go()
        with suppress(OSError):
            self.refuse()
        self.reset()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self.listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                self.accepted += 1
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        time.sleep(self.delay)
        if self.mute:
            self.pairs.append((client, client))
            return
        try:
            server = socket.create_connection((self.host, self.port))
        except OSError:
            client.close()
            return
        self.pairs.append((client, server))
        threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
        self._pump(server, client, answers=True)

    def _pump(self, source: socket.socket, target: socket.socket, *, answers: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._passing.wait()
                target.sendall(self._what_is_let_through(data) if answers else data)
        _shut(source)
        _shut(target)

    def _what_is_let_through(self, data: bytes) -> bytes:
        if self.cut_after is None:
            return data
        data, self.cut_after = data[: self.cut_after], self.cut_after - len(data)
        if self.cut_after <= 0:
            raise ConnectionResetError
        return data


@contextmanager
def proxied(host: str, port: int) -> Iterator[Proxy]:
    """A proxy in front of a server, for the length of a block."""
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()


def _listener(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(256)
    return listening


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
