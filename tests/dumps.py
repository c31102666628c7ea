"""The schema of a database as pg_dump writes it."""

import re
import subprocess

from app.config import Settings
from dev.cluster import Cluster


def dump(server: Cluster, settings: Settings) -> str:
    """The schema, without the key of this very dump."""
    place = ["--host", settings.db_host, "--port", str(settings.db_port)]
    environment = {"PGPASSWORD": settings.db_owner_password, "PGUSER": settings.db_owner_user}
    command = [server.bindir / "pg_dump", "--schema-only", *place, settings.db_name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return re.sub(r"\\(un)?restrict \w+", "", done.stdout)
