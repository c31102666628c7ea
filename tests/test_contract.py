"""The private names of Peewee that the product touches: this fails when Peewee moves one."""

import inspect
import threading

import peewee
import pytest
from playhouse.pool import PooledDatabase
from playhouse.postgres_ext import PooledPostgresqlExtDatabase, PostgresqlExtDatabase, Psycopg2ExtAdapter

METHODS = [
    (PooledDatabase, "_connect", ["self"]),
    (PooledDatabase, "_close", ["self", "conn", "close_conn"]),
    (PooledDatabase, "manual_close", ["self"]),
    (PooledDatabase, "close_idle", ["self"]),
    (PooledDatabase, "close_stale", ["self", "age"]),
    (PooledDatabase, "close_all", ["self"]),
    (PooledDatabase, "dispose", ["self"]),
    (peewee.Database, "connect", ["self", "reuse_if_open"]),
    (peewee.Database, "savepoint", ["self"]),
    (peewee._savepoint, "rollback", ["self", "begin"]),
    (PostgresqlExtDatabase, "_connect", ["self"]),
    (Psycopg2ExtAdapter, "connect", ["self", "db", "params"]),
    (Psycopg2ExtAdapter, "isolation_level_str", ["self", "isolation_level"]),
    (peewee.Metadata, "add_field", ["self", "field_name", "field", "set_attribute"]),
    (peewee.Metadata, "fields_to_index", ["self"]),
    (peewee.Model, "_pk_expr", ["self"]),
]


@pytest.mark.parametrize(("owner", "name", "parameters"), METHODS)
def test_a_method_we_override_or_call_is_as_we_know_it(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize(
    "name",
    [
        *("_state", "_lock", "_isolation_level", "_adapter", "connect_params", "query_hooks"),
        *("_max_connections", "_wait_timeout", "_stale_timeout"),
    ],
)
def test_an_attribute_of_a_database_we_read_is_there(name: str) -> None:
    assert hasattr(PooledPostgresqlExtDatabase(None, timeout=1), name)


def test_the_state_of_a_thread_is_as_we_know_it() -> None:
    state = PooledPostgresqlExtDatabase(None)._state
    assert (state.conn, state.closed, state.transactions) == (None, True, [])


def test_the_state_is_a_threads_own() -> None:
    assert issubclass(peewee._ConnectionLocal, threading.local)


@pytest.mark.parametrize("method", ["connect", "close"])
def test_peewees_lock_is_the_one_the_pool_replaces(method: str) -> None:
    assert "with self._lock:" in inspect.getsource(getattr(peewee.Database, method))


def test_a_pool_connects_through_its_adapter_with_its_parameters() -> None:
    source = inspect.getsource(peewee.PostgresqlDatabase._connect)
    assert "self._adapter.connect(self, **self.connect_params)" in source


def test_a_savepoint_rolls_back_by_its_own_method() -> None:
    assert "self.rollback" in inspect.getsource(peewee._savepoint.__exit__)


def test_the_adapter_is_taken_from_the_class() -> None:
    assert isinstance(PooledPostgresqlExtDatabase(None)._adapter, Psycopg2ExtAdapter)


def test_errors_keep_the_drivers_own() -> None:
    error = ValueError("of the driver")
    with pytest.raises(peewee.DataError) as caught, peewee.__exception_wrapper__:
        raise type("DataError", (Exception,), {})(error)
    assert caught.value.orig is not None


def test_a_model_is_checked_when_it_is_declared() -> None:
    assert "validate_model" in inspect.getsource(peewee.ModelBase.__new__)
    assert "model_metadata_class" in inspect.getsource(peewee.ModelBase.__new__)
