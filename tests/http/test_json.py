"""JSON bodies: whatever is sent, an answer of the 4xx kind, and nothing half written."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection
from werkzeug.test import TestResponse

from app.http.json import MAX_BODY, MAX_DEPTH, MAX_DIGITS
from app.tenants import Tenant
from tests.factories import bearer, make_rca
from tests.problems import problem

Send = Callable[..., TestResponse]

BODIES = {
    "nothing": b"",
    "spaces": b" \n",
    "a list": b"[]",
    "a list of objects": b'[{"title": "a", "issue_description": "b"}]',
    "null": b"null",
    "true": b"true",
    "a text": b'"title"',
    "a number": b"7",
    "NaN": b"NaN",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "cut off": b'{"title": "a',
    "two objects": b"{} {}",
    "a comma too many": b'{"title": "a",}',
    "single quotes": b"{'title': 'a'}",
    "a comment": b'{"title": "a" /* b */}',
    "a raw NUL": b'{"title": "\x00"}',
    "a raw line feed": b'{"title": "\n"}',
    "bad UTF-8": b'{"title": "\xff"}',
    "overlong UTF-8": b'{"title": "\xc0\x80"}',
    "a surrogate in UTF-8": b'{"title": "\xed\xa0\x80"}',
    "Latin-1": '{"title": "Ölpumpe"}'.encode("latin-1"),
    "a byte order mark": b'\xef\xbb\xbf{"title": "a"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"title": "a"}'.encode("utf-16-le"),
    "UTF-32": '{"title": "a"}'.encode("utf-32"),
    "compressed": gzip.compress(b'{"title": "a"}'),
    "a form": b"title=a&issue_description=b",
    "XML": b"<title>a</title>",
    "a name twice": b'{"title": "a", "title": "b", "name": "a", "name": "b"}',
    "NUL in a name": rb'{"\u0000": 1}',
    "half a pair in a name": rb'{"\ud800": 1}',
}
VALUES = {
    "NUL": r'"a\u0000b"',
    "half a pair": r'"\ud800"',
    "the other half": r'"\udfff"',
    "a pair the wrong way round": r'"\udc00\ud800"',
    "NUL in a name": r'{"\u0000": 1}',
    "half a pair in a name": r'{"\ud800": 1}',
    "NUL in a list": r'[["\u0000"]]',
    "NaN": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "1e400": "1e400",
    "-1e400": "-1e400",
    "1e400 in a list": "[1, [1e400]]",
    "5,000 digits": "9" * 5_000,
    "digits beyond the limit": "9" * (MAX_DIGITS + 1),
    "hexadecimal": "0x10",
    "a leading zero": "01",
    "a plus": "+1",
    "no whole part": ".5",
    "Arabic digits": '{"a": ٣}',
    "a name twice": '{"a": 1, "a": 2}',
    "lists too deep": "[" * MAX_DEPTH + "]" * MAX_DEPTH,
    "objects too deep": '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH,
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "undefined": "undefined",
}
FINE = {
    "a pair": r'"\ud83d\ude00"',
    "umlauts": '"Ölpumpe"',
    "a large float": "1e22",
    "a large integer": "9" * MAX_DIGITS,
    "the last depth": "[" * (MAX_DEPTH - 2) + "]" * (MAX_DEPTH - 2),
    "the same name at two levels": '{"a": {"a": null}}',
    "1e5 names": json.dumps({f"{number:x}": 0 for number in range(100_000)}, separators=(",", ":")),
}


@pytest.fixture(params=["POST rcas", "PATCH rcas", "POST tenants", "PATCH tenants"])
def send(request: pytest.FixtureRequest, app: Flask, client: FlaskClient, acme: Tenant) -> Send:
    """A writing endpoint, called by somebody who may."""
    method, feature = request.param.split()
    row = (make_rca(acme) if feature == "rcas" else acme) if method == "PATCH" else None
    path = f"/api/v1/{feature}" + (f"/{row.id}" if row else "")
    headers = bearer(app, acme if feature == "rcas" else None)

    def call(body: bytes, content_type: str | None = "application/json") -> TestResponse:
        return client.open(path, method=method, data=body, content_type=content_type, headers=headers)

    return call


@pytest.fixture
def send_settings(app: Flask, client: FlaskClient, acme: Tenant) -> Send:
    """A change of acme's settings, of which one value is given as JSON."""

    def call(value: str) -> TestResponse:
        body = f'{{"settings": {{"value": {value}}}}}'
        path, headers = f"/api/v1/tenants/{acme.id}", bearer(app, None)
        return client.patch(path, data=body.encode(), content_type="application/json", headers=headers)

    return call


