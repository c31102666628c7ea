"""Who may do what: the difference between an object's privileges and those it is born with.

https://www.postgresql.org/docs/current/ddl-priv.html
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours

_NAMESPACE = f"JOIN pg_namespace n ON n.oid = o.%s AND {ours('n')}"
_SOURCES = f"""
SELECT 'pg_class'::regclass::oid, o.oid, 0, CASE o.relkind WHEN 'S' THEN 'SEQUENCE '
    ELSE '' END || o.oid::regclass, '',
       CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", o.relowner, o.relacl,
       ARRAY[CASE o.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
           ELSE 'table' END, o.oid::regclass::text]
FROM pg_class o {_NAMESPACE % "relnamespace"} WHERE o.relkind IN ('r', 'v', 'S')
UNION ALL
SELECT 'pg_class'::regclass, o.oid, a.attnum, o.oid::regclass::text, quote_ident(a.attname), 'c',
    o.relowner, a.attacl,
       CASE o.relkind WHEN 'v' THEN ARRAY['view', o.oid::regclass::text]
           ELSE ARRAY['column', o.oid::regclass::text, quote_ident(a.attname)] END
FROM pg_class o {_NAMESPACE % "relnamespace"} JOIN pg_attribute a ON a.attrelid = o.oid AND NOT a.attisdropped
WHERE o.relkind IN ('r', 'v')
UNION ALL
SELECT 'pg_proc'::regclass, o.oid, 0, 'FUNCTION ' || o.oid::regprocedure, '', 'f', o.proowner, o.proacl,
       ARRAY['function', o.oid::regprocedure::text]
FROM pg_proc o {_NAMESPACE % "pronamespace"}
UNION ALL
SELECT 'pg_type'::regclass, o.oid, 0, 'TYPE ' || o.oid::regtype, '', 'T', o.typowner, o.typacl,
       ARRAY['type', o.oid::regtype::text]
FROM pg_type o {_NAMESPACE % "typnamespace"} WHERE o.typtype = 'e'
UNION ALL
SELECT 'pg_namespace'::regclass, n.oid, 0, 'SCHEMA ' || quote_ident(n.nspname), '', 'n', n.nspowner, n.nspacl,
       ARRAY['schema', quote_ident(n.nspname)]
FROM pg_namespace n WHERE {ours("n")}
"""
_ORDER = "array_position('{SELECT,INSERT,UPDATE,DELETE}', privilege), privilege"


@dataclass(frozen=True, slots=True)
class Access(Object):
    """What one role has been given, or has lost of what it is born with, on one object or column."""

    query: ClassVar[str] = f"""
WITH sources (class, oid, sub, target, part, kind, owner, acl, of) AS ({_SOURCES}),
held AS (
    SELECT class, oid, sub, x.grantee, x.privilege_type AS privilege, x.is_grantable, true AS there
    FROM sources, aclexplode(acl) x),
usual AS (
    SELECT class, oid, sub, x.grantee, x.privilege_type AS privilege, true AS expected
    FROM sources, aclexplode(acldefault(kind, owner)) x WHERE acl IS NOT NULL),
changed AS (
    SELECT * FROM held FULL JOIN usual USING (class, oid, sub, grantee, privilege)
    WHERE there IS NULL OR expected IS NULL)
SELECT 0::oid, s.oid, s.sub, s.of, s.target, s.part,
       CASE c.grantee WHEN 0 THEN 'PUBLIC' WHEN s.owner THEN 'CURRENT_USER' ELSE c.grantee::regrole::text END,
       coalesce(array_agg(privilege ORDER BY {_ORDER}) FILTER (WHERE there), '{{}}'),
       coalesce(array_agg(privilege ORDER BY {_ORDER}) FILTER (WHERE is_grantable), '{{}}'),
       coalesce(array_agg(privilege ORDER BY {_ORDER}) FILTER (WHERE there IS NULL), '{{}}')
FROM changed c JOIN sources s USING (class, oid, sub)
GROUP BY s.class, s.oid, s.sub, s.of, s.target, s.part, s.owner, c.grantee
"""
    kind: ClassVar[str] = "access"
    rank: ClassVar[int] = 90
    of: Key
    on: str
    column: str
    role: str
    granted: tuple[str, ...]
    grantable: tuple[str, ...]
    revoked: tuple[str, ...]

    @property
    def key(self) -> Key:
        """Object, column and role."""
        return (self.kind, self.on, self.column, self.role)

    @property
    def group(self) -> str:
        """The object."""
        return self.on

    @property
    def home(self) -> Key:
        """The object, with which all rights to it go."""
        return self.of

    def create(self) -> list[str]:
        """REVOKE what the object is born with, GRANT the rest."""
        plain = tuple(privilege for privilege in self.granted if privilege not in self.grantable)
        return [
            *self._say("REVOKE", self.revoked),
            *self._say("GRANT", plain),
            *self._say("GRANT", self.grantable, " WITH GRANT OPTION"),
        ]

    def drop(self) -> list[str]:
        """The reverse."""
        return [*self._say("REVOKE", self.granted), *self._say("GRANT", self.revoked)]

    def alter(self, old: Self) -> list[str]:
        """All taken back and given anew, in one transaction."""
        return [*old.drop(), *self.create()]

    def _say(self, verb: str, privileges: tuple[str, ...], end: str = "") -> list[str]:
        part = f" ({self.column})" if self.column else ""
        named = ", ".join(privilege + part for privilege in privileges)
        to = "TO" if verb == "GRANT" else "FROM"
        return [f"{verb} {named} ON {self.on} {to} {self.role}{end}"] if privileges else []
