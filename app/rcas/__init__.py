"""Root-cause analyses: the reference feature. Copy this folder to start your own."""

from flask import Flask

from app.http import Api
from app.rcas.models import RCA
from app.rcas.routes import blueprint

__all__ = ["RCA", "init_app"]


def init_app(_app: Flask, api: Api) -> None:
    """Register the routes."""
    api.register_blueprint(blueprint)
