"""Logs: whose request it was in every line, and nothing that was meant for nobody's eyes."""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient

from app import errors, logs
from app.config import Settings
from app.database import db
from app.http import requests
from app.rcas import RCA
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.factories import SECRET, bearer, make_rca

READABLE = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ +[\w.]+ +\[[\w.-]+ [\w -]+\] .+")

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
    settings: Settings, acme: Tenant, monkeypatch: pytest.MonkeyPatch, written: Callable[[str], Read]
) -> Callable[..., Any]:
    """A small app with the real logs, as it would be in one environment, and one view that reads."""

    def make(environment: str, *, quiet: bool = False) -> tuple[FlaskClient, Read]:
        app = Flask("small")
        app.config["SETTINGS"] = replace(settings, app_env=environment)
        monkeypatch.setattr(db, "query_hooks", [])
        read = written(environment)
        logs.init_app(app, quiet=quiet)
        requests.init_app(app)

        @app.get("/rcas")
        def view() -> list[str]:
            g.tenant_id = acme.id
            with tenant_scope(acme):
                return [rca.title for rca in RCA.alive().where(RCA.title == "Pump leaks")]

        errors.init_app(app)
        return app.test_client(), read

    return make


def test_in_production_every_line_is_json(
    app: Flask, client: FlaskClient, acme: Tenant, written: Callable[[str], Read]
) -> None:
    read = written("production")
    client.get("/api/v1/rcas", headers=bearer(app, acme) | {"X-Request-ID": "abc"})
    client.get("/nope", headers={"X-Request-ID": "abc"})
    known, unknown = (json.loads(line) for line in read())
    for line in (known, unknown):
        assert line.keys() == {"time", "level", "name", "request_id", "tenant_id", "message"}
        assert (line["level"], line["request_id"]) == ("INFO", "abc")
    assert (known["tenant_id"], unknown["tenant_id"]) == (str(acme.id), "-")


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
    monkeypatch.setattr(RCA, "alive", None)
    read = written("production")
    client.get("/api/v1/rcas", headers=bearer(app, acme))
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
    assert f"[abc {acme.id}] GET /api/v1/rcas 200 " in line


def test_outside_a_request_there_is_no_id(app: Flask, acme: Tenant, written: Callable[[str], Read]) -> None:
    read = written("production")
    logging.getLogger("app.test").info("nobody")
    with tenant_scope(acme):
        logging.getLogger("somewhere.else").warning("somebody")
    nobody, somebody = (json.loads(line) for line in read())
    assert (nobody["request_id"], nobody["tenant_id"]) == ("-", "-")
    assert (somebody["request_id"], somebody["tenant_id"]) == ("-", str(acme.id))


def test_in_development_statements_are_shown_without_the_tenant(
    small: Callable[..., Any], acme: Tenant
) -> None:
    make_rca(acme)
    client, read = small("development")
    assert client.get("/rcas").get_json() == ["Pump leaks"]
    statement, _request = read()
    assert re.search(r"DEBUG +app.sql +\[\w+ [\w-]+\] \d+\.\d ms  SELECT \"t1\"\.\"id\"", statement)
    assert "set_config" not in statement
    assert "['Pump leaks'" in statement


@pytest.mark.parametrize("environment", ["production", "test"])
def test_elsewhere_statements_are_not_shown(small: Callable[..., Any], environment: str) -> None:
    client, read = small(environment)
    client.get("/rcas")
    (line,) = read()
    assert "SELECT" not in line


def test_a_command_says_only_what_went_wrong(small: Callable[..., Any]) -> None:
    client, read = small("development", quiet=True)
    client.get("/rcas")
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
    client.get("/a%0A12:00:00 INFO    app.logs     [- -] GET /forged 200%1B[31m")
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
