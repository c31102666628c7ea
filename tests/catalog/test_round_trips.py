"""From any schema to any other and back: nothing is left to compare, and pg_dump sees no difference."""

from hypothesis import HealthCheck, example, given, settings

from app.catalog import plan
from tests.catalog.pairs import Place, turned
from tests.catalog.parts import PARTS, schemas

FEW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


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


def assert_is(place, reading, dumped) -> None:
    """It reads the same, and pg_dump says the same."""
    from app.catalog import read
    found = read(place.database)
    assert plan(found, reading) == []
    assert found == reading
    assert place.dump() == dumped
