"""Ways around row-level security: views, copies, partitions, functions with their owner's rights."""

from collections.abc import Iterable, Iterator

from app.catalog.facts import Function, Relation
from app.catalog.judge.finding import Finding

_WHY = {
    "materialized view": "it is a copy of every tenant's rows, which no policy guards",
    "foreign table": "its rows come from where no policy of this database reaches",
    "partition": "asked directly, it is not held by the policies of its parent",
}


def judge_relations(relations: Iterable[Relation], role: str) -> Iterator[Finding]:
    """Views run with their caller's rights; copies and partitions are not for the application."""
    for relation in relations:
        if relation.kind == "view" and not relation.security_invoker:
            why, remedy = "it reads as its owner", f"ALTER VIEW {relation.sql} SET (security_invoker = true)"
            yield Finding("view with its caller's rights", relation.sql, why, remedy)
        if relation.kind != "view" and relation.granted:
            remedy = f'REVOKE ALL ON {relation.sql} FROM "{role}", PUBLIC'
            yield Finding(f"no access to a {relation.kind}", relation.sql, _WHY[relation.kind], remedy)


def judge_functions(functions: Iterable[Function], definers: frozenset[str]) -> Iterator[Finding]:
    """SECURITY DEFINER only where it is listed, and never with its caller's search_path."""
    for function in functions:
        alter = f"ALTER FUNCTION {function.sql}"
        if function.security_definer and function.sql not in definers:
            why = "whoever calls it has its owner's rights, and nobody has listed it as meant"
            yield Finding("listed SECURITY DEFINER", function.sql, why, f"{alter} SECURITY INVOKER")
        if function.security_definer and not function.search_path_fixed:
            why, remedy = (
                "its caller chooses which tables it means",
                f"{alter} SET search_path = pg_catalog, pg_temp",
            )
            yield Finding("fixed search_path", function.sql, why, remedy)
        if function.leakproof:
            why = "it is shown rows before the policies are asked"
            yield Finding("no LEAKPROOF", function.sql, why, f"{alter} NOT LEAKPROOF")
