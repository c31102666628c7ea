"""What the tests of HTTP share."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.database import Database, db
from app.tenants import Tenant
from tests.factories import bearer


@pytest.fixture
def headers(app: Flask, acme: Tenant) -> dict[str, str]:
    """The headers of acme's caller."""
    return bearer(app, acme)


@pytest.fixture
def check_outs(client: FlaskClient, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every check-out of a connection from now on; acme is known already."""
    seen: list[object] = []
    connect = Database.connect

    def counted(self: Database, *args: Any, **options: Any) -> bool:
        seen.append(self)
        return connect(self, *args, **options)

    client.get("/api/v1/rcas", headers=headers)
    assert db.is_closed()
    monkeypatch.setattr(Database, "connect", counted)
    return seen
