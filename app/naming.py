"""The names things have in the database.

Tables are plural snake_case nouns, columns snake_case; indexes, keys and checks
say what they are and where. No name is longer than PostgreSQL keeps, 63 bytes:
https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
"""

import hashlib
import re
from collections.abc import Sequence

import inflection

MAX_LENGTH = 63
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# one capital before a word belongs to it (OAuth), two or more are a word of their own (RCASolution)
_AFTER_ACRONYM = re.compile(r"([A-Z]{2,})([A-Z][a-z])")
_AFTER_WORD = re.compile(r"([a-z0-9])([A-Z])")


def snake_case(name: str) -> str:
    """The snake_case of a CamelCase name: RCASolution -> rca_solution, OAuth2Token -> oauth2_token."""
    return _AFTER_WORD.sub(r"\1_\2", _AFTER_ACRONYM.sub(r"\1_\2", name)).lower()


def is_conventional(name: str) -> bool:
    """Whether a name is snake_case and short enough to be kept whole."""
    return bool(_NAME.fullmatch(name)) and len(name) <= MAX_LENGTH


def table_name(model: type) -> str:
    """The table of a model: RCA -> rcas, Category -> categories, Person -> people."""
    return plural(snake_case(model.__name__))


def column_name(attribute: str) -> str:
    """The column of an attribute: equipmentType -> equipment_type."""
    return snake_case(attribute)


def plural(name: str) -> str:
    """The plural of a snake_case name; of a plural, itself: audit_log -> audit_logs."""
    *first, last = name.split("_")
    return "_".join([*first, inflection.pluralize(last)])


def index_name(table: str, columns: Sequence[str], *, unique: bool = False, alive: bool = False) -> str:
    """`idx_` or `uniq_`, table and columns; `_alive` when the index holds the living rows only."""
    prefix = "uniq" if unique else "idx"
    return _fit("_".join([prefix, table, *columns, *(["alive"] if alive else [])]))


def foreign_key_name(table: str, referenced: str, column: str | None = None) -> str:
    """`fk_`, table and referenced table; a second key to the same table appends its column."""
    return _fit("_".join(["fk", table, referenced, *([column] if column else [])]))


def check_name(table: str, condition: str) -> str:
    """`chk_`, table and what holds, e.g. chk_tenants_status_valid."""
    return _fit(f"chk_{table}_{condition}")


def rule_name(table: str, rule: str) -> str:
    """A trigger or a policy: the table and what it does, e.g. rcas_set_updated_at, rcas_tenant."""
    return _fit(f"{table}_{rule}")


def _fit(name: str) -> str:
    """Shorten a long name so that it stays unique and the same everywhere."""
    if len(name) <= MAX_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_LENGTH - 9].rstrip('_')}_{digest}"