@pytest.fixture
def stored(admin: Connection) -> Callable[[], Any]:
    """Everything that is stored."""

    def read() -> Any:
        with admin.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT array_agg(t::text) FROM tenants t), array_agg(r::text) FROM rcas r"
            )
            return cursor.fetchone()

    return read


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_hostile_body_is_refused(send: Send, stored: Callable[[], Any], body: bytes) -> None:
    before = stored()
    assert problem(send(body), 400)["code"] == "invalid_input"
    assert stored() == before


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_hostile_value_is_refused_in_a_field(send: Send, stored: Callable[[], Any], value: str) -> None:
    before = stored()
    body = f'{{"title": {value}, "issue_description": "a", "name": "a", "subdomain": "a"}}'
    assert problem(send(body.encode()), 400)["code"] == "invalid_input"
    assert stored() == before


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_hostile_value_is_refused_in_settings(
    send_settings: Send, stored: Callable[[], Any], value: str
) -> None:
    before = stored()
    problem(send_settings(value), 400)
    assert stored() == before


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_new_tenant_with_hostile_settings_is_refused(
    app: Flask, client: FlaskClient, stored: Callable[[], Any], value: str
) -> None:
    before = stored()
    body = f'{{"name": "a", "subdomain": "a", "settings": {{"value": {value}}}}}'.encode()
    headers = bearer(app, None)
    problem(client.post("/api/v1/tenants", data=body, content_type="application/json", headers=headers), 400)
    assert stored() == before


@pytest.mark.parametrize("value", FINE.values(), ids=FINE)
def test_an_unusual_value_is_stored_as_it_came(send_settings: Send, value: str) -> None:
    answer = send_settings(value)
    assert answer.status_code == 200
    assert answer.get_json()["settings"]["value"] == json.loads(value)


def test_a_refusal_says_why_and_nothing_about_its_parser(send_settings: Send) -> None:
    assert "too large a number" in problem(send_settings("9" * 5_000), 400)["detail"]
    assert "deeper than 32" in problem(send_settings("[" * 100_000 + "]" * 100_000), 400)["detail"]
    assert "sys." not in send_settings("9" * 5_000).text


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
    ],
)
def test_another_content_type_is_refused(send: Send, content_type: str | None) -> None:
    problem(send(b'{"title": "a"}', content_type), 415)


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"]
)
def test_json_is_read_by_its_content_type(send: Send, content_type: str) -> None:
    assert "nonsense" in problem(send(b'{"nonsense": 1}', content_type), 422)["errors"]


@pytest.mark.parametrize("size", [MAX_BODY + 1, 10 * 1024 * 1024])
def test_a_large_body_is_refused(send: Send, stored: Callable[[], Any], size: int) -> None:
    before = stored()
    problem(send(b'{"title": "' + b"x" * size), 413)
    assert stored() == before


def test_a_body_within_the_limit_is_read(send_settings: Send) -> None:
    assert send_settings(f'"{"x" * (MAX_BODY - 100)}"').status_code == 200


def test_a_hundred_thousand_unknown_fields_are_not_all_answered(send: Send) -> None:
    body = json.dumps({f"{number:x}": 0 for number in range(100_000)}, separators=(",", ":"))
    answer = send(body.encode())
    assert ["Unknown field."] in problem(answer, 422)["errors"].values()
    assert len(answer.data) < 10_000


def test_a_long_field_name_is_not_repeated(send: Send) -> None:
    answer = send(json.dumps({"x" * 500_000: 0}).encode())
    assert problem(answer, 422)["code"] == "invalid"
    assert len(answer.data) < 10_000
