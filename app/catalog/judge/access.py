"""The application's role: owns nothing, is member of nothing, bypasses, creates and empties nothing."""

from collections.abc import Iterator

from app.catalog.facts import Role
from app.catalog.judge.finding import Finding

_POWERS = "the application's role"


def judge_role(role: Role | None) -> Iterator[Finding]:
    """All that an application needs not; a role that is not there has nothing."""
    if role is None:
        return
    if role.attributes:
        remedy = f"ALTER ROLE {role.name} {' '.join(f'NO{name}' for name in role.attributes)}"
        yield _finding("is plain", role, f"it has {', '.join(role.attributes)}, above every policy", remedy)
    if "SUPERUSER" in role.attributes:
        return  # who may everything: the rest of the list says nothing
    for group in role.member_of:
        why = f"it can do whatever {group} can"
        yield _finding("is member of nothing", role, why, f"REVOKE {group} FROM {role.name}")
    if role.owns:
        owner = "CURRENT_USER" if role.owns_database else role.owner
        why = f"an owner can switch its policies off: {', '.join(role.owns)}"
        yield _finding("owns nothing", role, why, f"REASSIGN OWNED BY {role.name} TO {owner}")
    yield from _creates(role)
    yield from _empties(role)


def _creates(role: Role) -> Iterator[Finding]:
    if role.database_privileges:
        privileges = ", ".join(role.database_privileges)
        remedy = f"REVOKE {privileges} ON DATABASE {role.database} FROM {role.name}, PUBLIC"
        yield _finding(
            "creates nothing",
            role,
            f"it has {privileges} on the database: its own objects shadow ours",
            remedy,
        )
    for schema in role.creates_in:
        remedy = f"REVOKE CREATE ON SCHEMA {schema} FROM {role.name}, PUBLIC"
        yield _finding("creates nothing", role, f"what it creates in {schema} has no policies", remedy)


def _empties(role: Role) -> Iterator[Finding]:
    for table, privileges in role.table_privileges:
        named = ", ".join(privileges)
        why = f"{named} on {table} ask no policy"
        yield _finding(
            "reads and writes rows only", role, why, f"REVOKE {named} ON {table} FROM {role.name}, PUBLIC"
        )


def _finding(rule: str, role: Role, why: str, remedy: str) -> Finding:
    return Finding(f"{_POWERS} {rule}", role.name, why, remedy)
