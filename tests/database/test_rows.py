"""Rows belong to the unit that read them: a query kept at module level gives each tenant its own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import peewee
import pytest
from peewee import SQL, ForeignKeyField, TextField, UUIDField, prefetch

from app.database import Databases, application, current_unit, db
from app.rcas import RCA
from app.tenancy import platform_scope, tenant_scope
from app.tenants import Tenant
from tests.factories import make_rca

pytestmark = pytest.mark.usefixtures("app")


class Company(peewee.Model):
    """The registry without this product's bases, so that Peewee's relations may be tried."""

    id = UUIDField(primary_key=True)
    name = TextField()

    class Meta:
        """Bound to the same database."""

        database = db
        table_name = "tenants"


class Problem(peewee.Model):
    """The analyses without this product's bases: nothing in its statements names a tenant."""

    id = UUIDField(primary_key=True)
    company = ForeignKeyField(Company, column_name="tenant_id", backref="problems")
    title = TextField()

    class Meta:
        """Bound to the same database."""

        database = db
        table_name = "rcas"


def living() -> Any:
    """The query most of these keep."""
    return RCA.alive().order_by(RCA.title)


def titles(rows: Any) -> list[str]:
    """The titles of rows of any kind."""
    return [row.title for row in rows]


def companies_with(companies: Any, problems: Any) -> list[str]:
    """The names of companies whose problems are prefetched."""
    return [company.name for company in prefetch(companies, problems)]


def problems_of(companies: Any, problems: Any) -> list[str]:
    """The titles found by prefetching."""
    found = prefetch(companies, problems)
    return sorted(problem.title for company in found for problem in company.problems)


ACMES, GLOBEXS = ["Pump leaks", "Valve sticks"], ["Ours only"]


@dataclass(frozen=True)
class Way:
    """A way to read queries that live as long as the process, and what acme and globex get."""

    read: Callable[..., Any]
    kept: tuple[Any, ...]
    acmes: Any
    globexs: Any


def all_of(read: Callable[..., list[str]], *kept: Any) -> Way:
    """A way that gives every title."""
    return Way(read, kept, ACMES, GLOBEXS)


def first_of(read: Callable[..., str]) -> Way:
    """A way that gives the first title."""
    return Way(read, (living(),), ACMES[0], GLOBEXS[0])


# what Peewee itself keeps on the query object, and gave to the next tenant
KEEPING = {
    "for": all_of(lambda query: [row.title for row in query], living()),
    "list": all_of(lambda query: titles(list(query)), living()),
    "len": Way(len, (living(),), 2, 1),
    "index": first_of(lambda query: query[0].title),
    "slice": all_of(lambda query: titles(query[0:2]), living()),
    "peek": first_of(lambda query: query.peek().title),
    "execute": all_of(lambda query: titles(query.execute()), living()),
    "dicts": all_of(lambda query: [row["title"] for row in query], living().dicts()),
    "tuples": all_of(lambda query: [title for (title,) in query], living().select(RCA.title).tuples()),
    "namedtuples": all_of(titles, living().namedtuples()),
    "objects": all_of(titles, living().objects()),
    "raw": all_of(titles, RCA.raw("SELECT * FROM rcas ORDER BY title")),
    "compound": all_of(
        titles,
        (RCA.alive().where(RCA.status == "open") | RCA.alive().where(RCA.status == "closed")).order_by(
            SQL("title")
        ),
    ),
    "prefetch": Way(companies_with, (Company.select(), Problem.select()), ["Acme"], ["Globex"]),
    "no tenant in the text": all_of(titles, Problem.select().order_by(Problem.title)),
}
# what Peewee asks for anew by itself, and must go on doing so
ASKING = {
    "first": first_of(lambda query: query.first().title),
    "get": first_of(lambda query: query.get().title),
    "iterator": all_of(lambda query: titles(query.iterator()), living()),
    "count": Way(lambda query: query.count(), (living(),), 2, 1),
    "scalars": all_of(lambda query: list(query.scalars()), living().select(RCA.title)),
    "subquery": all_of(
        lambda query: titles(RCA.select().where(RCA.id.in_(query)).order_by(RCA.title)),
        living().select(RCA.id),
    ),
    "prefetched": all_of(problems_of, Company.select(), Problem.select()),
    "read before as subquery": all_of(
        lambda query: list(query) and titles(RCA.select().where(RCA.id.in_(query)).order_by(RCA.title)),
        living().select(RCA.id),
    ),
}
WAYS = KEEPING | ASKING


@pytest.fixture(autouse=True)
def _rows(acme: Tenant, globex: Tenant) -> None:
    """Two analyses of acme's, one of globex's."""
    make_rca(acme, ACMES[0])
    make_rca(acme, ACMES[1])
    make_rca(globex, GLOBEXS[0])


@pytest.fixture
def _kept_on_the_query() -> Iterator[None]:
    """Put back Peewee's own attribute: rows live on the query object again."""
    kept_in_units = vars(peewee.BaseQuery)["_cursor_wrapper"]
    del peewee.BaseQuery._cursor_wrapper
    yield
    peewee.BaseQuery._cursor_wrapper = kept_in_units


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_kept_query_gives_each_tenant_its_own_rows(way: Way, acme: Tenant, globex: Tenant) -> None:
    for _ in range(2):
        with tenant_scope(acme):
            assert way.read(*way.kept) == way.acmes
        with tenant_scope(globex):
            assert way.read(*way.kept) == way.globexs


