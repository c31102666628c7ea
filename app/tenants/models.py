"""A tenant: a company that records and solves its problems here."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from uuid import UUID

import peewee
from peewee import SQL, CharField, Field
from playhouse.postgres_ext import BinaryJSONField

from app.errors import ConflictError, NotFoundError
from app.models import Model, check, index, policy, unique
from app.tenancy import tenant_scope

STATUSES = ("active", "suspended", "archived")
# a DNS label in lower case, RFC 1123, 2.1
SUBDOMAIN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_IN_PLATFORM = "(SELECT app.in_platform())"


class Tenant(Model):
    """A row of the registry; it is archived, never deleted."""

    name = CharField(max_length=255)
    subdomain = CharField(max_length=63)
    status = CharField(max_length=50, constraints=[SQL("DEFAULT 'active'")])
    settings = BinaryJSONField(index=False, constraints=[SQL("DEFAULT '{}'")])

    class Meta:
        """Found by subdomain, filtered by status; a tenant sees its own row only."""

        indexes = (unique("subdomain"), index("status"))
        constraints = (
            check("status_valid", f"status IN {STATUSES}"),
            check("subdomain_valid", f"subdomain ~ '^{SUBDOMAIN}$'"),
        )
        policies = (
            policy("own_row", "id = (SELECT app.current_tenant())", command="SELECT"),
            policy("platform", _IN_PLATFORM, check=_IN_PLATFORM),
        )
        privileges = ("SELECT", "INSERT", "UPDATE")

    @classmethod
    def register(cls, **values: object) -> "Tenant":
        """A new tenant. Raises ConflictError when its subdomain is taken."""
        tenant = cls(**values)
        tenant.save()
        return tenant

    @classmethod
    def find_by_subdomain(cls, subdomain: str) -> "Tenant":
        """The tenant at this subdomain. Raises NotFoundError."""
        tenant: Tenant | None = cls.get_or_none(cls.subdomain == subdomain)
        if tenant is None:
            raise NotFoundError(what=f"tenant as {subdomain!r}", by="subdomain")
        return tenant

    def save(self, force_insert: bool = False, only: Iterable[Field | str] | None = None) -> int:
        """Save. Raises ConflictError when the subdomain is taken."""
        with _conflict(self.subdomain):
            return super().save(force_insert, only)

    @classmethod
    def change(cls, row_id: UUID, **values: Any) -> Self:
        """Change. Raises ConflictError when the subdomain is taken, NotFoundError."""
        with _conflict(values.get("subdomain")):
            return super().change(row_id, **values)


@contextmanager
def _conflict(subdomain: object) -> Iterator[None]:
    """Name the subdomain that is taken: the database tells, so that two at once cannot both have it."""
    try:
        yield
    except peewee.IntegrityError as error:
        if error.orig.diag.constraint_name == "uniq_tenants_subdomain":
            raise ConflictError(what=f"The subdomain {subdomain!r}") from error
        raise


def resolve(tenant_id: UUID) -> Tenant | None:
    """A tenant as it sees itself: its own row, read in its own scope."""
    with tenant_scope(tenant_id):
        tenant: Tenant | None = Tenant.get_or_none(Tenant.id == tenant_id)
        return tenant
