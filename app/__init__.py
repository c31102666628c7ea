"""FixApp: a multi-tenant backend in which PostgreSQL keeps the tenants apart."""

import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

from flask import current_app

from app import auth, cli, health, http, logs, metrics, tenants
from app.config import Settings, read_settings
from app.database import Databases, find_application
from app.http import FixApp
from app.migrate import forbid_migrations

__all__ = ["create_app", "features"]


def create_app(settings: Settings | None = None) -> FixApp:
    """The application, part by part. Raises ConfigurationError when the settings are wrong."""
    app = FixApp(Databases(settings or read_settings()))
    # a command's own output is what its reader wants, not what happens behind it
    logs.init_app(app, quiet=cli.running() not in {None, "run", "shell"})
    auth.init_app(app)
    api = http.init_app(app, resolve_tenant=tenants.resolve)
    health.init_app(app)
    metrics.init_app(app)
    cli.init_app(app)
    for feature in features():
        feature.init_app(app, api)
    cli.report_errors(app.cli)
    if cli.running() == "run":
        forbid_migrations("`flask run`")
        app.databases.check()
    return app


def features() -> list[ModuleType]:
    """Every folder of app/ with routes in it; importing one loads its models."""
    folders = (item.name for item in pkgutil.iter_modules(__path__) if item.ispkg)
    here = Path(__file__).parent
    return [import_module(f"app.{name}") for name in folders if (here / name / "routes.py").exists()]


def _of_the_current_app() -> Databases | None:
    return current_app.extensions.get("databases") if current_app else None


find_application(_of_the_current_app)
