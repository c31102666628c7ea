"""What the tests of HTTP share."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.database import Databases
from app.http import FixApp
from app.tenants import Tenant
from tests.factories import bearer


@pytest.fixture
def headers(app: FixApp, acme: Tenant) -> dict[str, str]:
    """The headers of acme's caller."""
    return bearer(app, acme)


@pytest.fixture
def check_outs(
    databases: Databases, client: FlaskClient, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> list[object]:
    """Every check-out of a connection from now on; acme is known already."""
    seen: list[object] = []
    getconn = databases.shared.getconn

    def counted(*args: Any, **options: Any) -> Any:
        seen.append(args)
        return getconn(*args, **options)

    client.get("/api/v1/rcas", headers=headers)
    assert lent(databases) == 0
    monkeypatch.setattr(databases.shared, "getconn", counted)
    return seen


def lent(databases: Databases) -> int:
    """How many connections the requests' pool has lent."""
    # the figures of the outside count those that are being made, too
    return len(databases.shared._state.lent)
