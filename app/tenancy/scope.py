"""Entering a unit of work, and handing it on to a thread."""

import contextlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType, TracebackType
from typing import ParamSpec, Protocol, TypeVar
from uuid import UUID

from app.database import Principal, Unit, databases_in_force, principal_in_force, unit_in_force
from app.errors import InvalidTenantError, NoTenantError, ScopeInGeneratorError, ScopeSwapError

log = logging.getLogger(__name__)

Given = ParamSpec("Given")
Result = TypeVar("Result")

_CONTEXTLIB = contextlib.__file__
_TEST_FIXTURES = "_pytest"


class Identified(Protocol):
    """Anything with a tenant's id, such as a row of `tenants`."""

    id: UUID


Tenant = UUID | str | Identified


class Scope:
    """One principal in force for a block: a unit of work, or part of the one it is entered in."""

    __slots__ = ("_statement_timeout", "_unit", "principal")

    def __init__(self, principal: Principal, statement_timeout: float | None = None) -> None:
        self.principal = principal
        self._statement_timeout = statement_timeout
        self._unit: Unit | None = None

    def __enter__(self) -> UUID:
        current = unit_in_force()
        if current is None:
            _refuse_generator(sys._getframe(1))
            self._unit = Unit(self.principal, databases_in_force(), statement_timeout=self._statement_timeout)
            self._unit.enter()
        elif not current.principal.includes(self.principal):
            raise ScopeSwapError(current=current.principal, wanted=self.principal)
        return self.principal.tenant_id  # type: ignore[return-value] # None is the platform's

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the unit that was entered, and not the one in force: a generator may be closed elsewhere
        unit, self._unit = self._unit, None
        if unit is not None:
            unit.leave(failed=kind is not None)


def tenant_scope(
    tenant: Tenant,
    *,
    actor: str | None = None,
    request_id: str | None = None,
    statement_timeout: float | None = None,
) -> Scope:
    """A unit of work for one tenant, which is all that a request, a job or a test needs.

    `with tenant_scope(tenant, actor="user:42"):`. Inside a scope for the same tenant it is part of that
    unit. `statement_timeout` (seconds) is for a job whose statements may take longer than a
    request's. Raises InvalidTenantError for something that is no tenant, ScopeSwapError inside any
    other scope.
    """
    return Scope(Principal(_tenant_id(tenant), actor, request_id), statement_timeout)


def platform_scope(reason: str, *, actor: str | None = None, request_id: str | None = None) -> Scope:
    """A unit of work for the platform: it opens the registry of tenants and nothing of theirs.

    The reason goes to the log. Raises ScopeSwapError inside a tenant's scope.
    """
    log.info("platform scope: %r", reason)
    return Scope(Principal(None, actor, request_id))


def current_tenant() -> UUID:
    """The id of the tenant in force. Raises NoTenantError outside any tenant's scope."""
    principal = principal_in_force()
    if principal is None or principal.tenant_id is None:
        raise NoTenantError
    return principal.tenant_id


def in_scope(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Hand the scope in force on to a thread: `executor.submit(in_scope(work), …)`.

    Each call of the function is a unit of its own, for the same principal. Raises NoTenantError
    outside any scope.
    """
    unit = unit_in_force()
    if unit is None:
        raise NoTenantError
    principal, databases, timeout = unit.principal, unit.databases, unit.statement_timeout

    @wraps(function)
    def scoped(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        with inside(Unit(principal, databases, statement_timeout=timeout)):
            return function(*args, **kwargs)

    return scoped


@contextmanager
def inside(unit: Unit) -> Iterator[None]:
    """Run a block in a unit that was made for it. Raises ScopeSwapError inside another."""
    current = unit_in_force()
    if current is not None:
        raise ScopeSwapError(current=current.principal, wanted=unit.principal)
    unit.enter()
    failed = True
    try:
        yield
        failed = False
    finally:
        unit.leave(failed=failed)


def _tenant_id(tenant: Tenant) -> UUID:
    given = tenant if isinstance(tenant, UUID | str) else getattr(tenant, "id", None)
    if isinstance(given, UUID):
        return given
    try:
        return UUID(given or "")
    except (ValueError, AttributeError, TypeError):
        raise InvalidTenantError(given=tenant) from None


def _refuse_generator(frame: FrameType | None) -> None:
    """Raise ScopeInGeneratorError when a scope is entered in a generator that somebody consumes.

    What a generator enters is in force for its consumer between two values. The functions of
    `@contextmanager` and of pytest's fixtures are generators too, but their consumer means it.
    """
    while frame is not None:
        if frame.f_code.co_filename == _CONTEXTLIB:
            frame = frame.f_back
        elif frame.f_code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
            driver = frame.f_back
            if driver is None or not _means_it(driver):
                raise ScopeInGeneratorError(name=frame.f_code.co_qualname)
            frame = driver
        else:
            return


def _means_it(driver: FrameType) -> bool:
    name: str = driver.f_globals.get("__name__", "")
    return driver.f_code.co_filename == _CONTEXTLIB or name.partition(".")[0] == _TEST_FIXTURES
