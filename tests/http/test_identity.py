"""Who is asking: a forged token is worth nothing, a suspended tenant is turned away in time."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection

from app.config import Settings
from app.errors import InvalidTokenError
from app.http.identity import TENANT_TTL, TenantCache
from app.tenants import Tenant, resolve
from tests.factories import SECRET, bearer
from tests.problems import outage, problem, without_id

PATH = "/api/v1/rcas"
SOMEBODY = uuid4()
HEADER = {"alg": "HS256", "typ": "JWT"}
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}

WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    **{f"no {name}": {name: None} for name in ("sub", "tenant", "iss", "aud", "iat", "exp", "jti")},
    "expired": {"exp": time.time() - 1},
    "issued tomorrow": {"iat": time.time() + 86_400},
    "issued beyond the leeway": {"iat": time.time() + 600},
    "expired within the leeway": {"exp": time.time() - 5},
    "not before tomorrow": {"nbf": time.time() + 86_400},
    "another audience": {"aud": "another-api"},
    "another issuer": {"iss": "somebody"},
    "a list of issuers": {"iss": ["fixapp"]},
    "an expiry in words": {"exp": "tomorrow"},
    "an endless expiry": {"exp": float("inf")},
    "an expiry that is no number": {"exp": [1]},
    "an issue that is no number": {"iat": {"a": 1}},
    "a subject that is no actor": {"sub": "acme"},
    "a tenant as subject": {"sub": str(uuid4())},
    "the platform as subject": {"sub": "platform"},
    "an empty subject": {"sub": ""},
    "a number as subject": {"sub": 7},
    "a list as subject": {"sub": ["client:cli"]},
    "a user without an id": {"sub": "user:42"},
    "a user in capitals": {"sub": f"USER:{uuid4()}"},
    "a client without a name": {"sub": "client:"},
    "a client in capitals": {"sub": "client:CLI"},
    "a client with a line feed": {"sub": "client:cli\n"},
    "SQL as subject": {"sub": "client:' OR 1=1 --"},
    "a tenant that is no id": {"tenant": "acme"},
    "an empty tenant": {"tenant": ""},
    "a number as tenant": {"tenant": 7},
    "a list as tenant": {"tenant": [str(uuid4())]},
    "SQL as tenant": {"tenant": "' OR 1=1 --"},
    "a tenant that does not exist": {"tenant": str(uuid4())},
    "the nil tenant": {"tenant": "00000000-0000-0000-0000-000000000000"},
    "a tenant and the platform": {"role": "platform"},
    "another role": {"tenant": None, "role": "admin"},
    "the platform in capitals": {"tenant": None, "role": "PLATFORM"},
    "a list as role": {"tenant": None, "role": ["platform"]},
    "an empty role": {"tenant": None, "role": ""},
    "a number as token id": {"jti": 7},
}
WRONG_HEADERS: dict[str, dict[str, Any]] = {
    **{
        f"the algorithm {name!r}": {"alg": name}
        for name in ("none", "None", "nOnE", "NONE", "", "RS256", "hs256")
    },
    **{f"the algorithm {value!r}": {"alg": value} for value in (None, 1, ["HS256"], {})},
    "a number as key id": {"kid": 7},
    "an unknown extension": {"crit": ["a"], "a": 1},
    "a detached body": {"b64": False, "crit": ["b64"]},
}
GARBAGE = {
    "nothing": "",
    "a word": "token",
    "two dots": "..",
    "a thousand dots": "." * 1_000,
    "no base64": "ä.ö.ü",
    "null": "bnVsbA.bnVsbA.bnVsbA",
    "lists": "W10.W10.W10",
    "a megabyte": "x" * 1_048_576,
    "a megabyte of parts": "e30." * 262_144,
}
SCHEMES = ["Basic", "Token", "BearerX", "Bearer:", "JWT"]

Forge = Callable[..., dict[str, str]]


@pytest.fixture
def forge(acme: Tenant) -> Forge:
    """A header with a token for acme, in which anything may be otherwise; None leaves a claim out."""

    def make(header: dict[str, Any] = HEADER, *, secret: str = SECRET, **claims: Any) -> dict[str, str]:
        now = int(time.time())
        who = {"sub": "client:cli", "tenant": str(acme.id), "jti": uuid4().hex}
        right = who | {"iss": "fixapp", "aud": "fixapp-api", "iat": now, "exp": now + 60}
        body = {name: value for name, value in (right | claims).items() if value is not None}
        text = f"{_encoded(HEADER | header)}.{_encoded(body)}"
        digest = hmac.digest(secret.encode(), text.encode(), HASHES.get(str(header["alg"]), hashlib.sha256))
        return {"Authorization": f"Bearer {text}.{_base64(digest)}"}

    return make


@pytest.fixture
def clock(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock for what is kept of tenants, which stands until it is set."""
    now = [1_000.0]
    monkeypatch.setitem(app.extensions, "tenants", TenantCache(resolve, lambda: now[0]))
    return now


def test_the_right_token_is_let_in(client: FlaskClient, forge: Forge) -> None:
    assert client.get(PATH, headers=forge()).status_code == 200