@pytest.mark.usefixtures("_kept_on_the_query")
@pytest.mark.parametrize("way", KEEPING.values(), ids=KEEPING)
def test_kept_on_the_query_rows_would_cross(way: Way, acme: Tenant, globex: Tenant) -> None:
    kept = [query.clone() for query in way.kept]
    with tenant_scope(acme):
        assert way.read(*kept) == way.acmes
    with tenant_scope(globex):
        assert way.read(*kept) == way.acmes


REGISTRY = Tenant.select().order_by(Tenant.subdomain)


def test_a_tenant_sees_its_own_row_in_a_list_the_platform_read(acme: Tenant, globex: Tenant) -> None:
    with platform_scope("the registry"):
        assert [tenant.id for tenant in REGISTRY] == [acme.id, globex.id]
    with tenant_scope(globex):
        assert [tenant.id for tenant in REGISTRY] == [globex.id]


@pytest.mark.usefixtures("_kept_on_the_query")
def test_kept_on_the_query_it_would_see_every_tenant(acme: Tenant, globex: Tenant) -> None:
    registry = REGISTRY.clone()
    with platform_scope("the registry"):
        list(registry)
    with tenant_scope(globex):
        assert [tenant.id for tenant in registry] == [acme.id, globex.id]


def test_within_a_unit_a_query_is_read_once(databases: Databases, acme: Tenant) -> None:
    query = living()
    with tenant_scope(acme):
        assert titles(query) == titles(query) == ACMES
        assert current_unit().statements == 1


# --- threads ---------------------------------------------------------------------------------------

ROUNDS = 200


def race(query: Any, databases: Databases, *tenants: Tenant) -> list[list[list[str]]]:
    """What each tenant read in each round, all reading one query object at the same moment."""
    gate = threading.Barrier(len(tenants), timeout=30)

    def rounds(tenant: Tenant) -> list[list[str]]:
        found = []
        for _ in range(ROUNDS):
            gate.wait()
            with application(databases), tenant_scope(tenant):
                found.append(titles(query))
        return found

    with ThreadPoolExecutor(len(tenants)) as pool:
        return list(pool.map(rounds, tenants))


def between(query: Any, databases: Databases, *tenants: Tenant) -> list[list[str]]:
    """What each tenant finds when all have run one query object anew before any looks at its rows."""
    gate = threading.Barrier(len(tenants), timeout=30)

    def look(tenant: Tenant) -> list[str]:
        with application(databases), tenant_scope(tenant):
            query._cursor_wrapper = None
            query.execute()
            gate.wait()
            return titles(query)

    with ThreadPoolExecutor(len(tenants)) as pool:
        return list(pool.map(look, tenants))


def test_two_tenants_race_on_one_query(databases: Databases, acme: Tenant, globex: Tenant) -> None:
    assert race(living(), databases, acme, globex) == [[ACMES] * ROUNDS, [GLOBEXS] * ROUNDS]


@pytest.mark.usefixtures("_kept_on_the_query")
def test_kept_on_the_query_the_race_would_have_one_winner(
    databases: Databases, acme: Tenant, globex: Tenant
) -> None:
    acmes, globexs = race(living(), databases, acme, globex)
    assert acmes[1:] == globexs[1:]


def test_another_threads_run_changes_nothing(databases: Databases, acme: Tenant, globex: Tenant) -> None:
    assert between(living(), databases, acme, globex) == [ACMES, GLOBEXS]


@pytest.mark.usefixtures("_kept_on_the_query")
def test_to_clear_the_query_first_would_not_do(databases: Databases, acme: Tenant, globex: Tenant) -> None:
    acmes, globexs = between(living(), databases, acme, globex)
    assert acmes == globexs


# --- how long rows are kept ------------------------------------------------------------------------


def test_rows_are_forgotten_with_their_unit(acme: Tenant) -> None:
    query = living()
    with tenant_scope(acme):
        unit = current_unit()
        list(query)
        assert len(unit._rows) == 1
    assert not unit._rows


def test_rows_are_forgotten_with_their_query(acme: Tenant) -> None:
    with tenant_scope(acme):
        unit = current_unit()
        most = 0
        for _ in range(10_000):
            list(RCA.select(RCA.id))
            most = max(most, len(unit._rows))
        assert most <= 2


def test_a_unit_that_runs_on_keeps_what_is_still_held(acme: Tenant) -> None:
    held = [living() for _ in range(3)]
    with tenant_scope(acme):
        for query in held:
            list(query)
        del query
        assert len(current_unit()._rows) == 3
        held.clear()
        assert not current_unit()._rows


def test_a_query_forgets_its_rows_when_it_is_told_to(acme: Tenant) -> None:
    query = living()
    with tenant_scope(acme):
        list(query)
        query._cursor_wrapper = None
        assert not current_unit()._rows


def test_to_ask_for_the_first_row_leaves_the_query_as_it_was(acme: Tenant) -> None:
    kept = RCA.select()
    with tenant_scope(acme):
        assert kept.first()
        assert len(kept) == RCA.select().count() > 1
