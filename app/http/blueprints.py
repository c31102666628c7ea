"""Blueprints whose every view runs in the scope of whoever asks."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

import flask_smorest
from flask import Response, g
from flask.typing import ResponseReturnValue
from flask_smorest.utils import resolve_schema_instance

from app.database import current_unit
from app.http.frame import Exchange
from app.http.identity import as_platform, as_tenant
from app.http.json import StrictParser, json_answer
from app.tenancy import Scope

View = Callable[..., Any]


class _ScopedBlueprint(flask_smorest.Blueprint):
    """A blueprint that enters a scope before anything of a request is read."""

    ARGUMENTS_PARSER = StrictParser()
    enter: Callable[[Exchange], Scope]

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Register a view, wrapped in its scope; there is no way to register one without."""
        super().add_url_rule(rule, endpoint, _inside(type(self).enter, view_func), *args, **options)

    def response(self, status_code: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Document the answer, and serialise it after the view's connection went back."""
        documented = super().response(status_code, schema, **options)
        dump = getattr(resolve_schema_instance(schema), "dump", None)

        def decorated(view: View) -> View:
            # the documentation is Flask-Smorest's; how the answer is made is written out here
            @wraps(documented(view))
            def answering(*args: Any, **kwargs: Any) -> ResponseReturnValue:
                answer = view(*args, **kwargs)
                # serialising and sending need no connection
                current_unit().give_back()
                if isinstance(answer, Response | tuple):
                    found: ResponseReturnValue = documented(lambda: answer)()
                    return found
                if status_code == HTTPStatus.NO_CONTENT:
                    return Response(status=status_code)
                return json_answer(answer if dump is None else dump(answer), status_code)

            return answering

        return decorated


class TenantBlueprint(_ScopedBlueprint):
    """Views for tenants: they see the asking tenant's rows and no others."""

    enter = staticmethod(as_tenant)


class PlatformBlueprint(_ScopedBlueprint):
    """Views for the platform's operators: they see the registry and no tenant's rows."""

    enter = staticmethod(as_platform)


def _inside(enter: Callable[[Exchange], Scope], view: View) -> View:
    @wraps(view)
    def scoped(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        exchange: Exchange = g.exchange
        with enter(exchange):
            unit = current_unit()
            try:
                answer: ResponseReturnValue = view(*args, **kwargs)
            finally:
                exchange.statements += unit.statements
            return answer

    return scoped
