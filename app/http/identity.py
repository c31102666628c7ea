"""Who is asking: from the bearer token to a live tenant, in force around the view."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol
from uuid import UUID

from cachetools import LRUCache
from flask import Flask, current_app

from app.auth import Identity, tokens
from app.errors import InvalidTokenError, PlatformOnlyError, TenantNotActiveError, TenantOnlyError
from app.http.frame import Exchange
from app.tenancy import Scope, platform_scope, tenant_scope

# a suspended tenant is turned away after this many seconds at the latest
TENANT_TTL = 5
_MAX_TENANTS = 10_000


class Tenant(Protocol):
    """What is asked of a tenant here."""

    id: UUID
    status: str


Resolver = Callable[[UUID], Tenant | None]


def init_app(app: Flask, resolve_tenant: Resolver) -> None:
    """Keep what finds a tenant by its id, and what it found, for this app."""
    app.extensions["tenants"] = TenantCache(resolve_tenant)


def as_tenant(exchange: Exchange) -> Scope:
    """The scope of the tenant that is asking.

    Raises InvalidTokenError, TenantOnlyError or TenantNotActiveError.
    """
    identity = _identity(exchange)
    if identity.tenant_id is None:
        raise TenantOnlyError
    cache: TenantCache = current_app.extensions["tenants"]
    status = cache.status(identity.tenant_id)
    if status != "active":
        raise TenantNotActiveError(status=status)
    return tenant_scope(identity.tenant_id, actor=identity.actor, request_id=exchange.request_id)


def as_platform(exchange: Exchange) -> Scope:
    """The platform's scope, for its operators. Raises InvalidTokenError or PlatformOnlyError."""
    identity = _identity(exchange)
    if identity.tenant_id is not None:
        raise PlatformOnlyError
    reason = f"{exchange.method} {exchange.path}"
    return platform_scope(reason, actor=identity.actor, request_id=exchange.request_id)


def _identity(exchange: Exchange) -> Identity:
    """Whom the token of the Authorization header names (RFC 6750, 2.1), noted for the log."""
    scheme, _, token = exchange.authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidTokenError
    identity = tokens().read(token)
    exchange.actor = identity.actor
    exchange.tenant = "platform" if identity.tenant_id is None else str(identity.tenant_id)
    return identity


class TenantCache:
    """A TTL cache of tenants' states, so that a read stays one message."""

    def __init__(self, resolve: Resolver, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._clock = clock
        # each status with the instant until which it holds
        self._kept: LRUCache[UUID, tuple[str, float]] = LRUCache(_MAX_TENANTS)
        self._lock = Lock()

    def status(self, tenant_id: UUID) -> str:
        """A tenant's status. Raises InvalidTokenError for one that does not exist."""
        asked = self._clock()
        with self._lock:
            status, until = self._kept.get(tenant_id, ("", asked))
            if status and asked >= until:
                # one caller asks again; the others go on with what they have until it is back
                self._kept[tenant_id] = status, asked + 1.0
        if asked < until:
            return status
        # outside the lock, for it asks the database; an unknown tenant is not kept
        tenant = self._resolve(tenant_id)
        if tenant is None:
            self._forget(tenant_id)
            raise InvalidTokenError
        with self._lock:
            # counted from the question, so that a slow answer does not stretch the promise
            self._kept[tenant_id] = tenant.status, asked + TENANT_TTL
        return tenant.status

    def clear(self) -> None:
        """Ask again for every tenant."""
        with self._lock:
            self._kept.clear()

    def _forget(self, tenant_id: UUID) -> None:
        with self._lock:
            self._kept.pop(tenant_id, None)
