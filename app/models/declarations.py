"""What a model declares besides its columns: indexes, checks and keys, named by the convention."""

from dataclasses import dataclass
from typing import Any, Literal

from peewee import SQL, UUIDField

from app import naming

OnDelete = Literal["NO ACTION", "CASCADE"]
Command = Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True)
class Index:
    """An index to be built once the model's table is known.

    `columns` may carry a direction, as in "created_at DESC". `alive` leaves out the
    soft-deleted rows.
    """

    columns: tuple[str, ...]
    unique: bool = False
    alive: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The bare column names, without their directions."""
        return tuple(column.split()[0] for column in self.columns)

    def name(self, table: str) -> str:
        """The index's name by the convention."""
        return naming.index_name(table, self.names, unique=self.unique, alive=self.alive)


def index(*columns: str, alive: bool = False) -> Index:
    """An index: `index("tenant_id", "created_at DESC", alive=True)`."""
    return Index(columns, alive=alive)


def unique(*columns: str, alive: bool = False) -> Index:
    """A unique index; with `alive=True` soft-deleted rows do not stand in the way of new ones."""
    return Index(columns, unique=True, alive=alive)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition every row keeps."""

    condition: str
    sql: str

    def constraint(self, table: str) -> SQL:
        """The constraint as PostgreSQL reads it, under the convention's name."""
        return SQL(f"CONSTRAINT {naming.check_name(table, self.condition)} CHECK ({self.sql})")


def check(condition: str, sql: str) -> Check:
    """A check: `check("status_valid", "status IN ('open', 'closed')")`."""
    return Check(condition, sql)


@dataclass(frozen=True, slots=True)
class Policy:
    """Which rows may be seen (`using`) and written (`check`) by whom it holds for."""

    rule: str
    using: str
    check: str | None
    command: Command

    def create(self, table: str) -> str:
        """The policy as PostgreSQL reads it, under the convention's name."""
        name = naming.rule_name(table, self.rule)
        check = f" WITH CHECK ({self.check})" if self.check else ""
        return f'CREATE POLICY "{name}" ON "{table}" FOR {self.command} USING ({self.using}){check}'


def policy(rule: str, using: str, *, check: str | None = None, command: Command = "ALL") -> Policy:
    """A policy: `policy("own_row", "id = (SELECT app.current_tenant())", command="SELECT")`."""
    return Policy(rule, using, check, command)


class TenantId(UUIDField):
    """The tenant a row belongs to: filled from the scope in force, a key to `tenants`."""

    def key(self, table: str) -> SQL:
        """The foreign key to the registry."""
        name = naming.foreign_key_name(table, "tenants")
        return SQL(f"CONSTRAINT {name} FOREIGN KEY ({self.column_name}) REFERENCES tenants (id)")


class TenantForeignKey(UUIDField):
    """A reference to a row of the same tenant in another tenant table, named by its table.

    The key is composite, (tenant_id, column) to (tenant_id, id), because PostgreSQL's own
    key checks ignore row-level security: a single-column key would take another tenant's row.
    https://www.postgresql.org/docs/current/ddl-rowsecurity.html
    """

    def __init__(self, table: str, *, on_delete: OnDelete = "NO ACTION", **options: Any) -> None:
        self.table = table
        self.on_delete = on_delete
        # a key without an index makes every change of the referenced row a scan
        super().__init__(**{"index": True} | options)

    def key(self, table: str, *, second: bool = False) -> SQL:
        """The composite foreign key; a second one to the same table appends its column."""
        column = self.column_name
        name = naming.foreign_key_name(table, self.table, column if second else None)
        return SQL(
            f"CONSTRAINT {name} FOREIGN KEY (tenant_id, {column}) "
            f"REFERENCES {self.table} (tenant_id, id) ON DELETE {self.on_delete}"
        )
