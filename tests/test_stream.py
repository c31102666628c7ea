"""Answers that are sent while they are read: a unit that lives until the last byte."""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from importlib import import_module
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import Response
from psycopg2.extensions import connection as Connection

from app import create_app
from app.config import Settings
from app.database import (
    Databases,
    Principal,
    Unit,
    application,
    begin_request,
    db,
    principal_in_force,
)
from app.errors import NoTenantError, StreamCutError, StreamsFullError
from app.http import FixApp, TenantBlueprint
from app.rcas import RCA
from app.tenancy import Stream, current_tenant, in_scope, stream, tenant_scope
from app.tenants import Tenant
from tests.database import lent
from tests.factories import bearer, make_rca
from tests.waiting import one, wait_until

pytestmark = pytest.mark.usefixtures("app")

TITLES = ["A", "B", "C"]


@pytest.fixture(autouse=True)
def _rows(acme: Tenant, globex: Tenant) -> None:
    """Three analyses of acme's, one of globex's."""
    for title in TITLES:
        make_rca(acme, title)
    make_rca(globex, "G")


def ordered() -> Any:
    """The tenant's analyses by title."""
    return RCA.select(RCA.title).order_by(RCA.title)


def titles() -> Iterator[str]:
    """A generator that reads while it is consumed, one statement for each item."""
    for offset in range(RCA.select().count()):
        yield ordered().offset(offset).limit(1)[0].title


def failing() -> Iterator[str]:
    """A generator that goes wrong after its first item."""
    yield ordered().get().title
    raise ZeroDivisionError


def failing_at_once() -> Iterator[str]:
    """A generator that goes wrong before its first item."""
    ordered().get()
    raise ZeroDivisionError
    yield ""


def streamed(tenant: Tenant, items: Callable[[], Any] = titles) -> Stream[Any]:
    """What a view returns; its scope has been left."""
    with tenant_scope(tenant):
        return stream(items())


# --- until the last byte ---------------------------------------------------------------------------


def test_a_stream_outlives_the_scope_it_was_made_in(databases: Databases, acme: Tenant) -> None:
    items = streamed(acme)
    assert principal_in_force() is None
    assert lent(databases) == 1
    assert list(items) == TITLES
    assert lent(databases) == 0


def test_streams_of_two_tenants_take_turns(acme: Tenant, globex: Tenant) -> None:
    acmes, globexs = streamed(acme), streamed(globex)
    assert [next(acmes), next(globexs), *acmes, *globexs] == ["A", "G", "B", "C"]


def test_a_client_that_hangs_up_ends_it(databases: Databases, acme: Tenant) -> None:
    items = streamed(acme)
    next(items)
    items.close()
    assert lent(databases) == 0
    items.close()


def test_an_error_ends_it(databases: Databases, acme: Tenant) -> None:
    items = streamed(acme, failing)
    with pytest.raises(ZeroDivisionError):
        list(items)
    assert lent(databases) == 0


def test_the_first_items_error_is_raised_before_anything_is_sent(databases: Databases, acme: Tenant) -> None:
    with pytest.raises(ZeroDivisionError):
        streamed(acme, failing_at_once)
    assert lent(databases) == 0


def test_an_empty_stream_is_empty(databases: Databases, acme: Tenant) -> None:
    assert list(streamed(acme, lambda: ordered().where(RCA.title == "Z"))) == []
    assert lent(databases) == 0


def test_a_generators_own_end_runs_as_its_tenant(acme: Tenant) -> None:
    seen = []

    def items() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            seen.append((current_tenant(), RCA.select().count()))

    streamed(acme, items).close()
    assert seen == [(acme.id, 3)]


def test_a_query_is_read_through_a_cursor_of_the_server(admin: Connection, acme: Tenant) -> None:
    items = streamed(acme, ordered)
    fetching = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE %s"
    assert one(admin, fetching, ("FETCH%",)) == 1
    assert [rca.title for rca in items] == TITLES
    assert one(admin, fetching, ("FETCH%",)) == 0


