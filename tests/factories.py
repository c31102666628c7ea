"""Test data from plain functions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from peewee import (
    BooleanField,
    DateTimeField,
    DecimalField,
    Field,
    FloatField,
    IntegerField,
    UUIDField,
    _StringField,
)
from playhouse.postgres_ext import BinaryJSONField

from app.auth import Tokens
from app.config import Settings
from app.models import BaseModel, TenantForeignKey, concrete_models
from app.rcas import RCA
from app.tenancy import platform_scope, tenant_scope
from app.tenants import Tenant
from dev.cluster import Cluster

SECRET = "a secret of the tests, long enough"
_SAMPLES: dict[type[Field], Any] = {
    BooleanField: True,
    IntegerField: 1,
    FloatField: 1.5,
    DecimalField: 1,
    DateTimeField: datetime(2026, 1, 1, tzinfo=UTC),
    BinaryJSONField: {},
    UUIDField: UUID(int=1),
    _StringField: "sample",
}


def make_settings(server: Cluster, **changes: Any) -> Settings:
    """Settings for a server, as the environment would give them."""
    settings = Settings(
        app_env="test",
        port=3001,
        db_host=server.host,
        db_port=server.port,
        db_name="fixapp_test",
        db_user="fixapp_app",
        db_password="the application's password",
        db_owner_user=server.user,
        db_owner_password=server.password,
        db_sslmode="disable",
        db_sslrootcert="",
        db_pool_min=2,
        db_pool_max=10,
        db_pool_idle_timeout=30.0,
        db_connect_timeout=2.0,
        jwt_secret=SECRET,
        jwt_expiry=timedelta(minutes=30),
        redis_host="127.0.0.1",
        redis_port=6379,
        sentry_dsn="",
    )
    return replace(settings, **changes)


def make_environment(settings: Settings) -> dict[str, str]:
    """The same settings as variables, for a process of its own."""
    names = ("db_host", "db_port", "db_name", "db_user", "db_password", "db_owner_user", "db_owner_password")
    others = {"APP_ENV": "test", "JWT_SECRET": settings.jwt_secret, "DB_SSLMODE": settings.db_sslmode}
    return {name.upper(): str(getattr(settings, name)) for name in names} | others


def make_tenant(subdomain: str, **values: Any) -> Tenant:
    """A tenant in the registry."""
    with platform_scope("a test needs a tenant"):
        return Tenant.register(**{"name": subdomain.title(), "subdomain": subdomain} | values)


def make_rca(tenant: Tenant, title: str = "Pump leaks", **values: Any) -> RCA:
    """An analysis of a tenant."""
    with tenant_scope(tenant):
        rca: RCA = RCA.create(**{"title": title, "issue_description": "It leaks."} | values)
        return rca


def bearer(app: Flask, tenant: Tenant | None) -> dict[str, str]:
    """The header of a tenant's caller, or of the platform's when None is given."""
    tokens: Tokens = app.extensions["tokens"]
    return {"Authorization": f"Bearer {tokens.issue(tenant.id if tenant else None)}"}


def make_row(model: type[BaseModel], tenant: Tenant) -> BaseModel:
    """A row of any tenant model, with something in every column that must have a value."""
    required = [
        field
        for field in model._meta.sorted_fields
        if not (field.null or field.default or field.constraints or field.primary_key)
    ]
    values = {field.name: _sample(field, tenant) for field in required}
    with tenant_scope(tenant):
        row: BaseModel = model.create(**values)
        return row


def _sample(field: Field, tenant: Tenant) -> Any:
    if isinstance(field, TenantForeignKey):
        parents = {parent._meta.table_name: parent for parent in concrete_models(BaseModel)}
        return make_row(parents[field.table], tenant).id
    for kind, value in _SAMPLES.items():
        if isinstance(field, kind):
            return value
    raise LookupError(f"no sample for {field}: add one to _SAMPLES")
