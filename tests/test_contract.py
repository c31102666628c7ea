"""The private names of other packages that the product touches: this fails when one of them moves."""

import asyncio
import inspect
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import flask_smorest
import peewee
import pytest
from flask import Flask
from flask.json.provider import DefaultJSONProvider
from marshmallow import Schema, fields, post_dump, pre_dump
from marshmallow.decorators import POST_DUMP, PRE_DUMP
from peewee import CharField, Model
from playhouse.postgres_ext import PooledPostgresqlExtDatabase, PostgresqlExtDatabase, Psycopg2ExtAdapter
from prometheus_client import CollectorRegistry, Counter

METHODS: list[tuple[Any, str, list[str]]] = [
    (peewee.Database, "connect", ["self", "reuse_if_open"]),
    (peewee.Database, "close", ["self"]),
    (peewee.Database, "connection", ["self"]),
    (peewee.Database, "cursor", ["self", "named_cursor"]),
    (PostgresqlExtDatabase, "execute_sql", ["self", "sql", "params", "named_cursor"]),
    (peewee.Database, "commit", ["self"]),
    (peewee.Database, "rollback", ["self"]),
    (peewee.Database, "savepoint", ["self"]),
    (peewee.PostgresqlDatabase, "begin", ["self", "isolation_level"]),
    (peewee._savepoint, "rollback", ["self", "begin"]),
    (peewee._ConnectionState, "reset", ["self"]),
    (peewee._ConnectionState, "set_connection", ["self", "conn"]),
    (PostgresqlExtDatabase, "_connect", ["self"]),
    (Psycopg2ExtAdapter, "isolation_level_str", ["self", "isolation_level"]),
    (peewee.Metadata, "add_field", ["self", "field_name", "field", "set_attribute"]),
    (peewee.Metadata, "fields_to_index", ["self"]),
    (peewee.Metadata, "get_default_dict", ["self"]),
    (peewee.SchemaManager, "_create_indexes", ["self", "safe"]),
    (peewee.SchemaManager, "_create_context", ["self"]),
    (flask_smorest.Api, "_register_responses", ["self"]),
    (flask_smorest.Api, "_register_error_handlers", ["self"]),
    (DefaultJSONProvider, "_prepare_response_obj", ["self", "args", "kwargs"]),
    (asyncio, "_get_running_loop", []),
    (sys, "_getframe", ["depth"]),
]


class Thing(Model):
    """A model of a database that is never connected."""

    name = CharField()

    class Meta:
        """Bound to nothing."""

        database = PooledPostgresqlExtDatabase(None)


@pytest.mark.parametrize(("owner", "name", "parameters"), METHODS)
def test_a_method_we_override_or_call_is_as_we_know_it(owner: Any, name: str, parameters: list[str]) -> None:
    method = getattr(owner, name)
    if not inspect.isbuiltin(method):
        assert list(inspect.signature(method).parameters) == parameters


# --- Peewee ----------------------------------------------------------------------------------------


def test_the_record_of_a_connection_is_as_we_know_it() -> None:
    state = peewee._ConnectionState()
    assert vars(state) == {
        "closed": True,
        "conn": None,
        "ctx": [],
        "transactions": [],
        **({"commit_callbacks": []} if hasattr(state, "commit_callbacks") else {}),
    }


def test_it_takes_a_connection_and_forgets_it() -> None:
    state, conn = peewee._ConnectionState(), object()
    state.set_connection(conn)
    state.transactions.append(object())
    assert (state.conn, state.closed) == (conn, False)
    state.reset()
    assert (state.conn, state.closed, state.transactions) == (None, True, [])


def test_two_units_records_share_nothing() -> None:
    one, other = peewee._ConnectionState(), peewee._ConnectionState()
    one.set_connection(object())
    assert other.conn is None


def test_a_database_asks_its_record_anew_each_time() -> None:
    """Ours is a property; whoever kept it between two calls would keep another unit's."""
    assert "self._state = " in inspect.getsource(peewee.Database.__init__)
    users = {
        name
        for name, member in inspect.getmembers(peewee.Database, inspect.isfunction)
        if "self._state." in inspect.getsource(member)
    }
    assert {
        "is_closed",
        "in_transaction",
        "push_transaction",
        "pop_transaction",
        "transaction_depth",
    } <= users


@pytest.mark.parametrize("name", ["_state", "_isolation_level", "_adapter", "connect_params"])
def test_an_attribute_of_a_database_we_read_is_there(name: str) -> None:
    assert hasattr(PooledPostgresqlExtDatabase(None, timeout=1), name)


def test_what_a_query_read_is_kept_in_one_attribute() -> None:
    for method in (peewee.BaseQuery.__init__, peewee.BaseQuery.clone):
        assert "_cursor_wrapper = None" in inspect.getsource(method)


def test_that_attribute_is_not_in_the_query_when_it_is_a_descriptor() -> None:
    assert "_cursor_wrapper" not in Thing.select().__dict__
    assert "_cursor_wrapper" not in Thing.select().clone().__dict__


