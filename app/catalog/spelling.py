"""One spelling for expressions that PostgreSQL writes in several.

What `status IN ('a', 'b')` on a varchar is read back as is written differently again once
that text is loaded: two databases with the same check would differ for ever. Both are
folded into what their author wrote.
"""

import re

_LITERAL = r"'(?:[^']|'')*'"
_ELEMENT = rf"{_LITERAL}(?:::character varying)?(?:::text)?"
_ARRAY = rf"ARRAY\[{_ELEMENT}(?:, {_ELEMENT})*\]"
_COLUMN = r'(?<![\w."])(?P<column>(?:[a-z_]\w*|"(?:[^"]|"")+")(?:\.(?:[a-z_]\w*|"(?:[^"]|"")+"))?)'
_MEMBERSHIP = re.compile(
    rf"{_COLUMN}(?:::text)? (?P<operator>= ANY|<> ALL) \((?P<array>{_ARRAY}(?:::text\[\])?|\({_ARRAY}\)::text\[\])\)"
)
_VARCHAR = rf"{_LITERAL}::character varying"
_VARCHARS = re.compile(rf"ARRAY\[(?P<elements>{_VARCHAR}(?:, {_VARCHAR})*)\]::text\[\]")
# a scalar subquery is given a column named after the function it calls
_CALL = r"\( SELECT (?P<call>(?:\w+\.)?(?P<name>\w+)\(\)) AS (?P=name)\)"
_CALLS = re.compile(rf"\({_CALL}\)|{_CALL.replace('call>', 'bare>').replace('name', 'title')}")
_LITERALS = re.compile(_LITERAL)


def canonical(expression: str) -> str:
    """The one spelling of an expression."""
    return _CALLS.sub(_called, _VARCHARS.sub(_cast, _MEMBERSHIP.sub(_listed, expression)))


def _listed(match: re.Match[str]) -> str:
    operator = "IN" if match["operator"] == "= ANY" else "NOT IN"
    return f"{match['column']} {operator} ({', '.join(_LITERALS.findall(match['array']))})"


def _cast(match: re.Match[str]) -> str:
    return f"ARRAY[{', '.join(f'{text}::text' for text in re.findall(_VARCHAR, match['elements']))}]"


def _called(match: re.Match[str]) -> str:
    return f"(SELECT {match['call'] or match['bare']})"
