"""The tenant in force: entered once, never swapped, never inherited."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from uuid import UUID

import pytest

from app.database import begin_request, db, principal_in_force
from app.errors import InvalidTenantError, NoTenantError, ScopeInGeneratorError, ScopeSwapError
from app.http import FixApp
from app.rcas import RCA
from app.tenancy import Scope, current_tenant, for_each_tenant, in_scope, platform_scope, tenant_scope
from app.tenants import Tenant
from tests.database import lent
from tests.factories import make_rca, make_tenant

ACME, GLOBEX = UUID(int=1), UUID(int=2)
pytestmark = pytest.mark.usefixtures("app")


def test_outside_a_scope_there_is_no_tenant() -> None:
    with pytest.raises(NoTenantError, match=r"tenant_scope.*stream"):
        current_tenant()


def test_a_scope_names_its_tenant_and_ends() -> None:
    with tenant_scope(ACME) as entered:
        assert entered == current_tenant() == ACME
    assert principal_in_force() is None


def test_a_scope_names_its_actor() -> None:
    with tenant_scope(ACME, actor="user:42"):
        principal = principal_in_force()
        assert principal
        assert principal.actor == "user:42"


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
    with tenant_scope(ACME, actor="user:42"), tenant_scope(ACME), tenant_scope(ACME, actor="user:42"):
        assert current_tenant() == ACME


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (tenant_scope(ACME), tenant_scope(GLOBEX)),
        (tenant_scope(ACME, actor="user:1"), tenant_scope(ACME, actor="user:2")),
        (tenant_scope(ACME), platform_scope("curiosity")),
        (platform_scope("an operator"), tenant_scope(ACME)),
    ],
)
def test_another_scope_cannot_be_entered_from_inside(outer: Scope, inner: Scope) -> None:
    with outer, pytest.raises(ScopeSwapError), inner:
        pass


def test_a_platform_scope_has_no_tenant() -> None:
    with platform_scope("an operator"), pytest.raises(NoTenantError):
        current_tenant()


def test_an_error_leaves_the_scope() -> None:
    with pytest.raises(KeyError), tenant_scope(ACME):
        raise KeyError
    assert principal_in_force() is None


# --- nobody inherits it ----------------------------------------------------------------------------


def test_a_thread_does_not_inherit_the_scope() -> None:
    with tenant_scope(ACME), ThreadPoolExecutor(1) as pool, pytest.raises(NoTenantError):
        pool.submit(current_tenant).result()


def test_a_task_does_not_inherit_the_scope() -> None:
    async def look() -> UUID:
        return current_tenant()

    async def main() -> None:
        with tenant_scope(ACME):
            with pytest.raises(NoTenantError):
                await asyncio.create_task(look())
            assert current_tenant() == ACME

    asyncio.run(main())


def test_a_thread_that_is_given_the_context_does_not_have_the_scope() -> None:
    async def main() -> None:
        with tenant_scope(ACME), pytest.raises(NoTenantError):
            await asyncio.to_thread(current_tenant)

    asyncio.run(main())


def test_a_request_begins_with_no_unit_in_force() -> None:
    with tenant_scope(ACME):
        begin_request()
        assert principal_in_force() is None


def test_a_function_in_scope_has_it_in_a_thread(acme: Tenant) -> None:
    make_rca(acme)
    with tenant_scope(acme, actor="user:42"), ThreadPoolExecutor(4) as pool:
        counts = [pool.submit(in_scope(RCA.select().count)) for _ in range(8)]
        assert [count.result() for count in counts] == [1] * 8


def test_every_connection_of_an_executor_comes_back(app: FixApp, acme: Tenant) -> None:
    with tenant_scope(acme), ThreadPoolExecutor(12) as pool:
        list(pool.map(in_scope(lambda _: RCA.select().count()), range(36)))
        assert lent(app.databases) == 0


def test_there_is_nothing_to_hand_on_outside_a_scope() -> None:
    with pytest.raises(NoTenantError):
        in_scope(current_tenant)


# --- generators ------------------------------------------------------------------------------------


def rows_of(tenant: UUID) -> Iterator[UUID]:
    """What must not be: a scope that would be in force for whoever consumes this."""
    with tenant_scope(tenant):
        yield current_tenant()


def test_a_scope_in_a_generator_is_refused_and_told_what_to_do() -> None:
    with pytest.raises(ScopeInGeneratorError, match=r"rows_of.*stream\(\)"):
        next(rows_of(ACME))
    assert principal_in_force() is None


def test_a_context_manager_of_ones_own_may_enter_a_scope() -> None:
    @contextmanager
    def as_acme() -> Iterator[None]:
        with tenant_scope(ACME):
            yield

    with as_acme(), ExitStack() as stack:
        stack.enter_context(tenant_scope(ACME))
        assert current_tenant() == ACME
    assert principal_in_force() is None


def test_a_context_manager_is_no_way_around_in_a_generator() -> None:
    @contextmanager
    def as_acme() -> Iterator[None]:
        with tenant_scope(ACME):
            yield

    def rows() -> Iterator[UUID]:
        with as_acme():
            yield current_tenant()

    with pytest.raises(ScopeInGeneratorError, match="rows"):
        next(rows())


def test_leaving_elsewhere_ends_the_scope_that_was_entered(acme: Tenant, globex: Tenant) -> None:
    scope = tenant_scope(acme)
    scope.__enter__()
    db.execute_sql("SELECT 1")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(in_another_scope, globex, scope).result()
    assert principal_in_force() is None


def in_another_scope(tenant: Tenant, scope: Scope) -> None:
    """Leave a scope inside one of another tenant, which must stay."""
    with tenant_scope(tenant):
        scope.__exit__(None, None, None)
        assert current_tenant() == tenant.id


# --- jobs ------------------------------------------------------------------------------------------


def test_a_job_runs_for_every_active_tenant(acme: Tenant, globex: Tenant) -> None:
    make_tenant("initech", status="suspended")
    seen: list[UUID] = []
    assert for_each_tenant("nightly", lambda _: seen.append(current_tenant())) == {}
    assert seen == [acme.id, globex.id]


def test_one_tenants_failure_is_told_and_not_the_end(
    acme: Tenant, globex: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    def job(tenant_id: UUID) -> None:
        RCA.create(title="Checked", issue_description="By night.")
        if tenant_id == acme.id:
            raise ValueError("acme's data is odd")

    failures = for_each_tenant("nightly", job)
    assert {tenant: str(error) for tenant, error in failures.items()} == {acme.id: "acme's data is odd"}
    assert f"failed for tenant {acme.id}" in caplog.text
    with tenant_scope(globex):
        assert RCA.select().count() == 1
