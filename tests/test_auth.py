"""Tokens as they are issued, and whom they name when they come back."""

import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import jwt
import pytest

from app.auth import ALGORITHM, AUDIENCE, DEFAULT_ACTOR, Identity, Tokens
from app.config import Settings
from app.errors import InvalidActorError, InvalidTokenError

ACME = UUID(int=7)


@pytest.fixture
def tokens(settings: Settings) -> Tokens:
    """What issues tokens and reads them."""
    return Tokens(settings)


@pytest.mark.parametrize("tenant_id", [ACME, None])
def test_a_token_names_whom_it_was_issued_for(tokens: Tokens, tenant_id: UUID | None) -> None:
    assert tokens.read(tokens.issue(tenant_id)) == Identity(tenant_id, DEFAULT_ACTOR)


def test_a_token_says_no_more_than_it_must(tokens: Tokens, settings: Settings) -> None:
    token = tokens.issue(ACME)
    claims = jwt.decode(token, settings.jwt_secret, algorithms=[ALGORITHM], audience=AUDIENCE)
    assert claims.keys() == {"sub", "tenant", "iss", "aud", "iat", "exp", "jti"}
    assert (claims["sub"], claims["tenant"]) == ("client:cli", str(ACME))
    assert claims["exp"] - claims["iat"] == settings.jwt_expiry.total_seconds()
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


def test_the_platforms_token_has_a_role_and_no_tenant(tokens: Tokens, settings: Settings) -> None:
    token = tokens.issue(None)
    claims = jwt.decode(token, settings.jwt_secret, algorithms=[ALGORITHM], audience=AUDIENCE)
    assert claims["role"] == "platform"
    assert "tenant" not in claims


def test_no_two_tokens_have_one_id(tokens: Tokens, settings: Settings) -> None:
    ids = {
        jwt.decode(tokens.issue(ACME), settings.jwt_secret, algorithms=[ALGORITHM], audience=AUDIENCE)["jti"]
        for _ in range(3)
    }
    assert len(ids) == 3


@pytest.mark.parametrize("actor", [f"user:{ACME}", "client:cli", "client:0", "client:" + "a" * 63])
def test_a_token_names_its_actor(tokens: Tokens, actor: str) -> None:
    assert tokens.read(tokens.issue(ACME, actor)).actor == actor


@pytest.mark.parametrize(
    "actor",
    ["", "cli", "user:42", f"user:{ACME.hex}", "client:", "client:A", "client:" + "a" * 64, "client:a\n"],
)
def test_what_is_no_actor_gets_no_token(tokens: Tokens, actor: str) -> None:
    with pytest.raises(InvalidActorError, match=r"user:<uuid> or client:<name>"):
        tokens.issue(ACME, actor)


def test_a_token_ends_when_the_settings_say(settings: Settings) -> None:
    short = Tokens(replace(settings, jwt_expiry=timedelta(seconds=-1)))
    with pytest.raises(InvalidTokenError):
        short.read(short.issue(ACME))


def test_a_token_that_was_good_ends_all_the_same(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signature is checked once, its age each time."""
    token, now = tokens.issue(ACME), time.time()
    for seconds in (0, 1_799):
        monkeypatch.setattr("app.auth.time.time", lambda after=seconds: now + after)
        assert tokens.read(token) == Identity(ACME, DEFAULT_ACTOR)
    monkeypatch.setattr("app.auth.time.time", lambda: now + 1_800)
    with pytest.raises(InvalidTokenError):
        tokens.read(token)


def test_a_token_of_another_secret_is_refused(tokens: Tokens, settings: Settings) -> None:
    others = Tokens(replace(settings, jwt_secret="another secret, just as long as ours"))
    with pytest.raises(InvalidTokenError):
        tokens.read(others.issue(ACME))


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "x" * 3_000, "ä" * 10, "\x00", "\ud800"])
def test_a_refusal_always_says_the_same(tokens: Tokens, token: str) -> None:
    with pytest.raises(InvalidTokenError) as caught:
        tokens.read(token)
    assert str(caught.value) == str(InvalidTokenError())
    assert caught.value.__cause__ is None


def test_every_bit_of_a_token_counts(tokens: Tokens) -> None:
    token = tokens.issue(ACME)
    for place in range(0, len(token) - 1, 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(InvalidTokenError):
            tokens.read(changed)
