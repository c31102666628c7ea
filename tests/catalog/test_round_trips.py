"""From any schema to any other and back: nothing is left to compare, and pg_dump sees no difference."""

from hypothesis import HealthCheck, given
from hypothesis import settings as limits

from app.catalog import Reading, plan, read
from tests.catalog.pairs import Place, turned
from tests.catalog.parts import schemas

# two databases for all examples: each begins with a reset
FEW = limits(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(old=schemas(), new=schemas())
def test_there_and_back(places: tuple[Place, Place], old: str, new: str) -> None:
    here, there = places
    after, after_dump = there.become(new), there.dump()
    before, before_dump = here.become(old), here.dump()
    turned(here, before, after)
    assert_is(here, after, after_dump)
    turned(here, after, before)
    assert_is(here, before, before_dump)


def assert_is(place: Place, wanted: Reading, dumped: list[str]) -> None:
    """A place reads as wanted, and pg_dump says the same of it."""
    found = read(place.database)
    assert plan(found, wanted) == []
    assert found == wanted
    assert place.dump() == dumped
