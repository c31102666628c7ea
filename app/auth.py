"""Bearer tokens: who is asking, on behalf of which tenant or of the platform.

JSON Web Tokens signed with HS256. The algorithm is pinned and every claim required, so
an unsigned token or one for another audience is refused (RFC 8725, 3.1 and 3.9).
https://www.rfc-editor.org/rfc/rfc8725
"""

import math
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import jwt
from flask import Flask, current_app

from app.config import Settings
from app.errors import InvalidActorError, InvalidTokenError

ALGORITHM = "HS256"
ISSUER = "fixapp"
AUDIENCE = "fixapp-api"
PLATFORM = "platform"
# who a token is for when nobody is named: a program at a shell
DEFAULT_ACTOR = "client:cli"
# seconds a clock of another machine may be ahead
_LEEWAY = 30
# a token of ours is some 300 characters; more is somebody trying something
_MAX_LENGTH = 2048
_KEPT_TOKENS = 10_000
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ACTOR = re.compile(rf"user:{_UUID}|client:[a-z0-9][a-z0-9._-]{{0,62}}")
_REQUIRED = ["exp", "iat", "aud", "iss", "sub", "jti"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token names: an actor, for a tenant or for the platform when there is none.

    `expires_at` is in Unix time.
    """

    tenant_id: UUID | None
    actor: str
    expires_at: float = field(default=0.0, compare=False)


class Tokens:
    """Issues tokens and reads them back."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret
        self._expiry = settings.jwt_expiry
        # nothing about a token changes but its age, so its signature is checked once
        self._identify = lru_cache(_KEPT_TOKENS)(self._identity)

    def issue(self, tenant_id: UUID | None, actor: str = DEFAULT_ACTOR) -> str:
        """A token for an actor of a tenant, or of the platform when None is given.

        Raises InvalidActorError for one that is neither `user:<uuid>` nor `client:<name>`.
        """
        if not _ACTOR.fullmatch(actor):
            raise InvalidActorError(given=actor)
        now = datetime.now(UTC)
        claims = {
            "sub": actor,
            **({"role": PLATFORM} if tenant_id is None else {"tenant": str(tenant_id)}),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + self._expiry,
            "jti": uuid4().hex,
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str) -> Identity:
        """Whom a token names. Raises InvalidTokenError, always with the same words."""
        if len(token) > _MAX_LENGTH:
            raise InvalidTokenError
        try:
            identity = self._identify(token)
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise InvalidTokenError from None
        if time.time() >= identity.expires_at:
            raise InvalidTokenError
        return identity

    def _identity(self, token: str) -> Identity:
        claims = self._verified(token)
        tenant, role, actor = claims.get("tenant"), claims.get("role"), claims["sub"]
        if not isinstance(tenant, str | None) or not isinstance(role, str | None):
            raise InvalidTokenError
        # a tenant or the platform, never both and never neither
        if (tenant is None) == (role is None) or role not in {None, PLATFORM} or not _ACTOR.fullmatch(actor):
            raise InvalidTokenError
        return Identity(None if tenant is None else UUID(tenant), actor, _instant(claims["exp"]))

    def _verified(self, token: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            self._secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=_LEEWAY,
            options={"require": _REQUIRED, "verify_exp": False},
        )
        return claims


def _instant(expires: Any) -> float:
    """A claim's Unix time (RFC 7519, 2). Raises InvalidTokenError for what is no finite number."""
    if type(expires) not in {int, float} or not math.isfinite(expires):
        raise InvalidTokenError
    return float(expires)


def init_app(app: Flask) -> None:
    """Make the tokens of this app's settings."""
    app.extensions["tokens"] = Tokens(app.config["SETTINGS"])


def tokens() -> Tokens:
    """The current app's tokens."""
    found: Tokens = current_app.extensions["tokens"]
    return found