@pytest.mark.parametrize("actor", [f"user:{UUID(int=7)}", "client:cli", "client:a", "client:night-shift.2_b"])
def test_a_user_and_a_client_are_let_in(client: FlaskClient, forge: Forge, actor: str) -> None:
    assert client.get(PATH, headers=forge(sub=actor)).status_code == 200


def test_a_clock_that_is_a_little_ahead_is_borne(client: FlaskClient, forge: Forge) -> None:
    now = time.time()
    assert client.get(PATH, headers=forge(iat=now + 20)).status_code == 200
    problem(client.get(PATH, headers=forge(iat=now + 40)), 401)


def test_the_platforms_forged_token_would_open_the_registry(client: FlaskClient, forge: Forge) -> None:
    """The positive control of the wrong roles."""
    headers = forge(tenant=None, role="platform")
    assert client.get("/api/v1/tenants", headers=headers).status_code == 200


def test_no_token_is_turned_away_and_told_how(client: FlaskClient) -> None:
    answer = client.get(PATH)
    assert problem(answer, 401)["code"] == "invalid_token"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_a_token_with_a_wrong_claim_is_as_good_as_none(
    client: FlaskClient, forge: Forge, claims: dict[str, Any]
) -> None:
    answer = client.get(PATH, headers=forge(**claims))
    problem(answer, 401)
    assert without_id(answer) == without_id(client.get(PATH))


@pytest.mark.parametrize("header", WRONG_HEADERS.values(), ids=WRONG_HEADERS)
def test_a_token_with_a_wrong_header_is_refused(
    client: FlaskClient, forge: Forge, header: dict[str, Any]
) -> None:
    answer = client.get(PATH, headers=forge(HEADER | header))
    problem(answer, 401)
    assert without_id(answer) == without_id(client.get(PATH))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_with_the_right_key_is_refused(
    client: FlaskClient, forge: Forge, algorithm: str
) -> None:
    problem(client.get(PATH, headers=forge({"alg": algorithm})), 401)


@pytest.mark.parametrize("secret", ["", "another secret, of which nobody knew", SECRET.upper(), SECRET[:-1]])
def test_a_token_signed_with_another_key_is_refused(client: FlaskClient, forge: Forge, secret: str) -> None:
    problem(client.get(PATH, headers=forge(secret=secret)), 401)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_with_a_part_left_out_is_refused(client: FlaskClient, forge: Forge, part: int) -> None:
    parts = forge()["Authorization"].removeprefix("Bearer ").split(".")
    parts[part] = ""
    problem(client.get(PATH, headers={"Authorization": f"Bearer {'.'.join(parts)}"}), 401)


def test_a_changed_body_does_not_fit_its_signature(
    app: Flask, client: FlaskClient, acme: Tenant, globex: Tenant
) -> None:
    header, _, signature = bearer(app, acme)["Authorization"].split(".")
    body = bearer(app, globex)["Authorization"].split(".")[1]
    problem(client.get(PATH, headers={"Authorization": f"{header}.{body}.{signature}"}), 401)


