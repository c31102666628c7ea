"""Blueprints whose every view runs in the scope of whoever asks."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import flask_smorest
from flask.typing import ResponseReturnValue

from app.http.identity import Scope, as_platform, as_tenant
from app.http.json import StrictParser

View = Callable[..., ResponseReturnValue]


class _ScopedBlueprint(flask_smorest.Blueprint):
    """A blueprint that enters a scope before anything of a request is read."""

    ARGUMENTS_PARSER = StrictParser()
    enter: Callable[[], Scope]

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Register a view, wrapped in its scope; there is no way to register one without."""
        super().add_url_rule(rule, endpoint, _inside(type(self).enter, view_func), *args, **options)


class TenantBlueprint(_ScopedBlueprint):
    """Views for tenants: they see the asking tenant's rows and no others."""

    enter = staticmethod(as_tenant)


class PlatformBlueprint(_ScopedBlueprint):
    """Views for the platform's operators: they see the registry and no tenant's rows."""

    enter = staticmethod(as_platform)


def _inside(enter: Callable[[], Scope], view: View) -> View:
    @wraps(view)
    def scoped(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        with enter():
            return view(*args, **kwargs)

    return scoped
