"""flask tenants create | list | suspend | activate | token."""

import json
from typing import Any

import click
from flask.cli import AppGroup

from app.auth import DEFAULT_ACTOR, tokens
from app.tenancy import platform_scope
from app.tenants.models import Tenant
from app.tenants.schemas import TenantSchema


class Text(click.ParamType[str]):
    """Text that PostgreSQL can hold: no NUL, and no bytes that were not UTF-8."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is. Exits with 2 for any other."""
        if "\x00" in value or not value.isprintable():
            self.fail(f"{value!r} is not text: send UTF-8 without control characters", param, ctx)
        return value


group = AppGroup("tenants", help="The registry of tenants.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@group.command()
@click.argument("name", type=Text())
@click.option("--subdomain", type=Text(), required=True, help="A DNS label in lower case.")
@as_json
def create(name: str, subdomain: str, as_json: bool) -> None:
    """Register a tenant NAME."""
    problems = TenantSchema().validate({"name": name, "subdomain": subdomain})
    if problems:
        raise click.BadParameter("; ".join(f"{field}: {texts[0]}" for field, texts in problems.items()))
    with platform_scope("flask tenants create"):
        _show(Tenant.register(name=name, subdomain=subdomain), as_json)


@group.command("list")
@as_json
def listing(as_json: bool) -> None:
    """List all tenants, oldest first."""
    with platform_scope("flask tenants list"):
        tenants = list(Tenant.select().order_by(Tenant.created_at, Tenant.id))
    if as_json:
        click.echo(json.dumps([TenantSchema().dump(tenant) for tenant in tenants]))
        return
    for tenant in tenants:
        _show(tenant, as_json=False)


@group.command()
@click.argument("subdomain", type=Text())
@as_json
def suspend(subdomain: str, as_json: bool) -> None:
    """Turn the tenant at SUBDOMAIN away."""
    _set_status(subdomain, "suspended", as_json)


@group.command()
@click.argument("subdomain", type=Text())
@as_json
def activate(subdomain: str, as_json: bool) -> None:
    """Let the tenant at SUBDOMAIN in again."""
    _set_status(subdomain, "active", as_json)


@group.command()
@click.argument("subdomain", type=Text(), required=False)
@click.option("--platform", is_flag=True, help="A token for the platform's operators.")
@click.option("--actor", type=Text(), default=DEFAULT_ACTOR, help="Who acts: user:<uuid> or client:<name>.")
@as_json
def token(subdomain: str | None, platform: bool, actor: str, as_json: bool) -> None:
    """Print a bearer token for the tenant at SUBDOMAIN, or for the platform."""
    if platform == (subdomain is not None):
        raise click.UsageError("Name a tenant's SUBDOMAIN, or pass --platform: one of the two.")
    tenant_id = None
    if subdomain is not None:
        with platform_scope("flask tenants token"):
            tenant_id = Tenant.find_by_subdomain(subdomain).id
    text = tokens().issue(tenant_id, actor)
    click.echo(json.dumps({"token": text}) if as_json else text)


def _set_status(subdomain: str, status: str, as_json: bool) -> None:
    with platform_scope(f"flask tenants: {subdomain} becomes {status}"):
        _show(Tenant.change(Tenant.find_by_subdomain(subdomain).id, status=status), as_json)


def _show(tenant: Tenant, as_json: bool) -> None:
    shown: dict[str, Any] = TenantSchema().dump(tenant)
    if as_json:
        click.echo(json.dumps(shown))
    else:
        click.echo(f"{tenant.id}  {tenant.status:<9}  {tenant.subdomain:<20}  {tenant.name}")