def test_steps_may_be_taken_by_different_threads(databases: Databases, acme: Tenant) -> None:
    items = streamed(acme)
    found = []
    for _ in TITLES:
        with ThreadPoolExecutor(1) as thread:
            found.append(thread.submit(next, items).result())
    assert found == TITLES
    with ThreadPoolExecutor(1) as thread:
        thread.submit(items.close).result()
    assert lent(databases) == 0


# --- and nobody else is in it ----------------------------------------------------------------------


def test_between_two_items_no_unit_is_in_force(acme: Tenant, globex: Tenant) -> None:
    for _ in streamed(acme):
        assert principal_in_force() is None
        with pytest.raises(NoTenantError):
            RCA.select().count()
        with tenant_scope(globex):
            assert RCA.select().count() == 1


def test_a_scope_that_is_forced_into_a_generator_leaks(databases: Databases, acme: Tenant) -> None:
    unit = Unit(Principal(acme.id), databases)

    def forced() -> Iterator[str]:
        unit.enter()
        yield from titles()

    next(forced())
    found = [rca.title for rca in ordered()]
    begin_request()
    unit.end()
    assert found == TITLES


def test_a_plain_generator_is_told_of_stream(acme: Tenant) -> None:
    with tenant_scope(acme):
        items = titles()
    with pytest.raises(NoTenantError, match=r"stream\(\)"):
        next(items)


def test_outside_a_scope_there_is_nothing_to_stream_as() -> None:
    with pytest.raises(NoTenantError):
        stream(titles())


def test_inside_a_stream_its_scope_is_handed_on_to_threads(databases: Databases, acme: Tenant) -> None:
    def items() -> Iterator[int]:
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(in_scope(lambda _: RCA.select().count()), range(3))

    assert list(streamed(acme, items)) == [3, 3, 3]
    assert lent(databases) == 0


def test_a_stream_in_a_stream_is_its_own(databases: Databases, acme: Tenant) -> None:
    def items() -> Iterator[str]:
        for rca in stream(ordered()):
            assert current_tenant() == acme.id
            yield rca.title

    assert list(streamed(acme, items)) == TITLES
    assert lent(databases) == 0


def test_inside_a_stream_no_other_scope_is_entered(acme: Tenant) -> None:
    def items() -> Iterator[object]:
        with tenant_scope(acme) as same:
            yield same

    assert list(streamed(acme, items)) == [acme.id]


# --- a share of the pool ---------------------------------------------------------------------------


def test_streams_have_a_quarter_of_the_pool(databases: Databases, acme: Tenant, globex: Tenant) -> None:
    several = [streamed(acme), streamed(globex)]
    with pytest.raises(StreamsFullError, match="2 answers"):
        streamed(globex)
    several.pop().close()
    several.append(streamed(globex))
    assert lent(databases) == 2
    for items in several:
        items.close()


def test_of_a_crowd_that_begins_at_once_no_more_get_through(
    databases: Databases, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of four is between its look at the share and its own place in it, as long as they let it be."""
    together = Barrier(4)

    def meet() -> Context:
        with suppress(BrokenBarrierError):
            together.wait(1)
        return copy_context()

    def begin(_number: int) -> Stream[Any] | None:
        with application(databases), suppress(StreamsFullError):
            return streamed(acme)
        return None

    monkeypatch.setattr(import_module("app.tenancy.stream"), "copy_context", meet)
    with ThreadPoolExecutor(4) as pool:
        begun = [items for items in pool.map(begin, range(4)) if items is not None]
    for items in begun:
        items.close()
    assert len(begun) == 2


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers may stall for a moment only."""
    # the package's own name `stream` is the function
    module = import_module("app.tenancy.stream")
    monkeypatch.setattr(module, "STALL", 0.2)
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.05)


@pytest.mark.usefixtures("_impatient")
def test_a_reader_that_stalls_is_cut(databases: Databases, acme: Tenant) -> None:
    items = streamed(acme)
    assert next(items) == "A"
    wait_until(lambda: lent(databases) == 0, 10)
    with pytest.raises(StreamCutError, match=r"0\.2 s"):
        next(items)
    items.close()


