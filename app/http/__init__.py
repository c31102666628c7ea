"""Around each request: its frame, who is asking, the tenant's scope, strict JSON, pages, problems."""

from flask import Flask

from app.http import documentation, identity, problems
from app.http.answers import ResponseSchema
from app.http.blueprints import PlatformBlueprint, TenantBlueprint
from app.http.documentation import Api
from app.http.frame import FixApp
from app.http.identity import Resolver
from app.http.pages import PageQuery, page_of, paginate

__all__ = [
    "Api",
    "FixApp",
    "PageQuery",
    "PlatformBlueprint",
    "ResponseSchema",
    "TenantBlueprint",
    "init_app",
    "page_of",
    "paginate",
]


def init_app(app: Flask, *, resolve_tenant: Resolver) -> Api:
    """Set up identities, problems and the documentation; returns where features register."""
    identity.init_app(app, resolve_tenant)
    api = documentation.init_app(app)
    # after the documentation, which brings a handler of its own
    problems.init_app(app)
    return api
