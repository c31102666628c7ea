"""One spelling for expressions that PostgreSQL writes in several.

What `status IN ('a', 'b')` on a varchar is read back as is written differently again once
that text is loaded: two databases with the same check would differ for ever. Both are
folded into what their author wrote.
"""

import re

_LITERAL = r"'(?:[^']|'')*'"
_VARCHAR = rf"{_LITERAL}::character varying"


def _array(element: str) -> str:
    return rf"ARRAY\[{element}(?:, {element})*\]"


# of a varchar: the array cast as a whole or element by element, the column with it
_OF_VARCHARS = re.compile(
    rf"::text (?P<operator>= ANY|<> ALL) "
    rf"\((?P<array>\(?{_array(_VARCHAR)}\)?::text\[\]|{_array(_VARCHAR + '::text')})\)"
)
_OF_TEXTS = re.compile(
    rf"(?<!::text) (?P<operator>= ANY|<> ALL) \((?P<array>{_array(_LITERAL + '::text')})\)"
)
_WORDS = ("ANY", "ALL", "SELECT")
_LITERALS = re.compile(_LITERAL)
# a scalar subquery is given a column named after the function it calls
_CALL = r"\( SELECT (?P<call>(?:\w+\.)?(?P<name>\w+)\(\)) AS (?P=name)\)"
_CALLS = re.compile(rf"\({_CALL}\)|{_CALL.replace('call>', 'bare>').replace('name', 'title')}")


def canonical(expression: str) -> str:
    """The one spelling of an expression."""
    if not any(word in expression for word in _WORDS):
        return expression  # as most are, and a search for a pattern in each would take its time
    return _CALLS.sub(_called, _OF_TEXTS.sub(_listed, _OF_VARCHARS.sub(_listed, expression)))


def _listed(match: re.Match[str]) -> str:
    operator = "IN" if match["operator"] == "= ANY" else "NOT IN"
    return f" {operator} ({', '.join(_LITERALS.findall(match['array']))})"


def _called(match: re.Match[str]) -> str:
    return f"(SELECT {match['call'] or match['bare']})"
