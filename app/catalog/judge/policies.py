"""Row-level security on every table with tenant_id: enabled, forced, and saying one thing only."""

import re
from collections.abc import Iterator

from app.catalog.facts import Policy, Table
from app.catalog.judge.finding import Finding

CANONICAL = "tenant_id = (SELECT app.current_tenant())"
_DECORATION = re.compile(r"\s+|[()]|AS current_tenant\b")


def judge_policies(table: Table) -> Iterator[Finding]:
    """Enabled, forced, at least one permissive policy, and the canonical expression in each."""
    alter = f"ALTER TABLE {table.sql}"
    if not table.row_security:
        why, remedy = "every tenant sees every row", f"{alter} ENABLE ROW LEVEL SECURITY"
        yield Finding("row-level security enabled", table.sql, why, remedy)
    if not table.row_security_forced:
        why, remedy = "the owner sees every tenant's rows", f"{alter} FORCE ROW LEVEL SECURITY"
        yield Finding("row-level security forced", table.sql, why, remedy)
    if not any(policy.permissive for policy in table.policies):
        name = f"CREATE POLICY {table.name}_tenant ON {table.sql}"
        why, remedy = "no tenant sees its rows", f"{name} USING ({CANONICAL}) WITH CHECK ({CANONICAL})"
        yield Finding("tenant policy", table.sql, why, remedy)
    for policy in table.policies:
        if policy.permissive and not is_canonical(policy):
            why = "permissive policies add up, so this one opens what the others close"
            yield Finding(
                "canonical policy", f"{policy.name} on {table.sql}", why, _made_canonical(table, policy)
            )


def is_canonical(policy: Policy) -> bool:
    """Whether a policy lets a tenant at its own rows and nothing else, whatever the command."""
    return all(_normal(text) == _normal(CANONICAL) for text in (policy.using, policy.check) if text)


def _normal(expression: str) -> str:
    """An expression without what PostgreSQL adds when it writes it down."""
    return _DECORATION.sub("", expression)


def _made_canonical(table: Table, policy: Policy) -> str:
    using = "" if policy.command == "a" else f" USING ({CANONICAL})"
    check = "" if policy.command in "rd" else f" WITH CHECK ({CANONICAL})"
    return f"ALTER POLICY {policy.name} ON {table.sql}{using}{check}"
