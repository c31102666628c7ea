"""Every variable once: its kind, its default, what would be right, and who may be told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

from app.config.fields import Duration, Seconds, Whole

SECRETS = frozenset({"DB_PASSWORD", "DB_OWNER_PASSWORD", "JWT_SECRET", "SENTRY_DSN"})
PLACEHOLDER = "change-me"

_SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
_PRIVILEGED = {"postgres", "root", "admin", "rdsadmin", "cloudsqladmin", "azure_superuser"}
# RFC 7518, 3.2: an HS256 key is at least as long as the hash
_JWT_SECRET_LENGTH = 32
_PASSWORD_LENGTH = 16
_VARIETY = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Secrets never show in the repr."""

    app_env: str
    port: int
    db_host: str
    db_port: int
    db_name: str
    db_user: str
    db_password: str = field(repr=False)
    db_owner_user: str
    db_owner_password: str = field(repr=False)
    db_sslmode: str
    db_sslrootcert: str
    db_pool_min: int
    db_pool_max: int
    db_pool_idle_timeout: float
    db_connect_timeout: float
    jwt_secret: str = field(repr=False)
    jwt_expiry: timedelta
    redis_host: str
    redis_port: int
    sentry_dsn: str = field(repr=False)

    @property
    def in_production(self) -> bool:
        """Whether the strict rules apply."""
        return self.app_env == "production"


class Rule(str):
    """What would be right in this very case, where the variable's own `right` is too general."""

    __slots__ = ()


def _variable(kind: type[fields.Field[Any]], right: str, default: Any = None, **options: Any) -> Any:
    """A field whose `right` completes the sentence "it must be …"; without a default it is required."""
    if default is None:
        return kind(required=True, metadata={"right": right}, **options)
    return kind(load_default=default, metadata={"right": right}, **options)


_name = Regexp(r"[^\s\"'\\\x00]{1,63}\Z")
_port = Range(1, 65535)


class SettingsSchema(Schema):
    """The one list of variables; .env.example and the table in docs/operations.md are held against it."""

    APP_ENV = _variable(
        fields.String,
        "development, test or production",
        "development",
        validate=OneOf(["development", "test", "production"]),
    )
    PORT = _variable(Whole, "a port from 1 to 65535", 3001, validate=_port)
    DB_HOST = _variable(
        fields.String, "a host name or address", "127.0.0.1", validate=Regexp(r"[^\s,\x00]+\Z")
    )
    DB_PORT = _variable(Whole, "a port from 1 to 65535", 5432, validate=_port)
    DB_NAME = _variable(
        fields.String, "a database name of at most 63 characters", "fixapp_dev", validate=_name
    )
    DB_USER = _variable(
        fields.String, "the application's log-in, not the owner's", "fixapp_app", validate=_name
    )
    DB_PASSWORD = _variable(fields.String, "the password of DB_USER")
    DB_OWNER_USER = _variable(fields.String, "the log-in that owns the schema", "postgres", validate=_name)
    DB_OWNER_PASSWORD = _variable(fields.String, "the password of DB_OWNER_USER", "")
    DB_SSLMODE = _variable(
        fields.String, "one of " + ", ".join(_SSL_MODES), "prefer", validate=OneOf(_SSL_MODES)
    )
    DB_SSLROOTCERT = _variable(fields.String, "the path of a CA certificate, or system", "")
    DB_POOL_MIN = _variable(Whole, "a whole number from 0 to 100", 2, validate=Range(0, 100))
    DB_POOL_MAX = _variable(Whole, "a whole number from 1 to 100", 10, validate=Range(1, 100))
    DB_POOL_IDLE_TIMEOUT = _variable(Seconds, "seconds, from 1 to 3600", 30.0, validate=Range(1, 3600))
    DB_CONNECT_TIMEOUT = _variable(Seconds, "seconds, from 0.1 to 30", 2.0, validate=Range(0.1, 30))
    JWT_SECRET = _variable(
        fields.String, "a secret of at least 32 characters", validate=Length(min=_JWT_SECRET_LENGTH)
    )
    JWT_EXPIRY = _variable(Duration, "a duration such as 45s, 30m, 12h or 7d", timedelta(minutes=30))
    REDIS_HOST = _variable(fields.String, "a host name or address", "127.0.0.1")
    REDIS_PORT = _variable(Whole, "a port from 1 to 65535", 6379, validate=_port)
    SENTRY_DSN = _variable(
        fields.String, "the address Sentry gave you", "", validate=Regexp(r"(https?://\S+)?\Z")
    )

    @validates_schema(skip_on_field_errors=False)
    def _fit_together(self, data: dict[str, Any], **_: Any) -> None:
        problems = dict(_contradictions(data))
        if data.get("APP_ENV") == "production":
            problems |= dict(_unsafe_in_production(data))
        if problems:
            raise ValidationError({name: [Rule(text)] for name, text in problems.items()})

    @post_load
    def _freeze(self, data: dict[str, Any], **_: Any) -> Settings:
        return Settings(**{name.lower(): value for name, value in data.items()})


def _contradictions(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if data.get("DB_POOL_MIN", 0) > data.get("DB_POOL_MAX", 100):
        yield "DB_POOL_MIN", f"at most DB_POOL_MAX, which is {data['DB_POOL_MAX']}"
    if data.get("DB_USER") == data.get("DB_OWNER_USER", ""):
        yield "DB_USER", "another role than DB_OWNER_USER, because the owner is not held by the policies"


def _unsafe_in_production(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _weak_secrets(data)
    if data.get("DB_USER") in _PRIVILEGED:
        yield "DB_USER", "in production an unprivileged role, because a superuser passes every policy"
    if data.get("DB_SSLMODE") != "verify-full":
        yield (
            "DB_SSLMODE",
            "in production verify-full, so that nobody can listen or stand in for the database",
        )
    elif not data.get("DB_SSLROOTCERT"):
        yield "DB_SSLROOTCERT", "in production the CA that verify-full checks against: a path, or system"


def _weak_secrets(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    lengths = {
        "DB_PASSWORD": _PASSWORD_LENGTH,
        "DB_OWNER_PASSWORD": _PASSWORD_LENGTH,
        "JWT_SECRET": _JWT_SECRET_LENGTH,
    }
    for name, length in lengths.items():
        secret = data.get(name)
        if not secret:
            continue
        if secret.startswith(PLACEHOLDER):
            yield name, "in production a secret of your own, because the placeholder is public"
        elif len(secret) < length or len(set(secret)) < _VARIETY:
            yield (
                name,
                f"in production at least {length} varied characters, because a short one can be guessed",
            )
