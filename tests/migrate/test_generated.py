"""What `flask db-revision` plans runs as an owner who is no superuser: it lifts FORCE where he has to see."""

import psycopg2
import pytest

from app.catalog import Reading, plan, read, statements
from app.migrate import MigrationDatabase, migrate

TABLE = """
CREATE TABLE {0} (
    id uuid DEFAULT gen_random_uuid() CONSTRAINT {0}_pkey PRIMARY KEY, tenant_id uuid NOT NULL, other_id uuid,
    CONSTRAINT uniq_{0}_tenant_id_id UNIQUE (tenant_id, id));
ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY;
"""
KEY = "ALTER TABLE {0} ADD FOREIGN KEY (tenant_id, other_id) REFERENCES {1} (tenant_id, id);"
BOTH = TABLE.format("alphas") + TABLE.format("betas")
CYCLE = KEY.format("alphas", "betas") + KEY.format("betas", "alphas")
DANGLING = """
ALTER TABLE alphas NO FORCE ROW LEVEL SECURITY;
INSERT INTO alphas (tenant_id, other_id) VALUES (gen_random_uuid(), gen_random_uuid());
ALTER TABLE alphas FORCE ROW LEVEL SECURITY;
"""


@pytest.fixture
def owner(product: MigrationDatabase) -> MigrationDatabase:
    """The owner of a migrated database, who fails where he would be blind."""
    list(migrate(product))
    return product


def wanted(owner: MigrationDatabase, sql: str) -> Reading:
    """How the schema would read with this in it."""
    with owner.atomic() as transaction:
        owner.cursor().execute(f"SET LOCAL row_security = on; {sql}")
        reading = read(owner)
        transaction.rollback(begin=False)
    return reading


def turn(owner: MigrationDatabase, reading: Reading) -> None:
    """Run what is planned, and find nothing left to do."""
    with owner.atomic():
        for statement in statements(plan(read(owner), reading)):
            owner.cursor().execute(statement)
    assert read(owner) == reading


def test_new_tables_that_point_at_each_other(owner: MigrationDatabase) -> None:
    turn(owner, wanted(owner, BOTH + CYCLE))


def test_a_new_key_between_tables_that_are_there(owner: MigrationDatabase) -> None:
    owner.cursor().execute(BOTH)
    turn(owner, wanted(owner, CYCLE))


def test_a_new_key_over_a_dangling_row_is_refused(owner: MigrationDatabase) -> None:
    owner.cursor().execute(BOTH + DANGLING)
    reading = wanted(owner, CYCLE)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        turn(owner, reading)


def test_the_fault_blind_it_would_be_taken(owner: MigrationDatabase) -> None:
    owner.cursor().execute(BOTH + DANGLING)
    owner.cursor().execute(f"SET row_security = on; {CYCLE}")
    query = "SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'alphas'::regclass"
    assert owner.execute_sql(query).fetchone() == (True,)
