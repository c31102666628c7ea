"""What is hardly HTTP, sent to gunicorn byte by byte: refused, and in no other form than all else."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from app.tenants import Tenant
from tests.factories import bearer, make_environment
from tests.problems import FIELDS
from tests.processes import GUNICORN, Served, serving

_JSON = b"POST /api/v1/rcas HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n%s"
_CHUNKED = _JSON + b"Transfer-Encoding: chunked\r\n\r\n"
_RIGHT = b'{"title": "a", "issue_description": "b"}'
# the bytes, and the statuses they may have: gunicorn's two parsers, in Python and in C, differ here and there
RAW: dict[str, tuple[Any, ...]] = {
    "no request": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n%s", 400),
    "no version": (b"GET /\r\n\r\n%s", 400),
    "another version": (b"GET / HTTP/9.9\r\n\r\n%s", 400),
    "a raw path": ("GET /ä HTTP/1.1\r\n\r\n%s".encode(), 400),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost\r\n\r\n%s", 400),
    "NUL in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n%s", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n%s", 400),
    "two lengths": (_JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "a negative length": (_JSON + b"Content-Length: -1\r\n\r\n", 400),
    "a length and chunks": (_JSON + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "an unknown coding": (_JSON + b"Transfer-Encoding: rot13\r\n\r\n", 501, 400),
    "no chunk": (_CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
    "a negative chunk": (_CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk without an end": (_CHUNKED + b"2\r\n{}xx0\r\n\r\n", 400),
    "a body cut off": (_JSON + b"Content-Length: 99\r\n\r\n" + _RIGHT, 400),
    "chunks beyond the limit": (
        _CHUNKED
        + b"28\r\n"
        + _RIGHT
        + b"\r\n"
        + (b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 16
        + b"0\r\n\r\n",
        413,
    ),
    "a length beyond the limit": (_JSON + b"Content-Length: 1000000000000\r\n\r\n", 413),
    "a long path": (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n%s", 414),
    "a long header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n%s", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 500 + b"\r\n%s", 431, 400),
}


@pytest.fixture(scope="module")
def served(app: Flask, settings: Settings) -> Iterator[Served]:
    """Gunicorn on the database of all tests."""
    with serving(GUNICORN, make_environment(settings)) as server:
        yield server


def sent(served: Served, raw: bytes, headers: dict[str, str]) -> tuple[HTTPResponse, Any]:
    """The answer to these bytes, in which %s stands for the headers."""
    lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as peer:
        # who refuses does not read to the end: then its answer is there before all is sent
        with suppress(OSError):
            peer.sendall(raw.replace(b"%s", lines))
            peer.shutdown(socket.SHUT_WR)
        answer = HTTPResponse(peer)
        answer.begin()
        return answer, json.loads(answer.read())


@pytest.mark.parametrize(("raw", "statuses"), [(raw, found) for raw, *found in RAW.values()], ids=RAW)
def test_what_is_no_http_is_answered_with_problem_details(
    app: Flask, client: FlaskClient, served: Served, acme: Tenant, raw: bytes, statuses: list[int]
) -> None:
    answer, body = sent(served, raw, bearer(app, acme))
    assert answer.status in statuses
    assert body["status"] == answer.status
    assert answer.getheader("Content-Type") == "application/problem+json"
    assert body.keys() >= FIELDS
    assert client.get("/api/v1/rcas", headers=bearer(app, acme)).get_json()["items"] == []


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 40\r\n\r\n%b", b"Transfer-Encoding: chunked\r\n\r\n28\r\n%b\r\n0\r\n\r\n"],
)
def test_the_same_bytes_in_order_are_a_request(
    app: Flask, served: Served, acme: Tenant, framing: bytes
) -> None:
    answer, body = sent(served, _JSON + framing.replace(b"%b", _RIGHT), bearer(app, acme))
    assert (answer.status, body["title"]) == (201, "a")
