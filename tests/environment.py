"""Which variables of the environment are the product's, or steer the programs it is made of."""

from collections.abc import Iterable

_PREFIXES = (
    *("APP_", "DB_", "JWT_", "REDIS_", "SENTRY_", "PORT"),
    *("PG", "FLASK_", "GUNICORN_", "PROMETHEUS_", "COVERAGE"),
)
# which server the tests run on, and that flask leaves .env to the application, are the caller's to say
_CALLERS = {"PG_BINDIR", "FLASK_SKIP_DOTENV"}


def of_the_product(names: Iterable[str]) -> list[str]:
    """The names among these that no test may hear of: it says itself what it wants."""
    return [name for name in names if name.startswith(_PREFIXES) and name not in _CALLERS]
