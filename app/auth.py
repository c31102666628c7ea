"""Bearer tokens: who is asking, a tenant or the platform.

JSON Web Tokens signed with HS256. The algorithm is pinned and every claim required, so
an unsigned token or one for another audience is refused (RFC 8725, 3.1 and 3.9).
https://www.rfc-editor.org/rfc/rfc8725
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from flask import Flask, current_app

from app.config import Settings
from app.errors import InvalidTokenError

ALGORITHM = "HS256"
ISSUER = "fixapp"
AUDIENCE = "fixapp-api"
PLATFORM = "platform"
# a token of ours is some 250 characters; more is somebody trying something
_MAX_LENGTH = 2048
_KEPT_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token names: a tenant, or the platform when there is none; until when, in Unix time."""

    tenant_id: UUID | None
    expires_at: float = field(default=0.0, compare=False)


class Tokens:
    """Issues tokens and reads them back."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret
        self._expiry = settings.jwt_expiry
        # nothing about a token changes but its age, so its signature is checked once
        self._identify = lru_cache(_KEPT_TOKENS)(self._identity)

    def issue(self, tenant_id: UUID | None) -> str:
        """A token for a tenant, or for the platform when None is given."""
        now = datetime.now(UTC)
        claims = {
            "sub": PLATFORM if tenant_id is None else str(tenant_id),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + self._expiry,
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str) -> Identity:
        """Whom a token names. Raises InvalidTokenError, always with the same words."""
        if len(token) > _MAX_LENGTH:
            raise InvalidTokenError
        try:
            identity = self._identify(token)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise InvalidTokenError from None
        if time.time() >= identity.expires_at:
            raise InvalidTokenError
        return identity

    def _identity(self, token: str) -> Identity:
        claims = self._verified(token)
        subject = claims["sub"]
        return Identity(None if subject == PLATFORM else UUID(subject), float(claims["exp"]))

    def _verified(self, token: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            self._secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
        return claims


def init_app(app: Flask) -> None:
    """Make the tokens of this app's settings."""
    app.extensions["tokens"] = Tokens(app.config["SETTINGS"])


def tokens() -> Tokens:
    """The current app's tokens."""
    found: Tokens = current_app.extensions["tokens"]
    return found
