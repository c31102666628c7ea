"""JSON: bodies are read strictly, answers written fast.

What Python's parser is too kind about is a 4xx here.

RFC 8259 leaves NaN, duplicate names, lone surrogates and depth to the receiver; each of
them has become somebody's 500 or somebody's bypass.
https://www.rfc-editor.org/rfc/rfc8259
"""

import json
import math
from typing import Any, NoReturn

import flask
import orjson
from flask.json.provider import DefaultJSONProvider
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.errors import InvalidInputError, UnsupportedMediaTypeError

MAX_BODY = 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 1000


class OrjsonProvider(DefaultJSONProvider):
    """Flask's JSON, written by orjson, which knows UUIDs and instants by itself."""

    mimetype = "application/json"

    def dumps(self, obj: Any, **options: Any) -> str:
        """An object as JSON text."""
        return _encoded(obj).decode() if not options else super().dumps(obj, **options)

    def response(self, *args: Any, **kwargs: Any) -> flask.Response:
        """An answer with this object as its body."""
        return json_answer(self._prepare_response_obj(args, kwargs))


def json_answer(obj: Any, status: int = 200) -> flask.Response:
    """An answer with this object as its JSON body."""
    return flask.Response(_encoded(obj), status, content_type="application/json")


def _encoded(obj: Any) -> bytes:
    try:
        return orjson.dumps(obj, default=str)
    except TypeError:
        # orjson takes no integer over 64 bits, which jsonb may hold
        return json.dumps(obj, default=str, ensure_ascii=False).encode()


class StrictParser(FlaskParser):
    """A webargs parser that takes JSON objects only, and no unknown query parameter."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"query": "raise"}

    def load_json(self, req: flask.Request, _schema: Any) -> dict[str, Any]:
        """The body as a dict. Raises UnsupportedMediaTypeError or InvalidInputError."""
        if not req.is_json:
            raise UnsupportedMediaTypeError(given=req.mimetype or "without a type")
        return parse_object(_whole_body(req))

    def load_querystring(self, req: flask.Request, schema: Any) -> Any:
        """The query's parameters. Raises InvalidInputError for text PostgreSQL cannot hold."""
        for value in req.args.values():
            _check_text(value, what="query")
        return super().load_querystring(req, schema)


def _whole_body(req: flask.Request) -> bytes:
    """The body as it was sent, or none of it.

    Werkzeug ends a body without a word where the connection or its own limit ends, when
    the server says that it marks the end itself, as gunicorn does.
    """
    try:
        body = req.get_data(cache=False)
    except HTTPException:
        raise
    except Exception as error:
        raise InvalidInputError(what="body", why="it is not framed as HTTP asks") from error
    if req.content_length is None and len(body) >= MAX_BODY:
        raise RequestEntityTooLarge
    if req.content_length not in {None, len(body)}:
        raise InvalidInputError(what="body", why="it did not arrive whole")
    return body


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object from UTF-8 text. Raises InvalidInputError, which says why."""
    try:
        found = json.loads(
            body.decode("utf-8"),
            parse_float=_finite,
            parse_int=_whole,
            parse_constant=_no_constant,
            object_pairs_hook=_without_duplicates,
        )
    except UnicodeDecodeError:
        raise InvalidInputError(what="body", why="it is not UTF-8") from None
    except RecursionError:
        raise InvalidInputError(what="body", why=f"it is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise InvalidInputError(what="body", why=getattr(error, "msg", None) or str(error)) from None
    if not isinstance(found, dict):
        raise InvalidInputError(what="body", why="an object is expected, as in {...}")
    _check(found, MAX_DEPTH)
    return found


def _check(value: Any, depth: int) -> None:
    """Refuse what PostgreSQL cannot store and what would exhaust the stack."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth == 0:
            raise InvalidInputError(what="body", why=f"it is nested deeper than {MAX_DEPTH} levels")
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(item, depth - 1)


def _check_text(text: str, what: str = "body") -> None:
    if "\x00" in text:
        raise InvalidInputError(what=what, why="a text holds the character NUL")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInputError(what=what, why="a text holds half of a surrogate pair") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _whole(text: str) -> int:
    # Python's own limit is higher, and its message tells how to raise it
    if len(text) > MAX_DIGITS:
        raise ValueError(f"{text[:20]}… is too large a number")
    return int(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found
