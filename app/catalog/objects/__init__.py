"""The kinds of objects a schema is made of: how each is read, made, changed and dropped."""

from app.catalog.objects.access import Access
from app.catalog.objects.attributes import Default, Identity, NotNull
from app.catalog.objects.base import Key, Object, same_but_name
from app.catalog.objects.columns import Column
from app.catalog.objects.comments import Comment
from app.catalog.objects.constraints import Constraint
from app.catalog.objects.functions import Function
from app.catalog.objects.indexes import Index
from app.catalog.objects.schemas import Enum, Schema
from app.catalog.objects.security import ForcedRowSecurity, Policy, RowSecurity
from app.catalog.objects.sequences import Ownership, Sequence
from app.catalog.objects.tables import Table
from app.catalog.objects.triggers import Trigger
from app.catalog.objects.views import View

__all__ = [
    "KINDS",
    "Access",
    "Column",
    "Comment",
    "Constraint",
    "Default",
    "Enum",
    "ForcedRowSecurity",
    "Function",
    "Identity",
    "Index",
    "Key",
    "NotNull",
    "Object",
    "Ownership",
    "Policy",
    "RowSecurity",
    "Schema",
    "Sequence",
    "Table",
    "Trigger",
    "View",
    "same_but_name",
]

KINDS: tuple[type[Object], ...] = (
    Schema,
    Enum,
    Sequence,
    Function,
    Table,
    Column,
    Default,
    NotNull,
    Identity,
    Constraint,
    Ownership,
    Index,
    View,
    Trigger,
    RowSecurity,
    ForcedRowSecurity,
    Policy,
    Access,
)
"""Comments are read last, because they may be on any of these."""
