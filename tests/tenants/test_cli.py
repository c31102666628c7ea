"""flask tenants: the registry from a shell, for people and for programs."""

import json
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from app.tenants import Tenant


def run(runner: FlaskCliRunner, *words: str, code: int = 0) -> Result:
    """Call `flask tenants …`, which has to end with this code."""
    result = runner.invoke(args=["tenants", *words])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def json_of(runner: FlaskCliRunner, *words: str) -> Any:
    return json.loads(run(runner, *words, "--json").stdout)


def test_a_tenant_is_registered_and_shown(app: Flask, runner: FlaskCliRunner) -> None:
    line = run(runner, "create", "Initech & Sons", "--subdomain", "initech").stdout
    assert line.split(maxsplit=3)[1:] == ["active", "initech", "Initech & Sons\n"]
    assert run(runner, "list").stdout == line


def test_a_tenant_is_registered_for_a_program(app: Flask, runner: FlaskCliRunner) -> None:
    made = json_of(runner, "create", "Initech", "--subdomain", "initech")
    assert (made["name"], made["subdomain"], made["status"], made["settings"]) == (
        "Initech",
        "initech",
        "active",
        {},
    )
    assert json_of(runner, "list") == [made]


def test_tenants_are_listed_oldest_first(acme: Tenant, globex: Tenant, runner: FlaskCliRunner) -> None:
    assert [tenant["subdomain"] for tenant in json_of(runner, "list")] == ["acme", "globex"]


def test_an_empty_registry_is_an_empty_list(app: Flask, runner: FlaskCliRunner) -> None:
    assert run(runner, "list").stdout == ""
    assert json_of(runner, "list") == []


def test_a_taken_subdomain_is_one_line(acme: Tenant, runner: FlaskCliRunner) -> None:
    result = run(runner, "create", "Another", "--subdomain", "acme", code=1)
    assert result.stderr == "Error: The subdomain 'acme' is taken already. Choose another.\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "subdomain", "field"),
    [("", "a", "name"), ("x" * 256, "a", "name"), ("A", "A", "subdomain"), ("A", "", "subdomain")],
)
def test_bad_input_is_named(
    app: Flask, runner: FlaskCliRunner, name: str, subdomain: str, field: str
) -> None:
    assert f"{field}: " in run(runner, "create", name, "--subdomain", subdomain, code=2).stderr
    assert json_of(runner, "list") == []


def test_a_subdomain_has_to_be_given(app: Flask, runner: FlaskCliRunner) -> None:
    assert "--subdomain" in run(runner, "create", "Initech", code=2).stderr


def test_a_tenant_is_suspended_and_let_in_again(acme: Tenant, runner: FlaskCliRunner) -> None:
    assert json_of(runner, "suspend", "acme")["status"] == "suspended"
    assert " suspended " in run(runner, "list").stdout
    assert json_of(runner, "activate", "acme")["status"] == "active"


@pytest.mark.parametrize("command", ["suspend", "activate", "token"])
@pytest.mark.parametrize("subdomain", ["nobody", "ACME", "' OR 1=1 --", "%"])
def test_an_absent_tenant_is_one_line(
    acme: Tenant, runner: FlaskCliRunner, command: str, subdomain: str
) -> None:
    stderr = run(runner, command, subdomain, code=1).stderr
    assert stderr == f"Error: There is no such tenant as {subdomain!r}. Check its subdomain.\n"


def test_a_tenants_token_opens_its_data(acme: Tenant, runner: FlaskCliRunner, client: FlaskClient) -> None:
    token = run(runner, "token", "acme").stdout.strip()
    assert client.get("/api/v1/rcas", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_the_platforms_token_opens_the_registry(
    app: Flask, runner: FlaskCliRunner, client: FlaskClient
) -> None:
    token = json_of(runner, "token", "--platform")["token"]
    assert client.get("/api/v1/tenants", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("words", [[], ["acme", "--platform"]])
def test_a_token_is_for_one_of_the_two(acme: Tenant, runner: FlaskCliRunner, words: list[str]) -> None:
    assert "one of the two" in run(runner, "token", *words, code=2).stderr


@pytest.mark.parametrize("command", ["create", "suspend", "activate", "token"])
@pytest.mark.parametrize("text", ["a\udcff", "a\x00", "a\n"])
def test_what_is_no_text_is_refused_by_name(runner: FlaskCliRunner, command: str, text: str) -> None:
    options = ["--subdomain", "acme"] if command == "create" else []
    result = runner.invoke(args=["tenants", command, text, *options])
    assert result.exit_code == 2
    assert "is not text" in result.output
