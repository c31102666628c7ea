"""Requests and units of work: none is inherited, none holds a connection while the client is waited for."""

import io
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
from marshmallow import fields, post_dump
from peewee import ModelSelect

from app import create_app
from app.config import Settings
from app.database import Databases, Principal, Unit, application, begin_request, db
from app.http import FixApp, ResponseSchema, TenantBlueprint, paginate
from app.models import page_of_rows
from app.rcas import RCA
from app.rcas.schemas import RCASchema
from app.tenancy import current_tenant, in_scope, tenant_scope
from app.tenants import Tenant
from tests.database import lent, wait_until_all_are_back
from tests.factories import bearer, make_rca

pytestmark = pytest.mark.usefixtures("app")

PATH = "/api/v1/rcas"
NEW = b'{"title": "Pump leaks", "issue_description": "It leaks."}'
PAGE = {"limit": 50, "cursor": None}
living = RCA.alive()

left: list[Unit] = []
seen: list[int] = []
executors: list[ThreadPoolExecutor] = []


class CountSchema(ResponseSchema):
    """An answer that looks at the pool while it is serialised."""

    count = fields.Integer()

    @post_dump
    def look(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Note how many connections are out."""
        seen.append(lent(flask.current_app.extensions["databases"]))
        return data


def visible() -> ModelSelect:
    """What whoever asks may see: admins everything, others what is open."""
    is_admin = flask.request.headers.get("X-Role") == "admin"
    return RCA.alive() if is_admin else RCA.alive().where(RCA.status == "open")


def tenant_views() -> TenantBlueprint:
    """Views of a feature whose author was careless, or ambitious."""
    views = TenantBlueprint("careless", __name__, url_prefix="/careless")

    @views.route("/leave")
    def leave() -> Any:
        unit = Unit(Principal(current_tenant()), flask.current_app.extensions["databases"])
        left.append(unit)
        unit.enter()
        return {"count": RCA.select().count()}

    @views.route("/count")
    @views.response(200, CountSchema)
    def count() -> Any:
        return {"count": RCA.select().count()}

    @views.route("/visible")
    def listing() -> Any:
        return paginate(visible(), RCASchema, PAGE)

    @views.route("/threads/<kind>")
    def threads(kind: str) -> Any:
        # never shut down: its threads live as long as the process
        executors.append(ThreadPoolExecutor(12))
        read = {"in_scope": in_scope, "bare": lambda function: function}[kind](read_in_a_thread)
        return {"counts": list(executors[-1].map(read, range(36)))}

    return views


def read_in_a_thread(_: int) -> int:
    """What one thread of many does."""
    return int(RCA.select().count())


def forgot() -> Any:
    """A view whose author forgot its scope."""
    return {"titles": [title for (title,) in db.execute_sql("SELECT title FROM rcas").fetchall()]}


@pytest.fixture
def own(settings: Settings) -> Iterator[FixApp]:
    """An application with those views."""
    made = create_app(settings)
    made.register_blueprint(tenant_views())
    plain = flask.Blueprint("plain", __name__, url_prefix="/plain")
    plain.add_url_rule("/forgot", view_func=forgot)
    made.register_blueprint(plain)
    with application(made.databases):
        yield made
    made.databases.close()


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Nothing of one test is there in the next."""
    seen.clear()
    yield
    begin_request()
    for unit in left:
        unit.end()
    for executor in executors:
        executor.shutdown()
    left.clear()
    executors.clear()


def get(app: FixApp, path: str, tenant: Tenant, **headers: str) -> Any:
    """A tenant's request."""
    return app.test_client().get(path, headers=bearer(app, tenant) | headers)


# --- no request inherits a unit --------------------------------------------------------------------


def test_a_unit_left_in_force_is_not_the_next_requests(
    own: FixApp, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    make_rca(acme)
    assert get(own, "/careless/leave", acme).get_json() == {"count": 1}
    answer = own.test_client().get("/plain/forgot")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "internal")
    assert "No tenant is in force" in caplog.text


def test_without_a_beginning_it_would_read_the_other_tenants_rows(
    own: FixApp, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rca(acme)
    monkeypatch.setattr("app.http.frame.begin_request", lambda: None)
    get(own, "/careless/leave", acme)
    assert own.test_client().get("/plain/forgot").get_json() == {"titles": ["Pump leaks"]}


def test_a_unit_left_in_force_is_not_in_the_next_tenants_way(
    own: FixApp, acme: Tenant, globex: Tenant
) -> None:
    make_rca(globex, "Globex's")
    get(own, "/careless/leave", acme)
    assert [item["title"] for item in get(own, PATH, globex).get_json()["items"]] == ["Globex's"]
    assert own.test_client().get("/health/ready").status_code == 200


def test_threads_that_served_one_tenant_serve_nobody_of_his(own: FixApp, acme: Tenant) -> None:
    make_rca(acme)
    with ThreadPoolExecutor(3) as server:
        list(server.map(lambda _: get(own, "/careless/leave", acme), range(6)))
        answers = server.map(lambda _: own.test_client().get("/plain/forgot"), range(12))
        assert {answer.status_code for answer in answers} == {500}


# --- no connection while the client is waited for --------------------------------------------------


def test_a_connection_is_back_before_the_answer_is_serialised(own: FixApp, acme: Tenant) -> None:
    assert get(own, "/careless/count", acme).status_code == 200
    assert seen == [0]


def test_kept_until_the_view_ends_it_would_be_out(
    own: FixApp, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unit, "give_back", lambda _: None)
    get(own, "/careless/count", acme)
    assert seen == [1]


class WatchingBody(io.BytesIO):
    """A body that looks at the pool when it is read, and may have to be waited for."""

    def __init__(self, databases: Databases, gate: Callable[[], object] = lambda: None) -> None:
        super().__init__(NEW)
        self._databases = databases
        self._gate = gate

    def read(self, size: int | None = -1, /) -> bytes:
        """Look, wait, and give what was sent."""
        seen.append(lent(self._databases))
        self._gate()
        return super().read(size)

    def readinto(self, buffer: Any, /) -> int:
        """As `read`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def post(app: FixApp, tenant: Tenant, body: WatchingBody) -> int:
    """A tenant's new analysis; the status of the answer."""
    options: dict[str, Any] = {"content_type": "application/json", "content_length": len(NEW)}
    return app.test_client().post(PATH, headers=bearer(app, tenant), input_stream=body, **options).status_code


def test_no_connection_is_out_while_the_body_arrives(own: FixApp, acme: Tenant) -> None:
    assert post(own, acme, WatchingBody(own.databases)) == 201
    assert set(seen) == {0}


def test_slow_bodies_leave_the_pool_to_others(own: FixApp, acme: Tenant, globex: Tenant) -> None:
    arriving, rest = threading.Barrier(36 + 1, timeout=60), threading.Event()

    def gate() -> None:
        arriving.wait()
        rest.wait(60)

    def send(_: int) -> int:
        body = WatchingBody(own.databases, once(gate))
        return post(own, acme, body)

    with ThreadPoolExecutor(36) as clients:
        answers = clients.map(send, range(36))
        arriving.wait()
        assert lent(own.databases) == 0
        assert get(own, PATH, globex).status_code == 200
        rest.set()
        assert set(answers) == {201}
    wait_until_all_are_back(own.databases)


def once(act: Callable[[], None]) -> Callable[[], None]:
    """An act that is done at the first call only."""
    undone = [act]

    def first() -> None:
        if undone:
            undone.pop()()

    return first


# --- a prepared text belongs to its query ----------------------------------------------------------


def titles(answer: Any) -> list[str]:
    """The titles of a page."""
    return sorted(item["title"] for item in answer.get_json()["items"])


@pytest.fixture
def _one_open_one_closed(acme: Tenant) -> None:
    """Two analyses, of which only admins see the second."""
    make_rca(acme, "Open")
    make_rca(acme, "Secret", status="closed")


@pytest.mark.usefixtures("_one_open_one_closed")
def test_a_list_that_depends_on_who_asks_does(own: FixApp, acme: Tenant) -> None:
    for _ in range(2):
        assert titles(get(own, "/careless/visible", acme, **{"X-Role": "admin"})) == ["Open", "Secret"]
        assert titles(get(own, "/careless/visible", acme)) == ["Open"]


def page(query: ModelSelect) -> list[str]:
    """The titles of a query's first page."""
    return sorted(row["title"] for row in page_of_rows(query, ["title"], equal={}, after=None, limit=9))


@pytest.mark.usefixtures("_one_open_one_closed")
def test_a_query_derived_from_another_says_what_it_says(acme: Tenant) -> None:
    with tenant_scope(acme):
        assert page(living) == ["Open", "Secret"]
        assert page(living.where(RCA.status == "open")) == ["Open"]
        assert page(living.clone().where(RCA.status == "closed")) == ["Secret"]
        assert page(living) == ["Open", "Secret"]


@pytest.mark.usefixtures("_one_open_one_closed")
def test_with_its_parents_text_it_would_say_what_its_parent_says(acme: Tenant) -> None:
    with tenant_scope(acme):
        page(living)
        derived = living.where(RCA.status == "open")
        _, prepared = living.__dict__["_prepared_pages"]
        derived.__dict__["_prepared_pages"] = (weakref.ref(derived), prepared)
        assert page(derived) == ["Open", "Secret"]


# --- threads in a view -----------------------------------------------------------------------------


def test_threads_in_scope_keep_no_connection(own: FixApp, acme: Tenant, globex: Tenant) -> None:
    make_rca(acme)
    assert get(own, "/careless/threads/in_scope", acme).get_json() == {"counts": [1] * 36}
    assert lent(own.databases) == 0
    assert get(own, "/careless/threads/in_scope", globex).get_json() == {"counts": [0] * 36}


def test_threads_without_a_scope_read_nothing(
    own: FixApp, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    make_rca(acme)
    assert get(own, "/careless/threads/bare", acme).status_code == 500
    assert "No tenant is in force" in caplog.text
    assert lent(own.databases) == 0
