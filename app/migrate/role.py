"""Who may migrate: the owner of the schema, and nobody who is only nearly that."""

from typing import Any

from psycopg2 import sql
from psycopg2.errors import UndefinedObject

from app.errors import MigrationError, NotOwnerError
from app.migrate.history import TABLE

# tables of extensions belong to whoever installed these
_FACTS = """
SELECT current_user::text, has_schema_privilege('public', 'CREATE'),
       (SELECT format('does not own the table %I, which belongs to %s', c.relname, c.relowner::regrole)
        FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
          AND c.relowner <> current_user::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.relname LIMIT 1)
"""


def refuse_unless_owner(cursor: Any, application: str) -> None:
    """Raise NotOwnerError unless this log-in owns what is there and may make more."""
    cursor.execute(_FACTS)
    role, may_create, owned_by_another = cursor.fetchone()
    if role == application:
        raise NotOwnerError(role=role, why="is the application's role")
    if not may_create:
        raise NotOwnerError(role=role, why="may not create tables")
    if owned_by_another:
        raise NotOwnerError(role=role, why=owned_by_another)


def let_application_read(cursor: Any, role: str) -> None:
    """Let the application see which migrations ran. Raises MigrationError when there is no such role."""
    try:
        cursor.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", (role, TABLE))
    except UndefinedObject:
        what = f"The application's role {role!r} does not exist"
        raise MigrationError(what=what, remedy="Run `flask db-bootstrap` first") from None
    if not cursor.fetchone()[0]:
        cursor.execute(sql.SQL(f"GRANT SELECT ON {TABLE} TO {{}}").format(sql.Identifier(role)))
