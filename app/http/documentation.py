"""OpenAPI 3 at /openapi.json and a page to read it at /docs, with assets of our own."""

from typing import Any

import flask_smorest
from flask import Flask, redirect
from flask.typing import ResponseReturnValue
from flask_swagger_ui import get_swaggerui_blueprint
from marshmallow import Schema, fields


class Problem(Schema):
    """Problem details (RFC 9457), the body of every error."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "A name a program can test for."})
    request_id = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), metadata={"description": "Messages by field."})


class Api(flask_smorest.Api):
    """The place features register at; errors are this product's own, not Flask-Smorest's."""

    ERROR_SCHEMA = Problem

    def _register_responses(self) -> None:
        """Document errors under their own content type."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/problem+json"
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE  # the class's own again, for what is no error

    def _register_error_handlers(self) -> None:
        """Leave the errors to problems.py."""


_OPTIONS: dict[str, Any] = {
    "API_TITLE": "FixApp",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.0.3",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "info": {"description": "Root-cause analyses, each tenant's to itself."},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"bearer": []}],
    },
}

_PAGE = {
    "app_name": "FixApp",
    # a fixed address: the page must not repeat the Host header it was asked with
    "oauth2RedirectUrl": "/docs/oauth2-redirect.html",
    # else the page tells validator.swagger.io where it is
    "validatorUrl": None,
}


def init_app(app: Flask) -> Api:
    """Serve the document and the page; returns where features register."""
    app.config.from_mapping(_OPTIONS)
    api = Api(app)
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", config=_PAGE))
    # Flask's own redirect to the slash would repeat the Host header
    app.add_url_rule("/docs", "docs", _docs)
    return api


def _docs() -> ResponseReturnValue:
    return redirect("/docs/")
