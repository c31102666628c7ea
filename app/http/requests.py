"""The frame of a request: its id, a sane host, and a connection that goes back."""

import re
from uuid import uuid4

from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest

from app.database import db
from app.http.json import MAX_BODY

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def init_app(app: Flask) -> None:
    """Frame every request of the app."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    # else `//` is answered with a redirect to whatever the Host header says
    app.url_map.merge_slashes = False
    app.before_request(_name_request)
    app.before_request(_refuse_malformed_host)
    app.after_request(_echo_request_id)
    app.teardown_request(_give_connection_back)


def _name_request() -> None:
    """Take the caller's request id if it is harmless, else make one."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _refuse_malformed_host() -> None:
    # Werkzeug answers an invalid Host header with an empty string, not with an error
    if not request.host:
        raise BadRequest("The Host header is not a host name. Send the name you called.")


def _echo_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _give_connection_back(_error: BaseException | None) -> None:
    if not db.is_closed():
        db.close()
