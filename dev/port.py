"""What sits on a TCP port."""

import os
import socket
import struct
from enum import Enum, auto
from itertools import count

PATIENCE = 3.0  # seconds
# A StartupMessage of protocol 3.0 (PostgreSQL manual, "Message Formats"); the code of "cannot connect now".
GREETING = b"user\0postgres\0database\0postgres\0\0"
STARTUP = struct.pack("!ii", 8 + len(GREETING), 3 << 16) + GREETING
_NUMBERS = count(os.getpid() * 100)
CANNOT_CONNECT_NOW = b"C57P03\0"


class Answer(Enum):
    """Who answers on a port."""

    NOTHING = auto()
    STARTING = auto()  # PostgreSQL that is starting, recovering or stopping
    POSTGRESQL = auto()
    SOMETHING_ELSE = auto()


def answer(host: str, port: int) -> Answer:
    """Ask who is there in PostgreSQL's own words, so that a server's language does not matter."""
    try:
        connection = socket.create_connection((host, port), timeout=PATIENCE)
    except OSError:
        return Answer.NOTHING
    with connection:
        try:
            connection.sendall(STARTUP)
            reply = connection.recv(1024)
        except OSError:
            return Answer.SOMETHING_ELSE
    return _meaning(reply)


def _meaning(reply: bytes) -> Answer:
    # "R" asks for a password; "E" is an error whose fields each start with a letter and end with a zero byte.
    if reply[:1] == b"R":
        return Answer.POSTGRESQL
    if reply[:1] == b"E" and b"\0C" in reply:
        return Answer.STARTING if CANNOT_CONNECT_NOW in reply else Answer.POSTGRESQL
    return Answer.SOMETHING_ELSE


def obstacle(port: int) -> OSError | None:
    """Return what would keep a server from listening on a port of every address, or None."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
            listener.listen(1)
        except OSError as error:
            return error
    return None


def free(after: int = 0) -> int:
    """Return a free port: the next one above `after`, or one that nobody else is about to take.

    That is below those the kernel gives to connections, and processes side by side begin apart.
    """
    if after:
        return next(port for port in range(after + 1, 65536) if not obstacle(port))
    ports = (20_000 + number % 12_000 for number in _NUMBERS)
    return next(port for port in ports if not obstacle(port))
