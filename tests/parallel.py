"""The tests side by side: a file is one worker's, and each worker has a PostgreSQL server to itself.

A server is started in half a second. Shared, it would carry what one test does to roles, settings, logs and
connections into another's; apart, no test has to know that there are others.
"""

import os

import pytest

from dev import cluster

# many tests wait for a clock or a process: more of them than processors keep these at work
_PER_PROCESSOR = 2
_AT_MOST = 8
# the folders of those that wait longest; begun last they would be waited for
_FIRST = ("pool", "cli", "dev", "migrate", "catalog")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many as this machine can use; none where one file is asked for, which is one worker's anyway."""
    asked = config.args
    if len(asked) == 1 and ".py" in asked[0]:
        return 0
    return min(len(os.sched_getaffinity(0)) * _PER_PROCESSOR, _AT_MOST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; within a file nothing changes its place."""
    places = {folder: place for place, folder in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(_FIRST)))


def pytest_unconfigure() -> None:
    """Remove the server of a worker that was killed."""
    cluster.sweep()
