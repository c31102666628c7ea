"""The frame of a request: one Flask application that does once what hooks would do ten times.

Each request begins with no unit of work in force, gets an id, and is told to whoever observes
answers (logs, metrics) when its answer is made.
"""

import os
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from flask import Flask, Request, Response, g
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import BadRequest
from werkzeug.routing import MapAdapter

from app.database import Databases, begin_request, choose
from app.http.json import MAX_BODY, OrjsonProvider

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class Exchange:
    """A request and its answer, as far as logs and metrics care. `seconds` is from start to answer."""

    __slots__ = (
        "actor",
        "authorization",
        "endpoint",
        "method",
        "path",
        "request_id",
        "seconds",
        "started",
        "statements",
        "status",
        "tenant",
    )

    def __init__(self, environ: dict[str, Any]) -> None:
        self.started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID")
        self.request_id = given if given and _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ.get("PATH_INFO", "")
        self.authorization: str = environ.get("HTTP_AUTHORIZATION", "")
        self.endpoint: str | None = None
        self.tenant = self.actor = "-"
        self.statements = self.status = 0
        self.seconds = 0.0


Observer = Callable[[Exchange], None]
StartResponse = Callable[..., Any]


class _NoSessions(SessionInterface):
    """No sessions: this API has none, and making an empty one for each request takes time."""

    _empty = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> NullSession:
        """The one session there is, which takes nothing."""
        return self._empty

    def is_null_session(self, _session: object) -> bool:
        """Nothing is ever saved."""
        return True


class FixApp(Flask):
    """A Flask application with its databases, and with observers of its answers."""

    json_provider_class = OrjsonProvider
    session_interface = _NoSessions()

    def __init__(self, databases: Databases) -> None:
        super().__init__("app", static_folder=None)
        self.databases = databases
        self.observers: list[Observer] = []
        # for rooms that know Flask and not this class
        self.extensions |= {"databases": databases, "observers": self.observers}
        self.config["SETTINGS"] = databases.settings
        self.config["MAX_CONTENT_LENGTH"] = MAX_BODY
        # else `//` is answered with a redirect to whatever the Host header says
        self.url_map.merge_slashes = False

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request. As Flask's own, but for the exchange around it."""
        begin_request()
        outer = choose(self.databases)
        exchange = Exchange(environ)
        context = self.request_context(environ)
        error: BaseException | None = None
        try:
            try:
                context.push()
                g.exchange = exchange
                response = self.full_dispatch_request()
            except Exception as caught:  # noqa: BLE001 - whatever it was, the caller gets an answer
                error = caught
                response = self.handle_exception(caught)
            self._observe(exchange, context.request, response)
            return _sent(response, environ, _with_headers(start_response, exchange.request_id))
        finally:
            context.pop(error)
            choose(outer)

    def full_dispatch_request(self) -> Response:
        """Answer a request; without the signals and the look for hooks where there are none."""
        if self.before_request_funcs or self.after_request_funcs or self.url_value_preprocessors:
            return super().full_dispatch_request()
        self._got_first_request = True
        try:
            answer = self.dispatch_request()
        except Exception as error:  # noqa: BLE001 - as Flask does
            answer = self.handle_user_exception(error)
        response = self.make_response(answer)
        # what the view itself registered, by `after_this_request`
        return self.process_response(response) if request_ctx._after_request_functions else response

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the routes to a request by its path alone: no route depends on the host.

        Raises BadRequest for a Host header that is no host name.
        """
        if request is None:
            return super().create_url_adapter(request)
        if not _is_host_name(request.host):
            raise BadRequest("The Host header is not a host name. Send the name you called.")
        return self.url_map.bind("localhost", path_info=request.path, default_method=request.method)

    def _observe(self, exchange: Exchange, request: Request, response: Response) -> None:
        exchange.endpoint = request.endpoint
        exchange.status = response.status_code
        exchange.seconds = time.perf_counter() - exchange.started
        for observe in self.observers:
            observe(exchange)


@lru_cache(maxsize=256)
def _is_host_name(host: str) -> bool:
    """Whether it is short enough and its labels are no more than DNS allows (RFC 1035, 2.3.4)."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host)


def _with_headers(start_response: StartResponse, request_id: str) -> StartResponse:
    """Add what every answer has; to Werkzeug's own headers that would take ten times as long."""
    added = [("X-Request-ID", request_id), ("X-Content-Type-Options", "nosniff")]

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, headers + added, *rest)

    return start


def _sent(response: Response, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Send an answer; a plain body goes out as it is, anything else by Werkzeug's rules."""
    plain = response.status_code in {200, 201} and type(response.response) is list
    if not plain or environ["REQUEST_METHOD"] == "HEAD" or "Location" in response.headers:
        return response(environ, start_response)
    start_response(response.status, response.headers.to_wsgi_list())
    body: list[bytes] = response.response  # type: ignore[assignment] # a list, as was just seen
    return body
