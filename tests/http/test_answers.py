"""Answers come out exactly as marshmallow would write them, with the short cut or without it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from marshmallow import Schema, fields, post_dump, pre_dump

from app.http import ResponseSchema, page_of
from app.http.json import json_answer
from app.rcas import RCA
from app.rcas.schemas import RCASchema
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.factories import make_rca

INSTANT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
# what the fields below read, in the types a driver gives
ROW: dict[str, Any] = {
    "id": UUID(int=7),
    "text": "Pump leaks",
    "number": 42,
    "flag": True,
    "nothing": None,
    "instant": INSTANT,
    "abroad": INSTANT.astimezone(timezone(timedelta(hours=5, minutes=30))),
    "naive": INSTANT.replace(tzinfo=None),
    "day": date(2026, 1, 2),
    "hour": time(3, 4, 5),
    "price": Decimal("12.50"),
    "ratio": 0.5,
    "digits": "42",
    "settings": {"b": 1, "a": [1, None]},
    "tags": ["x", "y"],
    "inner": {"text": "inner", "number": 1},
    "took": timedelta(minutes=1),
}


class Loud(fields.String):
    """A String that is written in a way of its own."""

    def _serialize(self, value: Any, *args: Any, **options: Any) -> Any:
        return str(super()._serialize(value, *args, **options)).upper()


class Colour(Enum):
    """Something that is written by its name."""

    RED = 1


class Inner(Schema):
    """What is nested."""

    text = fields.String(data_key="Text")


class Hooked(Schema):
    """The base of schemas with hooks."""

    text = fields.String()
    number = fields.Integer()


class Before(Hooked):
    """Changes what is dumped."""

    @pre_dump
    def shout(self, data: Any, **_: Any) -> Any:
        """Another text."""
        text = data["text"] if isinstance(data, dict) else data.text
        return {"text": str(text).upper(), "number": 1}


class After(Hooked):
    """Changes what was dumped."""

    @post_dump
    def add(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """One more value."""
        return data | {"more": True}


class AfterMany(Hooked):
    """Changes all that was dumped at once."""

    @post_dump(pass_collection=True)
    def wrap(self, data: Any, **_: Any) -> dict[str, Any]:
        """An envelope."""
        return {"data": data}


class Getting(Hooked):
    """Finds its values in a way of its own."""

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Whatever is asked for, its name."""
        return f"the {attr}" if attr == "text" else super().get_attribute(obj, attr, default)


class Backwards(dict[str, Any]):
    """A dict of another class."""


class OtherDict(Hooked):
    """Answers with another class of dict."""

    dict_class = Backwards


class Listed(Hooked):
    """Names its fields in Meta."""

    class Meta:
        """The order is this one."""

        fields = ("number", "text")


class Excluding(Hooked):
    """Leaves one out in Meta."""

    class Meta:
        """All but one."""

        exclude = ("number",)


def one(field: Any, name: str = "text") -> type[Schema]:
    """A schema of one field, beside one that is plain."""
    return Schema.from_dict({name: field, "flag": fields.Boolean()})


