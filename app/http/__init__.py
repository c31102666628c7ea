"""Around each request: its id, who is asking, the tenant's scope, strict JSON, pages."""

from flask import Flask

from app.http import documentation, identity, requests
from app.http.answers import Answer
from app.http.blueprints import PlatformBlueprint, TenantBlueprint
from app.http.documentation import Api
from app.http.identity import Resolver
from app.http.pages import PageQuery, page_of, paginate

__all__ = [
    "Answer",
    "Api",
    "PageQuery",
    "PlatformBlueprint",
    "TenantBlueprint",
    "init_app",
    "page_of",
    "paginate",
]


def init_app(app: Flask, *, resolve_tenant: Resolver) -> Api:
    """Set up requests, identities and the documentation; returns where features register."""
    requests.init_app(app)
    identity.init_app(app, resolve_tenant)
    return documentation.init_app(app)
