"""Deleting marks a row, restoring brings it back, and removing for good has to be said."""

import pytest

from app.errors import HardDeletionError, NotFoundError
from app.rcas import RCA
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.factories import make_rca


def test_deleting_marks_a_row_once(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        assert (rca.delete_instance(), rca.delete_instance()) == (1, 0)
        assert rca.deleted_at is not None
        assert RCA.alive().count() == 0
        assert RCA.with_deleted().count() == 1


def test_a_deleted_row_comes_back(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        rca.delete_instance()
        assert (rca.restore(), rca.restore()) == (1, 0)
        assert [found.id for found in RCA.alive()] == [rca.id]


def test_a_row_is_marked_by_its_id_once(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        RCA.delete_by_id(rca.id)
        with pytest.raises(NotFoundError):
            RCA.delete_by_id(rca.id)
        assert RCA.with_deleted().get().deleted_at is not None


def test_a_row_comes_back_by_its_id_once(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        RCA.delete_by_id(rca.id)
        assert RCA.restore_by_id(rca.id).deleted_at is None
        with pytest.raises(NotFoundError):
            RCA.restore_by_id(rca.id)


def test_deleting_for_good_has_to_be_said(acme: Tenant) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        with pytest.raises(HardDeletionError, match=r"purge\(\)"):
            RCA.delete()
        assert RCA.purge().where(RCA.id == rca.id).execute() == 1
        assert RCA.with_deleted().count() == 0