# everything but the short cut's own cases
BY_MARSHMALLOW: dict[str, type[Schema]] = {
    "data_key": one(fields.String(data_key="theText")),
    "attribute": one(fields.String(attribute="digits")),
    "as_string": one(fields.Integer(as_string=True), "number"),
    "format iso": one(fields.AwareDateTime(format="rfc"), "instant"),
    "format timestamp": one(fields.AwareDateTime(format="timestamp"), "instant"),
    "format of strftime": one(fields.AwareDateTime(format="%d.%m.%Y"), "instant"),
    "DateTime": one(fields.DateTime(), "instant"),
    "NaiveDateTime": one(fields.NaiveDateTime(), "naive"),
    "Date": one(fields.Date(), "day"),
    "Date with format": one(fields.Date(format="%d.%m.%Y"), "day"),
    "Time": one(fields.Time(), "hour"),
    "TimeDelta": one(fields.TimeDelta(), "took"),
    "Decimal as text": one(fields.Decimal(as_string=True), "price"),
    "Decimal": one(fields.Decimal(places=1), "price"),
    "Float": one(fields.Float(), "number"),
    "an Integer from text": one(fields.Integer(), "digits"),
    "a String from a number": one(fields.String(), "number"),
    "a Boolean from a number": one(fields.Boolean(), "number"),
    "a UUID from text": one(fields.UUID(), "id"),
    "Method": one(fields.Method("method")),
    "Function": one(fields.Function(lambda _: "by a function")),
    "Constant": one(fields.Constant("always")),
    "Nested": one(fields.Nested(Inner), "inner"),
    "Pluck": one(fields.Pluck(Inner, "text"), "inner"),
    "List": one(fields.List(fields.String()), "tags"),
    "Tuple": one(fields.Tuple((fields.String(), fields.String())), "tags"),
    "Mapping": one(fields.Dict(keys=fields.String(), values=fields.Raw()), "settings"),
    "Raw": one(fields.Raw(), "price"),
    "a subclass of String": one(Loud()),
    "a subclass of Dict": one(type("Settings", (fields.Dict,), {})(), "settings"),
    "Email": one(fields.Email()),
    "pre_dump": Before,
    "post_dump": After,
    "post_dump of many": AfterMany,
    "get_attribute": Getting,
    "dict_class": OtherDict,
    "a default for what is missing": one(fields.String(dump_default="by default"), "absent"),
    "nothing for what is missing": one(fields.String(), "absent"),
    "instants elsewhere": one(fields.AwareDateTime(), "abroad"),
    "a default timezone": one(fields.AwareDateTime(default_timezone=UTC), "naive"),
}
PLAIN: dict[str, type[Schema]] = {
    "String": one(fields.String()),
    "String of a UUID": one(fields.String(), "id"),
    "Integer": one(fields.Integer(), "number"),
    "UUID": one(fields.UUID(), "id"),
    "AwareDateTime": one(fields.AwareDateTime(), "instant"),
    "Dict": one(fields.Dict(), "settings"),
    "nothing": one(fields.String(), "nothing"),
    "load_only": one(fields.String(load_only=True)),
    "a default that is not needed": one(fields.String(dump_default="by default")),
    "in Meta's order": Listed,
    "without Meta's excluded": Excluding,
}
SCHEMAS = BY_MARSHMALLOW | PLAIN
# what the short cut would get wrong if it were always taken
WRONG_WHEN_FORCED = (
    "data_key",
    "attribute",
    "as_string",
    "format timestamp",
    "format of strftime",
    "pre_dump",
    "post_dump",
    "post_dump of many",
    "get_attribute",
)


class Thing:
    """An instance as a model's: its values by attribute, and in `__data__`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__data__ = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__data__[name]
        except KeyError:
            raise AttributeError(name) from None


def with_method(schema: type[Schema]) -> type[Schema]:
    """The schema with the method that a Method field names."""
    return type(schema.__name__, (schema,), {"method": lambda _self, _obj: "by a method"})


def as_answer(schema: type[Schema], **options: Any) -> ResponseSchema:
    """The same schema as this product's."""
    made = type(schema.__name__, (ResponseSchema, with_method(schema)), {})(**options)
    assert isinstance(made, ResponseSchema)
    return made


def encoded(values: Any) -> bytes:
    """What is sent to the client."""
    return json_answer(values, 200).get_data()


