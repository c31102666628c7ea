"""The kinds of values a variable can hold: stricter than their Python constructors."""

import re
from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields

_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?", re.ASCII)
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Whole(fields.Integer):
    """A whole number in plain digits: no sign, no spaces, no underscores."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> int:
        if not _WHOLE.fullmatch(str(value)):
            raise ValidationError("not a whole number")
        return int(value)


class Seconds(fields.Float):
    """A span of time in seconds, e.g. 2 or 0.5."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> float:
        if not _SECONDS.fullmatch(str(value)):
            raise ValidationError("not a number of seconds")
        return float(value)


class Duration(fields.Field[timedelta]):
    """A span of time with its unit, e.g. 45s, 30m, 12h or 7d."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> timedelta:
        found = _DURATION.fullmatch(str(value))
        if not found:
            raise ValidationError("not a duration")
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
