"""Who is asking: from the bearer token to a live tenant, in force around the view."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Protocol
from uuid import UUID

from cachetools import LRUCache
from flask import Flask, current_app, g, request

from app.auth import tokens
from app.errors import InvalidTokenError, PlatformOnlyError, TenantNotActiveError, TenantOnlyError
from app.tenancy import platform_scope, tenant_scope

# a suspended tenant is turned away after this many seconds at the latest
KEPT_SECONDS = 5
_KEPT_TENANTS = 10_000


class Tenant(Protocol):
    """What is asked of a tenant here."""

    id: UUID
    status: str


Resolver = Callable[[UUID], Tenant | None]
Scope = AbstractContextManager[Any]


def init_app(app: Flask, resolve_tenant: Resolver) -> None:
    """Keep what finds a tenant by its id, and what it found, for this app."""
    app.extensions["tenants"] = KeptTenants(resolve_tenant)


def as_tenant() -> Scope:
    """The scope of the tenant that is asking.

    Raises InvalidTokenError, TenantOnlyError or TenantNotActiveError.
    """
    tenant_id = tokens().read(_bearer_token()).tenant_id
    if tenant_id is None:
        raise TenantOnlyError
    g.tenant_id = tenant_id
    kept: KeptTenants = current_app.extensions["tenants"]
    status = kept.status(tenant_id)
    if status != "active":
        raise TenantNotActiveError(status=status)
    return tenant_scope(tenant_id)


def as_platform() -> Scope:
    """The platform's scope, for its operators. Raises InvalidTokenError or PlatformOnlyError."""
    if tokens().read(_bearer_token()).tenant_id is not None:
        raise PlatformOnlyError
    return platform_scope(f"{request.method} {request.path}")


def _bearer_token() -> str:
    """The token of the Authorization header (RFC 6750, 2.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidTokenError
    return token


class KeptTenants:
    """Tenants' states, kept for some seconds so that a read stays one message."""

    def __init__(self, resolve: Resolver, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._clock = clock
        # each status with the instant until which it holds
        self._kept: LRUCache[UUID, tuple[str, float]] = LRUCache(_KEPT_TENANTS)
        self._lock = Lock()

    def status(self, tenant_id: UUID) -> str:
        """A tenant's status. Raises InvalidTokenError for one that does not exist."""
        asked = self._clock()
        with self._lock:
            status, until = self._kept.get(tenant_id, ("", asked))
        if asked < until:
            return status
        # outside the lock, for it asks the database; an unknown tenant is not kept
        tenant = self._resolve(tenant_id)
        if tenant is None:
            raise InvalidTokenError
        with self._lock:
            # counted from the question, so that a slow answer does not stretch the promise
            self._kept[tenant_id] = tenant.status, asked + KEPT_SECONDS
        return tenant.status

    def forget(self) -> None:
        """Ask anew for every tenant."""
        with self._lock:
            self._kept.clear()
