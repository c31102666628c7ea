"""The registry of tenants: the one feature that belongs to no tenant."""

from flask import Flask

from app.http import Api
from app.tenants.cli import group
from app.tenants.models import Tenant, resolve
from app.tenants.routes import blueprint

__all__ = ["Tenant", "init_app", "resolve"]


def init_app(app: Flask, api: Api) -> None:
    """Register the routes and the commands."""
    api.register_blueprint(blueprint)
    app.cli.add_command(group)
