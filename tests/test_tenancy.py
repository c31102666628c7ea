"""The tenant in force: entered once, never swapped, never inherited."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from app.errors import InvalidTenantError, NoTenantError, ScopeSwapError
from app.tenancy import current_scope, current_tenant, platform_scope, scope_in_force, tenant_scope

ACME, GLOBEX = uuid4(), uuid4()


def test_outside_a_scope_there_is_no_tenant() -> None:
    with pytest.raises(NoTenantError, match="tenant_scope"):
        current_tenant()
    with pytest.raises(NoTenantError):
        current_scope()


def test_a_scope_names_its_tenant_and_ends() -> None:
    with tenant_scope(ACME) as entered:
        assert entered == current_tenant() == ACME
    assert scope_in_force() is None


@pytest.mark.parametrize("given", [ACME, str(ACME), ACME.hex, type("Row", (), {"id": ACME})()])
def test_a_tenant_is_given_by_id_or_by_its_row(given: UUID) -> None:
    with tenant_scope(given):
        assert current_tenant() == ACME


@pytest.mark.parametrize("given", ["", "acme", None, 7, "'; DROP TABLE rcas --"])
def test_what_is_no_tenant_is_refused_by_name(given: str) -> None:
    with pytest.raises(InvalidTenantError) as caught, tenant_scope(given):
        pass
    assert repr(given) in str(caught.value)


def test_the_same_tenant_may_be_entered_again() -> None:
    with tenant_scope(ACME), tenant_scope(ACME):
        assert current_tenant() == ACME


def test_another_tenant_cannot_be_entered_from_inside() -> None:
    with tenant_scope(ACME), pytest.raises(ScopeSwapError, match=str(GLOBEX)), tenant_scope(GLOBEX):
        pass


def test_the_platform_cannot_be_entered_from_a_tenant() -> None:
    with tenant_scope(ACME), pytest.raises(ScopeSwapError), platform_scope("curiosity"):
        pass


def test_a_tenant_cannot_be_entered_from_the_platform() -> None:
    with platform_scope("an operator"), pytest.raises(ScopeSwapError), tenant_scope(ACME):
        pass


def test_a_platform_scope_has_no_tenant() -> None:
    with platform_scope("an operator"), pytest.raises(NoTenantError):
        current_tenant()


def test_a_thread_does_not_inherit_the_scope() -> None:
    with tenant_scope(ACME), ThreadPoolExecutor(1) as pool, pytest.raises(NoTenantError):
        pool.submit(current_tenant).result()


def test_an_error_leaves_the_scope() -> None:
    with pytest.raises(KeyError), tenant_scope(ACME):
        raise KeyError
    assert scope_in_force() is None
