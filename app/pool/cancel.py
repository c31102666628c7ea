"""Cancelling a statement without stopping the process.

psycopg2's `connection.cancel()` holds the interpreter's lock until the server has answered, so on a frozen
server it stops every thread of the process. libpq's own function runs without that lock through ctypes.
https://www.psycopg.org/docs/connection.html#connection.pgconn_ptr
https://www.postgresql.org/docs/current/libpq-cancel.html
"""

import ctypes

from psycopg2 import _psycopg, extensions

# whichever libpq psycopg2 itself is linked with: names are looked up in what a library depends on, too
_libpq = ctypes.CDLL(_psycopg.__file__)
_libpq.PQgetCancel.argtypes = [ctypes.c_void_p]
_libpq.PQgetCancel.restype = ctypes.c_void_p
_libpq.PQcancel.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
_libpq.PQfreeCancel.argtypes = [ctypes.c_void_p]
_libpq.PQfreeCancel.restype = None
_MESSAGE = 256


class CancelHandle:
    """What libpq needs to cancel a connection's statement; outlives the connection."""

    def __init__(self, conn: extensions.connection) -> None:
        self._pointer = _libpq.PQgetCancel(conn.pgconn_ptr)

    def send(self) -> bool:
        """Ask the server to cancel; whether it took notice. A frozen server blocks this."""
        message = ctypes.create_string_buffer(_MESSAGE)
        return bool(self._pointer and _libpq.PQcancel(self._pointer, message, _MESSAGE))

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            _libpq.PQfreeCancel(self._pointer)
