"""The tenant in force: who every statement speaks for.

A scope is entered once, around a unit of work, and cannot be swapped from
inside. Threads do not inherit it. There is no default and no "all tenants": outside
any scope a statement is refused before it is sent.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from app.errors import InvalidTenantError, NoTenantError, ScopeSwapError

log = logging.getLogger(__name__)


class Identified(Protocol):
    """Anything with a tenant's id, such as a row of `tenants`."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Scope:
    """Who is in force, and the statement that tells PostgreSQL so for one transaction."""

    name: str
    stamp: str
    tenant_id: UUID | None = None

    def __str__(self) -> str:
        return self.name


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


def current_scope() -> Scope:
    """The scope in force. Raises NoTenantError outside any."""
    scope = _scope.get()
    if scope is None:
        raise NoTenantError
    return scope


def current_tenant() -> UUID:
    """The id of the tenant in force. Raises NoTenantError outside any tenant's scope."""
    scope = _scope.get()
    if scope is None or scope.tenant_id is None:
        raise NoTenantError
    return scope.tenant_id


def scope_in_force() -> Scope | None:
    """The scope in force, or None: for logs, which must never fail."""
    return _scope.get()


@contextmanager
def tenant_scope(tenant: UUID | str | Identified) -> Iterator[UUID]:
    """Run a block as one tenant.

    Entering the same tenant again is allowed; any other scope raises ScopeSwapError,
    something that is no tenant InvalidTenantError.
    """
    tenant_id = _tenant_id(tenant)
    # the text of a uuid.UUID and nothing else is put into SQL here: no quoting can go wrong
    stamp = f"SELECT set_config('app.tenant_id', '{tenant_id}', true)"
    with _entered(Scope(f"tenant {tenant_id}", stamp, tenant_id)):
        yield tenant_id


@contextmanager
def platform_scope(reason: str) -> Iterator[None]:
    """Run a block as the platform: it opens the registry of tenants and nothing of theirs.

    The reason goes to the log. Raises ScopeSwapError inside a tenant's scope.
    """
    log.info("platform scope: %s", reason)
    with _entered(Scope("platform", "SELECT set_config('app.platform', 'on', true)")):
        yield


@contextmanager
def _entered(wanted: Scope) -> Iterator[None]:
    current = _scope.get()
    if current is not None and current != wanted:
        raise ScopeSwapError(current=current, wanted=wanted)
    token = _scope.set(wanted)
    try:
        yield
    finally:
        _scope.reset(token)


def _tenant_id(tenant: UUID | str | Identified) -> UUID:
    given = tenant if isinstance(tenant, UUID | str) else getattr(tenant, "id", None)
    if isinstance(given, UUID):
        return given
    try:
        return UUID(given or "")
    except (ValueError, AttributeError, TypeError):
        raise InvalidTenantError(given=tenant) from None