@pytest.mark.parametrize("token", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused(client: FlaskClient, token: str) -> None:
    problem(client.get(PATH, headers={"Authorization": f"Bearer {token}"}), 401)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_written_in_any_case(client: FlaskClient, forge: Forge, scheme: str) -> None:
    token = forge()["Authorization"].removeprefix("Bearer ")
    assert client.get(PATH, headers={"Authorization": f"{scheme} {token}"}).status_code == 200


@pytest.mark.parametrize("scheme", SCHEMES)
def test_another_scheme_is_refused(client: FlaskClient, forge: Forge, scheme: str) -> None:
    token = forge()["Authorization"].removeprefix("Bearer ")
    problem(client.get(PATH, headers={"Authorization": f"{scheme} {token}"}), 401)


def test_two_authorization_headers_are_refused(client: FlaskClient, forge: Forge) -> None:
    [header] = forge().items()
    problem(client.get(PATH, headers=[header, header]), 401)


@pytest.mark.parametrize("path", ["?access_token={}", "?token={}"])
def test_a_token_in_the_query_is_none(client: FlaskClient, forge: Forge, path: str) -> None:
    token = forge()["Authorization"].removeprefix("Bearer ")
    problem(client.get(PATH + path.format(token)), 401)


def test_the_platforms_token_opens_no_tenants_data(app: Flask, client: FlaskClient) -> None:
    assert problem(client.get(PATH, headers=bearer(app, None)), 403)["code"] == "tenant_only"


def test_a_tenants_token_does_not_open_the_registry(app: Flask, client: FlaskClient, acme: Tenant) -> None:
    answer = client.get("/api/v1/tenants", headers=bearer(app, acme))
    assert problem(answer, 403)["code"] == "platform_only"


@pytest.mark.parametrize("path", ["", "/{id}/suspend", "/{id}/activate"])
def test_a_tenant_cannot_write_the_registry(app: Flask, client: FlaskClient, acme: Tenant, path: str) -> None:
    answer = client.post("/api/v1/tenants" + path.format(id=acme.id), json={}, headers=bearer(app, acme))
    problem(answer, 403)


def test_a_suspended_tenant_is_turned_away_in_time(
    app: Flask, client: FlaskClient, acme: Tenant, clock: list[float]
) -> None:
    headers = bearer(app, acme)
    assert client.get(PATH, headers=headers).status_code == 200
    client.post(f"/api/v1/tenants/{acme.id}/suspend", headers=bearer(app, None))
    clock[0] += TENANT_TTL
    answer = problem(client.get(PATH, headers=headers), 403)
    assert (answer["code"], TENANT_TTL) == ("tenant_not_active", 5)
    assert "suspended" in answer["detail"]


def test_until_then_what_was_known_holds(
    app: Flask, client: FlaskClient, acme: Tenant, clock: list[float]
) -> None:
    headers = bearer(app, acme)
    client.get(PATH, headers=headers)
    client.post(f"/api/v1/tenants/{acme.id}/suspend", headers=bearer(app, None))
    clock[0] += TENANT_TTL - 0.1
    assert client.get(PATH, headers=headers).status_code == 200


def test_a_tenant_that_is_active_again_is_let_in(
    app: Flask, client: FlaskClient, acme: Tenant, clock: list[float]
) -> None:
    client.post(f"/api/v1/tenants/{acme.id}/suspend", headers=bearer(app, None))
    problem(client.get(PATH, headers=bearer(app, acme)), 403)
    client.post(f"/api/v1/tenants/{acme.id}/activate", headers=bearer(app, None))
    clock[0] += TENANT_TTL
    assert client.get(PATH, headers=bearer(app, acme)).status_code == 200


def test_an_archived_tenant_is_turned_away(
    app: Flask, client: FlaskClient, acme: Tenant, admin: Connection
) -> None:
    with admin.cursor() as cursor:
        cursor.execute("UPDATE tenants SET status = 'archived'")
    assert "archived" in problem(client.get(PATH, headers=bearer(app, acme)), 403)["detail"]


def test_one_tenants_suspension_is_not_anothers(
    app: Flask, client: FlaskClient, acme: Tenant, globex: Tenant
) -> None:
    client.post(f"/api/v1/tenants/{acme.id}/suspend", headers=bearer(app, None))
    problem(client.get(PATH, headers=bearer(app, acme)), 403)
    assert client.get(PATH, headers=bearer(app, globex)).status_code == 200


def test_a_tenant_is_asked_for_once_in_five_seconds() -> None:
    known = [SimpleNamespace(status="active")]
    kept, now = kept_by(known)
    assert [kept.status(SOMEBODY) for _ in range(3)] == ["active"] * 3
    assert known == []
    now[0] += TENANT_TTL
    with pytest.raises(InvalidTokenError):
        kept.status(SOMEBODY)


def test_an_unknown_tenant_is_not_kept() -> None:
    kept, _ = kept_by([None, SimpleNamespace(status="active")])
    with pytest.raises(InvalidTokenError):
        kept.status(SOMEBODY)
    assert kept.status(SOMEBODY) == "active"


def test_what_was_known_counts_from_when_it_was_asked() -> None:
    """A slow database must not lengthen the promise."""
    now = [0.0]

    def slowly(_tenant_id: UUID) -> Any:
        now[0] += 4
        return SimpleNamespace(status="active" if now[0] < 5 else "suspended")

    kept = TenantCache(slowly, lambda: now[0])
    assert kept.status(SOMEBODY) == "active"
    now[0] = TENANT_TTL
    assert kept.status(SOMEBODY) == "suspended"


def test_one_caller_asks_again_and_the_others_go_on_with_what_they_have() -> None:
    """When what was known ends, a busy tenant's requests do not all ask at once."""
    now, asked = [0.0], []

    def resolve_slowly(tenant_id: UUID) -> Any:
        asked.append(tenant_id)
        if len(asked) == 2:
            assert cache.status(SOMEBODY) == "active"
        return SimpleNamespace(status="active" if len(asked) == 1 else "suspended")

    cache = TenantCache(resolve_slowly, lambda: now[0])
    assert cache.status(SOMEBODY) == "active"
    now[0] = TENANT_TTL
    assert cache.status(SOMEBODY) == "suspended"
    assert len(asked) == 2


def kept_by(known: list[Any]) -> tuple[TenantCache, list[float]]:
    """What keeps tenants that are known in this order, and its clock."""
    now = [0.0]
    return TenantCache(lambda _: known.pop(0) if known else None, lambda: now[0]), now


def test_a_tenant_that_cannot_be_looked_up_is_asked_to_wait(
    app: Flask, client: FlaskClient, acme: Tenant, admin: Connection, settings: Settings
) -> None:
    headers = bearer(app, acme)
    with outage(admin, settings):
        answer = client.get(PATH, headers=headers)
    assert problem(answer, 503)["code"] == "database_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get(PATH, headers=headers).status_code == 200


def _encoded(part: dict[str, Any]) -> str:
    return _base64(json.dumps(part).encode())


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")
