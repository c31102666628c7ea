"""The same three endpoints without this product: Flask, PyJWT, psycopg2 and nothing else.

What a careful team would write by hand: a pool for each worker, the tenant set in a
transaction of its own, each of BEGIN, set_config, the statement and COMMIT sent separately.
It has none of the rest: no validation, no log, no request ids, no problem details, no
check that the tenant is active.
"""

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import psycopg2.extensions
from flask import Flask, abort, request
from psycopg2.pool import ThreadedConnectionPool

COLUMNS = "id, title, issue_description, equipment_type, status, created_at, updated_at"
NAMES = COLUMNS.split(", ")
READ = f"SELECT {COLUMNS} FROM rcas WHERE id = %s AND deleted_at IS NULL"
LIST = f"SELECT {COLUMNS} FROM rcas WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT %s"
CREATE = (
    "INSERT INTO rcas (tenant_id, title, issue_description, equipment_type) "
    f"VALUES (%s, %s, %s, %s) RETURNING {COLUMNS}"
)

app = Flask(__name__, static_folder=None)
# As many kept as allowed: psycopg2 closes every connection beyond the minimum that comes back, and
# with fewer kept this would measure log-ins, not requests.
CONNECTIONS = 10
pool = ThreadedConnectionPool(
    CONNECTIONS,
    CONNECTIONS,
    host=os.environ["DB_HOST"],
    port=os.environ["DB_PORT"],
    dbname=os.environ["DB_NAME"],
    user=os.environ["DB_USER"],
    password=os.environ["DB_PASSWORD"],
    application_name="bare",
)
Query = Callable[[str, tuple[Any, ...]], list[dict[str, Any]]]


@app.get("/api/v1/rcas/<uuid:rca_id>")
def read(rca_id: object) -> Any:
    """Read an analysis."""
    with as_tenant(tenant()) as query:
        rows = query(READ, (str(rca_id),))
    return rows[0] if rows else abort(404)


@app.get("/api/v1/rcas")
def listing() -> Any:
    """List analyses, newest first."""
    limit = int(request.args.get("limit", 50))
    with as_tenant(tenant()) as query:
        rows = query(LIST, (limit + 1,))
    items = rows[:limit]
    return {"items": items, "next_cursor": cursor_of(items[-1]) if len(rows) > limit else None}


@app.post("/api/v1/rcas")
def create() -> Any:
    """Record a problem."""
    tenant_id, body = tenant(), request.get_json()
    values = (tenant_id, body["title"], body["issue_description"], body["equipment_type"])
    with as_tenant(tenant_id) as query:
        return query(CREATE, values)[0], 201


def tenant() -> str:
    """Whom the bearer token names."""
    token = request.headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(
        token,
        os.environ["JWT_SECRET"],
        algorithms=["HS256"],
        issuer="fixapp",
        audience="fixapp-api",
        options={"require": ["exp", "iat", "aud", "iss", "sub", "tenant"]},
    )
    return str(claims["tenant"])


@contextmanager
def as_tenant(tenant_id: str) -> Iterator[Query]:
    """A transaction in which the tenant is set; psycopg2 sends its BEGIN and COMMIT."""
    connection: psycopg2.extensions.connection = pool.getconn()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant_id,))

            def query(sql: str, params: tuple[Any, ...]) -> list[dict[str, Any]]:
                cursor.execute(sql, params)
                return [as_json(row) for row in cursor.fetchall()]

            yield query
    finally:
        pool.putconn(connection)


def as_json(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row by name, its two instants as text."""
    found = dict(zip(NAMES, row, strict=True))
    found["created_at"], found["updated_at"] = row[5].isoformat(), row[6].isoformat()
    return found


def cursor_of(item: dict[str, Any]) -> str:
    """Where the next page begins."""
    text = f"{item['created_at']} {item['id']}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
