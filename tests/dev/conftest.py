"""A project to run a development server in, and what it is told to use."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import port
from dev.cluster import Cluster
from dev.env_file import Settings
from dev.home import Home


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty project, in a place that invites mistakes with quoting."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        project = Path(folder) / """it's "our" $HOME project"""
        project.mkdir()
        yield project
        if (project / ".postgres").exists():
            Home(project).stop()


@pytest.fixture
def settings() -> Settings:
    return Settings(port.free(), "127.0.0.1", port.free(), "postgres", "a password's")


@pytest.fixture
def running(server: Cluster) -> Cluster:
    """Somebody's server that runs already."""
    return server
