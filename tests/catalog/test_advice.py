"""Advice is found, mended, and never makes a database wrong."""

import pytest
from psycopg2.extensions import connection as Connection

from app.catalog.judge import advice
from app.database import OwnerDatabase
from tests.gizmos import CLEAN, Judged

FAULTS = [
    ("index once", "CREATE INDEX idx_gizmos_twice ON gizmos (tenant_id, rca_id)"),
    ("index once", "CREATE INDEX idx_gizmos_serial ON gizmos (tenant_id, serial)"),
    ("foreign key indexed", "DROP INDEX idx_gizmos_tenant_id_rca_id"),
    (
        "foreign key indexed",
        (
            "DROP INDEX idx_gizmos_tenant_id_rca_id;"
            "CREATE INDEX idx_gizmos_some ON gizmos (tenant_id, rca_id) WHERE serial = 'x'"
        ),
    ),
]


def test_a_clean_database_needs_none(judged: Judged) -> None:
    judged(CLEAN)
    assert judged(advice=True) == []


@pytest.mark.parametrize(("rule", "statement"), FAULTS)
def test_what_costs_is_found_and_mended(judged: Judged, rule: str, statement: str) -> None:
    judged(CLEAN + statement)
    (finding,) = judged(advice=True)
    assert finding.rule == rule
    assert judged(finding.remedy.replace("CONCURRENTLY ", "")) == []
    assert judged(advice=True) == []


def test_indexes_that_differ_are_no_duplicates(judged: Judged) -> None:
    judged(f"{CLEAN} CREATE INDEX idx_gizmos_d ON gizmos (tenant_id, rca_id DESC)")
    judged("CREATE INDEX idx_gizmos_p ON gizmos (tenant_id, rca_id) WHERE serial = 'x'")
    assert judged(advice=True) == []


def test_an_index_nobody_uses_is_found(
    planted: OwnerDatabase, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(CLEAN)
    monkeypatch.setattr(advice, "DAYS_ENOUGH", 0.0)
    monkeypatch.setattr(advice, "READS_ENOUGH", 0)
    assert "idx_gizmos_tenant_id_rca_id" in {finding.where for finding in judged(advice=True)}


def test_without_reads_or_days_enough_nothing_is_said_of_use(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(CLEAN)
    monkeypatch.setattr(advice, "DAYS_ENOUGH", 0.0)
    assert judged(advice=True) == []
    monkeypatch.setattr(advice, "READS_ENOUGH", 0)
    monkeypatch.setattr(advice, "DAYS_ENOUGH", 7.0)
    assert judged(advice=True) == []


def test_an_index_in_use_is_left_alone(
    judged: Judged, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "DAYS_ENOUGH", 0.0)
    monkeypatch.setattr(advice, "READS_ENOUGH", 0)
    with admin.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SELECT FROM tenants WHERE status = 'active'")
        cursor.execute("RESET enable_seqscan; SELECT pg_stat_force_next_flush()")
    assert "idx_tenants_status" not in {finding.where for finding in judged(advice=True)}