@pytest.mark.usefixtures("_impatient")
def test_who_never_reads_at_all_is_cut_too(databases: Databases, acme: Tenant) -> None:
    items = streamed(acme)
    wait_until(lambda: lent(databases) == 0, 10)
    with pytest.raises(StreamCutError):
        list(items)


def test_a_stream_inside_a_broken_off_generator_ends_too(databases: Databases, acme: Tenant) -> None:
    with tenant_scope(acme):
        wrapped = (str(item) for item in stream(ordered()))
    next(wrapped)
    assert lent(databases) == 1
    wrapped.close()
    del wrapped
    wait_until(lambda: lent(databases) == 0, 10)


def test_the_cursor_of_a_broken_off_stream_troubles_nobody(acme: Tenant) -> None:
    with tenant_scope(acme):
        broken_off = stream(ordered())
        next(broken_off)
        broken_off.close()
        with db.atomic():
            before = RCA.select().count()
            del broken_off
            gc.collect()
            assert RCA.select().count() == before


@pytest.mark.usefixtures("_impatient")
def test_a_stream_that_was_forgotten_makes_way(databases: Databases, acme: Tenant) -> None:
    for _ in range(2):
        streamed(acme)
    wait_until(lambda: lent(databases) == 0, 10)
    assert list(streamed(acme)) == TITLES


# --- over HTTP -------------------------------------------------------------------------------------


@pytest.fixture
def streaming(settings: Settings) -> Iterator[FixApp]:
    """An application with views that stream."""
    own = create_app(settings)
    views = TenantBlueprint("streaming", __name__, url_prefix="/streaming")
    bodies = {"titles": titles, "failing": failing, "failing_at_once": failing_at_once}

    @views.route("/<name>")
    def view(name: str) -> Any:
        return Response(stream(bodies[name]()), content_type="text/plain")

    @views.route("/plain")
    def plain() -> Any:
        return Response(titles(), content_type="text/plain")

    own.register_blueprint(views)
    with application(own.databases):
        yield own
    own.databases.close()


def ask(app: FixApp, tenant: Tenant, name: str) -> Any:
    """An answer that is read as it comes."""
    return app.test_client().get(f"/streaming/{name}", headers=bearer(app, tenant), buffered=False)


def test_over_http_a_body_is_sent_while_it_is_read(streaming: FixApp, acme: Tenant) -> None:
    answer = ask(streaming, acme, "titles")
    assert lent(streaming.databases) == 1
    assert answer.get_data(as_text=True) == "ABC"
    assert lent(streaming.databases) == 0


def test_over_http_a_client_that_hangs_up_ends_it(streaming: FixApp, acme: Tenant) -> None:
    answer = ask(streaming, acme, "titles")
    assert next(answer.iter_encoded()) == b"A"
    answer.close()
    assert lent(streaming.databases) == 0


def test_over_http_the_first_items_error_has_a_status(streaming: FixApp, acme: Tenant) -> None:
    answer = ask(streaming, acme, "failing_at_once")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "internal")
    assert lent(streaming.databases) == 0


def test_over_http_a_later_error_breaks_the_body_off(streaming: FixApp, acme: Tenant) -> None:
    answer = ask(streaming, acme, "failing")
    assert answer.status_code == 200
    with pytest.raises(ZeroDivisionError):
        answer.get_data()
    assert lent(streaming.databases) == 0


def test_over_http_a_plain_generator_reads_nothing(streaming: FixApp, acme: Tenant) -> None:
    with pytest.raises(NoTenantError, match=r"stream\(\)"):
        ask(streaming, acme, "plain").get_data()


def test_over_http_too_many_are_asked_to_come_again(streaming: FixApp, acme: Tenant, globex: Tenant) -> None:
    answers = [ask(streaming, acme, "titles") for _ in range(2)]
    refused = ask(streaming, globex, "titles")
    assert (refused.status_code, refused.get_json()["code"]) == (503, "streams_full")
    assert int(refused.headers["Retry-After"]) > 0
    for answer in answers:
        answer.close()
    assert ask(streaming, globex, "titles").get_data(as_text=True) == "G"