def both(schema: type[Schema], obj: Any, *, many: bool = False, **options: Any) -> tuple[bytes, bytes]:
    """What this product sends, and what marshmallow alone would make it send."""
    ours = as_answer(schema, **options).dump(obj, many=many)
    theirs = with_method(schema)(**options).dump(obj, many=many)
    return encoded(ours), encoded(theirs)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_rows_come_out_as_marshmallows(schema: type[Schema]) -> None:
    ours, theirs = both(schema, ROW)
    assert ours == theirs


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_instances_come_out_as_marshmallows(schema: type[Schema]) -> None:
    ours, theirs = both(schema, Thing(ROW))
    assert ours == theirs


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_many_come_out_as_marshmallows(schema: type[Schema]) -> None:
    ours, theirs = both(schema, [ROW, ROW | {"text": "Another"}, ROW], many=True)
    assert ours == theirs


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_one_odd_row_among_many_changes_nothing(schema: type[Schema]) -> None:
    odd = {"text": 7, "flag": "yes", "number": "8", "id": str(UUID(int=8)), "instant": INSTANT}
    ours, theirs = both(schema, [ROW, ROW | odd, Thing(ROW)], many=True)
    assert ours == theirs


@pytest.mark.parametrize("options", [{"only": ("flag", "text")}, {"exclude": ("flag",)}, {"partial": True}])
def test_what_is_chosen_comes_out_as_marshmallows(options: dict[str, Any]) -> None:
    for obj in (ROW, Thing(ROW), {"text": "a", "flag": False}):
        ours, theirs = both(PLAIN["String"], obj, **options)
        assert ours == theirs


@pytest.mark.parametrize("schema", [PLAIN["String"], After], ids=["plain", "hooked"])
def test_a_generator_of_rows_is_read_once(schema: type[Schema]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from [ROW, ROW | {"text": 7}]

    assert encoded(as_answer(schema).dump(rows(), many=True)) == both(schema, list(rows()), many=True)[1]


def test_no_rows_are_an_empty_list() -> None:
    assert both(PLAIN["String"], [], many=True) == (b"[]", b"[]")


def test_a_schema_that_is_many_by_itself_dumps_many() -> None:
    ours = as_answer(PLAIN["String"], many=True).dump([ROW, ROW])
    assert ours == [{"text": "Pump leaks", "flag": True}] * 2


def test_the_row_that_is_dumped_stays_as_it_was() -> None:
    row = {"text": "a", "flag": True}
    as_answer(After).dump(row | {"number": 1})
    as_answer(PLAIN["String"]).dump(row)
    assert row == {"text": "a", "flag": True}


@pytest.mark.parametrize("name", WRONG_WHEN_FORCED)
def test_the_short_cut_would_not_do_for_these(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ResponseSchema, "_is_plain", True)
    row = ROW | {"theText": "", "digits": "42"}
    ours, theirs = both(BY_MARSHMALLOW[name], row)
    assert ours != theirs


@pytest.mark.parametrize("schema", PLAIN.values(), ids=PLAIN)
def test_plain_schemas_take_the_short_cut(schema: type[Schema], monkeypatch: pytest.MonkeyPatch) -> None:
    def not_asked(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Schema, "_serialize", not_asked)
    assert as_answer(schema).dump(ROW)


def test_model_instances_come_out_as_marshmallows(acme: Tenant, globex: Tenant) -> None:
    rcas = [make_rca(acme), make_rca(globex, "Another", equipment_type="Pump")]
    with tenant_scope(acme):
        rcas.append(RCA.find(rcas[0].id))
    fieldwise = Schema.from_dict({name: type(field)() for name, field in RCASchema().dump_fields.items()})()
    assert encoded(RCASchema().dump(rcas, many=True)) == encoded(fieldwise.dump(rcas, many=True))


def test_a_page_comes_out_as_marshmallows() -> None:
    class ItemSchema(ResponseSchema):
        text = fields.String(data_key="Text")
        price = fields.Decimal(as_string=True)

    found = page_of(ItemSchema).dump({"items": [ROW, ROW], "next_cursor": None})
    assert found == {"items": [{"Text": "Pump leaks", "price": "12.50"}] * 2, "next_cursor": None}
