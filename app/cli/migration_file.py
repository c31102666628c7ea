"""The text of a migration: two pieces of SQL to be read, reviewed and run."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from app.catalog import Step

_WIDTH = 106  # the linter's 110, less what quotes and semicolons add
_VERBS = {"CREATE TABLE": "makes", "DROP TABLE": "drops", "CREATE VIEW": "makes", "DROP VIEW": "drops"}
_FUNCTIONS = ("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
# where a line is broken rather than anywhere else
_JOINTS = re.compile(r" (?=WHERE |FOR EACH |EXECUTE |REFERENCES |USING |CHECK )")
_TOKENS = re.compile(r"(?:'(?:[^']|'')*'|\"[^\"]*\"|[^\s'\"])+")
_WORDS = {
    "character varying": "varchar",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}
_CAST = re.compile(r"(?<=['\w])::(?:varchar|text)(?![\w\[(])")
_REFERENCES = re.compile(r"(REFERENCES [\w.]+)\(")
_TEXT = '''"""{title}"""

from peewee_migrate import Migrator

from app.migrate import MigrationDatabase

{constants}

def migrate(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """{there}"""
{up}

def rollback(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """{back}"""
{down}'''

Spelling = Callable[[str], str]


def migration_text(title: str, up: list[Step], down: list[Step], *, role: str, spell: Spelling) -> str:
    """The file, with each statement as `spell` writes it and `role` left to the database."""
    constants, bodies = [], _sentences(title, up, down)
    for name, steps in (("UP", up), ("DOWN", down)):
        texts, calls = _pieces(name, steps, role, spell)
        constants += [f'{constant} = """\n{text}\n"""\n' for constant, text in texts]
        bodies[name.lower()] = "".join(f"    {call}\n" for call in calls)
    return _TEXT.format(constants="\n".join(constants), **bodies)


def _sentences(name: str, up: list[Step], down: list[Step]) -> dict[str, str]:
    words = name.replace("_", " ").capitalize()
    losses = " and ".join(step.loses for step in down if step.loses)
    title = _fitting(f"{words}: {_done(up)}.", f"{words}: several tables.")
    back = _fitting(f"Take it back, and with it {losses}." if losses else "Take it back.", "Take it back.")
    return {"title": title, "there": f"{words}.", "back": back}


def _done(steps: list[Step]) -> str:
    """What is made, dropped and changed, table by table."""
    verbs: dict[str, str] = {}
    for step in steps:
        first = step.statements[0]
        verb = next((verb for start, verb in _VERBS.items() if first.startswith(start)), "changes")
        verbs.setdefault(step.group, verb)
    parts = [f"{verb} {group}" for group, verb in verbs.items() if group]
    return ", ".join(parts) or "what belongs to no table"


def _fitting(sentence: str, short: str) -> str:
    return sentence if len(sentence) <= _WIDTH - 10 else short


def readable(statement: str) -> str:
    """As a person would write it, without the casts PostgreSQL adds and adds again."""
    if statement.startswith(_FUNCTIONS):
        return statement
    for long, short in _WORDS.items():
        statement = statement.replace(long, short)
    statement = _REFERENCES.sub(r"\1 (", _CAST.sub("", statement))
    return "\n".join(wrapped for line in statement.split("\n") for wrapped in _wrapped(line))


def verbatim(statement: str) -> str:
    """As PostgreSQL writes it."""
    return statement


def _wrapped(line: str) -> Iterator[str]:
    """Lines that fit, broken at a joint if that is enough, else between words; never within quotes."""
    if len(line) <= _WIDTH:
        yield line
        return
    indent = line[: len(line) - len(line.lstrip())]
    for place in _JOINTS.finditer(line):
        head, tail = line[: place.start()], indent + "    " + line[place.end() :]
        if max(len(head), len(tail)) <= _WIDTH and head.count("'") % 2 == 0:
            yield from (head, tail)
            return
    yield from _filled(line, indent)


def _filled(line: str, indent: str) -> Iterator[str]:
    current = ""
    for token in _TOKENS.findall(line):
        if current and len(indent) + len(current) + 1 + len(token) > _WIDTH:
            yield indent + current
            current, indent = token, indent if indent.startswith("     ") else indent + "    "
        else:
            current = f"{current} {token}" if current else token
    yield indent + current


def _pieces(
    constant: str, steps: list[Step], role: str, spell: Spelling
) -> tuple[list[tuple[str, str]], list[str]]:
    """Constants and the calls that run them; what names the role is a call of its own."""
    texts: list[tuple[str, str]] = []
    calls: list[str] = []
    for names_role, run in groupby(_lines(steps), key=lambda one: _names(one[1], role)):
        if names_role:
            calls += [_call(found) for _, statement in run if (found := _grantee(statement, role))]
        else:
            name = f"{constant}_{len(texts) + 1}" if texts else constant
            texts.append((name, _sql(run, spell)))
            calls.append(f"migrator.sql({name})")
    return texts, calls


def _lines(steps: list[Step]) -> Iterator[tuple[Step, str]]:
    return ((step, statement) for step in steps for statement in step.statements)


def _names(statement: str, role: str) -> bool:
    return _grantee(statement, role) is not None


def _grantee(statement: str, role: str) -> re.Match[str] | None:
    """The statement in three parts, if it grants to the role or revokes from it."""
    names = "|".join(re.escape(name) for name in (role, f'"{role}"'))
    form = rf"((?:GRANT|REVOKE) .+ (?:TO|FROM) )({names})( WITH GRANT OPTION)?"
    return re.fullmatch(form, statement, re.DOTALL)


def _call(found: re.Match[str]) -> str:
    head, tail = _in_python(found[1]), found[3] or ""
    if re.search(r"[\"'{}\\\n]", head):
        return f"migrator.sql({head!r} + database.application_role + {tail!r})"
    grantee = "{database.application_role}"
    call = f'migrator.sql(f"{head}{grantee}{tail}")'
    if len(call) < _WIDTH:
        return call
    first, _, rest = head.partition(" ON ")
    return f'migrator.sql(\n        f"{first} "\n        f"ON {rest}{grantee}{tail}"\n    )'


def _sql(run: Iterable[tuple[Step, str]], spell: Spelling) -> str:
    lines: list[str] = []
    last: Step | None = None
    for step, statement in run:
        if last is not None and (step.group, step.section) != (last.group, last.section):
            lines.append("")
        if step is not last:
            lines += [f"-- {remark}" for remark in _remarks(step)]
        lines.append(f"{_in_python(spell(statement))};")
        last = step
    return "\n".join(lines)


def _remarks(step: Step) -> Iterator[str]:
    if step.loses:
        yield f"loses {step.loses}"
    if step.note:
        yield step.note


def _in_python(statement: str) -> str:
    """Within quotes, and with % as `migrator.sql` takes it."""
    return statement.replace("\\", "\\\\").replace('"""', '\\"""').replace("%", "%%")
