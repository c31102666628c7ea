"""Logs: whose request it was in every line, and nothing that was meant for nobody's eyes."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import auth, http, logs, tenants
from app.config import Settings
from app.database import Databases, application
from app.http import FixApp, TenantBlueprint
from app.rcas import RCA
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.factories import SECRET, bearer, make_rca

READABLE = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ +[\w.]+ +\[[\w.-]+ [\w-]+ [\w:.-]+\] .+")

Read = Callable[[], list[str]]


@pytest.fixture
def written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Read]:
    """Log as in one environment from now on; gives what reads the lines."""

    def read() -> list[str]:
        return capsys.readouterr().err.splitlines()

    def begin(environment: str) -> Read:
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        logs.configure(replace(settings, app_env=environment))
        return read

    return begin


@pytest.fixture
def small(
    settings: Settings, acme: Tenant, written: Callable[[str], Read]
) -> Iterator[Callable[..., tuple[Callable[[], Any], Read]]]:
    """A small app with the real logs, as it would be in one environment; what asks it, and its lines."""
    made: list[Databases] = []

    def make(environment: str, *, quiet: bool = False) -> tuple[Callable[[], Any], Read]:
        made.append(Databases(replace(settings, app_env=environment)))
        app = FixApp(made[-1])
        read = written(environment)
        logs.init_app(app, quiet=quiet)
        auth.init_app(app)
        blueprint = TenantBlueprint("pumps", __name__)
        blueprint.add_url_rule("/pumps", view_func=pumps)
        http.init_app(app, resolve_tenant=tenants.resolve).register_blueprint(blueprint)
        client, headers = app.test_client(), bearer(app, acme)
        return lambda: in_the_small_app(made[-1], client, headers), read

    yield make
    for databases in made:
        databases.close()


def pumps() -> list[str]:
    """The one view of the small app."""
    return [rca.title for rca in RCA.alive().where(RCA.title == "Pump leaks")]


def in_the_small_app(databases: Databases, client: FlaskClient, headers: dict[str, str]) -> Any:
    """What the small app answers; it is in force, not the one the tests share."""
    with application(databases):
        return client.get("/pumps", headers=headers).get_json()


def test_in_production_every_line_is_json(
    app: Flask, client: FlaskClient, acme: Tenant, written: Callable[[str], Read]
) -> None:
    read = written("production")
    client.get("/api/v1/rcas", headers=bearer(app, acme) | {"X-Request-ID": "abc"})
    client.get("/nope", headers={"X-Request-ID": "abc"})
    known, unknown = (json.loads(line) for line in read())
    for line in (known, unknown):
        assert line.keys() == {"time", "level", "name", "request_id", "tenant_id", "actor", "message"}
        assert (line["level"], line["request_id"]) == ("INFO", "abc")
    assert (known["tenant_id"], known["actor"]) == (str(acme.id), "client:cli")
    assert (unknown["tenant_id"], unknown["actor"]) == ("-", "-")


def test_a_line_names_the_actor_of_the_token(
    app: FixApp, client: FlaskClient, acme: Tenant, written: Callable[[str], Read]
) -> None:
    actor = f"user:{acme.id}"
    token = app.extensions["tokens"].issue(None, actor)
    read = written("production")
    client.get("/api/v1/tenants", headers={"Authorization": f"Bearer {token}"})
    scope, request = (json.loads(line) for line in read())
    for line in (scope, request):
        assert (line["tenant_id"], line["actor"]) == ("platform", actor)


def test_a_line_says_what_was_asked_and_how_it_went(
    app: Flask, client: FlaskClient, acme: Tenant, written: Callable[[str], Read]
) -> None:
    read = written("production")
    client.post("/api/v1/rcas", json={}, headers=bearer(app, acme))
    assert re.fullmatch(r"POST /api/v1/rcas 422 \d+\.\d ms", json.loads(read()[0])["message"])


def test_in_production_a_traceback_is_part_of_its_line(
    app: Flask,
    client: FlaskClient,
    acme: Tenant,
    written: Callable[[str], Read],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RCA, "find", None)
    read = written("production")
    client.get(f"/api/v1/rcas/{acme.id}", headers=bearer(app, acme))
    failure, request = (json.loads(line) for line in read())
    assert "Traceback" in failure["exc_info"]
    assert failure["tenant_id"] == request["tenant_id"] == str(acme.id)
    assert failure["request_id"] == request["request_id"]


@pytest.mark.parametrize("environment", ["development", "test"])
def test_elsewhere_a_line_is_for_people(
    app: Flask, client: FlaskClient, acme: Tenant, written: Callable[[str], Read], environment: str
) -> None:
    read = written(environment)
    client.get("/api/v1/rcas", headers=bearer(app, acme) | {"X-Request-ID": "abc"})
    [line] = read()
    assert READABLE.fullmatch(line)
    assert f"[abc {acme.id} client:cli] GET /api/v1/rcas 200 " in line


def test_outside_a_request_there_is_no_id(app: Flask, acme: Tenant, written: Callable[[str], Read]) -> None:
    read = written("production")
    logging.getLogger("app.test").info("nobody")
    with tenant_scope(acme, actor="client:job"):
        logging.getLogger("somewhere.else").warning("somebody")
    with tenant_scope(acme, request_id="abc"):
        logging.getLogger("app.test").info("for a request")
    found = [json.loads(line) for line in read()]
    assert [(line["request_id"], line["tenant_id"], line["actor"]) for line in found] == [
        ("-", "-", "-"),
        ("-", str(acme.id), "client:job"),
        ("abc", str(acme.id), "-"),
    ]


def test_in_development_statements_are_shown_without_the_tenant(
    small: Callable[..., Any], acme: Tenant
) -> None:
    make_rca(acme)
    ask, read = small("development")
    assert ask() == ["Pump leaks"]
    _tenant, statement, _request = read()
    assert re.search(
        r"DEBUG +app.sql +\[\w+ [\w-]+ client:cli\] \d+\.\d ms  SELECT \"t1\"\.\"id\"", statement
    )
    assert "set_config" not in statement
    assert "'Pump leaks'" in statement
    assert READABLE.fullmatch(statement)


@pytest.mark.parametrize("environment", ["production", "test"])
def test_elsewhere_statements_are_not_shown(small: Callable[..., Any], environment: str) -> None:
    ask, read = small(environment)
    ask()
    (line,) = read()
    assert "SELECT" not in line


def test_a_command_says_only_what_went_wrong(small: Callable[..., Any]) -> None:
    ask, read = small("development", quiet=True)
    ask()
    assert read() == []


@pytest.mark.parametrize("environment", ["development", "production"])
def test_neither_query_nor_body_nor_token_is_logged(
    app: Flask, client: FlaskClient, acme: Tenant, written: Callable[[str], Read], environment: str
) -> None:
    read = written(environment)
    headers = bearer(app, acme)
    client.get("/api/v1/rcas?equipment_type=private-1", headers=headers)
    client.get("/api/v1/rcas?nonsense=private-2", headers=headers)
    client.post("/api/v1/rcas", json={"title": "private-3", "status": "private-4"}, headers=headers)
    client.get("/api/v1/rcas", headers={"Authorization": "Bearer private-5"})
    lines = "\n".join(read())
    assert lines.count("/api/v1/rcas ") == 4
    assert [
        secret for secret in ("private", headers["Authorization"][7:], SECRET, "Bearer") if secret in lines
    ] == []


def test_a_path_cannot_forge_a_line(client: FlaskClient, written: Callable[[str], Read]) -> None:
    read = written("development")
    client.get("/a%0A12:00:00 INFO    app.logs     [- - -] GET /forged 200%1B[31m")
    [line] = read()
    assert "GET /a%0A12" in line
    assert "\x1b" not in line


def test_the_development_servers_own_lines_about_requests_are_left_out(
    app: Flask, written: Callable[[str], Read]
) -> None:
    """They show the query; ours do not."""
    read = written("development")
    log = logging.getLogger("werkzeug")
    log.setLevel(logging.INFO)
    log.info('127.0.0.1 - - [now] "%s" %s %s', "GET /api/v1/rcas?private=1 HTTP/1.1", 200, 1)
    log.info(" * Running on http://127.0.0.1:3001")
    assert [line.partition("] ")[2] for line in read()] == [" * Running on http://127.0.0.1:3001"]


def test_configured_twice_a_line_is_written_once(written: Callable[[str], Read], settings: Settings) -> None:
    read = written("test")
    logs.configure(settings)
    logging.getLogger("app.test").info("once")
    assert len(read()) == 1