def test_a_query_that_was_never_touched_keeps_it_as_peewee_does() -> None:
    """The other side of the two above: without our descriptor there is the attribute."""
    script = (
        "import peewee; query = peewee.Table('a').select(); "
        "assert query._cursor_wrapper is None and '_cursor_wrapper' in query.__dict__"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_savepoint_rolls_back_by_its_own_method() -> None:
    assert "self.rollback" in inspect.getsource(peewee._savepoint.__exit__)


@pytest.mark.parametrize("name", ["begin", "commit", "rollback"])
def test_a_transaction_begins_and_ends_by_its_databases_methods(name: str) -> None:
    assert f"self.db.{name}(" in inspect.getsource(peewee._transaction)


def test_the_adapter_is_taken_from_the_class() -> None:
    assert isinstance(PooledPostgresqlExtDatabase(None)._adapter, Psycopg2ExtAdapter)


def test_an_isolation_level_is_named_as_we_send_it() -> None:
    assert PooledPostgresqlExtDatabase(None)._adapter.isolation_level_str("SERIALIZABLE") == "SERIALIZABLE"


def test_errors_keep_the_drivers_own() -> None:
    error = ValueError("of the driver")
    with pytest.raises(peewee.DataError) as caught, peewee.__exception_wrapper__:
        raise type("DataError", (Exception,), {})(error)
    assert caught.value.orig is not None


def test_a_model_is_checked_when_it_is_declared() -> None:
    assert "validate_model" in inspect.getsource(peewee.ModelBase.__new__)
    assert "model_metadata_class" in inspect.getsource(peewee.ModelBase.__new__)


def test_an_instance_keeps_its_values_and_what_changed_as_we_know_it() -> None:
    thing = Thing(id=1, name="a")
    assert (thing.__data__, thing._dirty, thing._pk) == ({"id": 1, "name": "a"}, {"id", "name"}, 1)


def test_an_instance_is_made_without_its_defaults_by_one_word() -> None:
    assert Thing(__no_default__=True).__data__ == {}


def test_a_value_without_a_converter_is_bound_as_it_is() -> None:
    marker = SimpleNamespace()
    query = Thing.select().where(Thing.name == peewee.Value(marker, converter=False))
    assert any(param is marker for param in query.sql()[1])


# --- the others ------------------------------------------------------------------------------------


def test_a_schema_keeps_its_hooks_by_their_kind() -> None:
    class Plain(Schema):
        name = fields.String()

    class Hooked(Plain):
        @pre_dump
        def before(self, data: Any, **_options: Any) -> Any:
            return data

        @post_dump
        def after(self, data: Any, **_options: Any) -> Any:
            return data

    assert [bool(Plain()._hooks[kind]) for kind in (PRE_DUMP, POST_DUMP)] == [False, False]
    assert [bool(Hooked()._hooks[kind]) for kind in (PRE_DUMP, POST_DUMP)] == [True, True]


def test_a_counter_has_a_value_that_can_be_set() -> None:
    registry = CollectorRegistry()
    counter = Counter("a", "A counter.", registry=registry)
    counter._value.set(7)
    assert (counter._value.get(), registry.get_sample_value("a_total")) == (7, 7)


def test_the_running_loop_is_found_without_an_error_where_there_is_none() -> None:
    async def look() -> bool:
        return asyncio._get_running_loop() is asyncio.get_running_loop()

    assert asyncio._get_running_loop() is None
    assert asyncio.run(look())


def test_an_api_documents_errors_and_handles_them_where_we_step_in() -> None:
    assert "self._register_responses()" in inspect.getsource(flask_smorest.Api._init_spec)
    assert "self._register_error_handlers()" in inspect.getsource(flask_smorest.Api.init_app)
    assert "self.DEFAULT_RESPONSE_CONTENT_TYPE" in inspect.getsource(flask_smorest.Api._register_responses)


def test_the_json_provider_makes_its_answers_where_we_do() -> None:
    assert "self._prepare_response_obj(args, kwargs)" in inspect.getsource(DefaultJSONProvider.response)


# --- Flask's own steps, which app/http/frame.py repeats ---------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        "ctx = self.request_context(environ)",
        "ctx.push()",
        "response = self.full_dispatch_request()",
        "except Exception as e:",
        "response = self.handle_exception(e)",
        "return response(environ, start_response)",
        "ctx.pop(error)",
    ],
)
def test_flask_answers_in_the_steps_we_repeat(step: str) -> None:
    assert step in inspect.getsource(Flask.wsgi_app)


@pytest.mark.parametrize(
    "step",
    [
        "self._got_first_request = True",
        "rv = self.preprocess_request()",
        "rv = self.dispatch_request()",
        "rv = self.handle_user_exception(e)",
        "return self.finalize_request(rv)",
    ],
)
def test_flask_dispatches_in_the_steps_we_repeat(step: str) -> None:
    assert step in inspect.getsource(Flask.full_dispatch_request)


def test_what_we_leave_out_is_for_hooks_and_sessions_alone() -> None:
    before, after = (
        set(re.findall(r"self\.(\w+)", inspect.getsource(step).rpartition('"""')[2]))
        for step in (Flask.preprocess_request, Flask.process_response)
    )
    assert before == {"url_value_preprocessors", "before_request_funcs", "ensure_sync"}
    assert after == {"after_request_funcs", "session_interface", "ensure_sync"}
