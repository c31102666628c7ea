"""The database: who a statement speaks for, where it goes, and in which transaction.

principal   who: one tenant or the platform, the actor, and what tells PostgreSQL so
routing     where: the pools of each application, and which application is in force
unit        the unit of work: one principal, one connection, one transaction, one set of rows
messages    one message: the context in front of it, and what its failure means
peewee      the Peewee database every model is bound to; it works through the unit in force
parameters  the tenant in force as a bound parameter
rows        what a query read belongs to the unit that read it
login       how a connection is made, greeted, and refused when its role is too strong
owner       the owner's connection, for migrations
"""

from app.database.login import server
from app.database.owner import OwnerDatabase, owner_connection
from app.database.parameters import TENANT_IN_FORCE
from app.database.peewee import Database, db
from app.database.principal import Principal
from app.database.routing import (
    MAX_WAITING,
    Databases,
    application,
    choose,
    databases_in_force,
    find_application,
)
from app.database.unit import Unit, begin_request, current_unit, principal_in_force, unit_in_force

__all__ = [
    "MAX_WAITING",
    "TENANT_IN_FORCE",
    "Database",
    "Databases",
    "OwnerDatabase",
    "Principal",
    "Unit",
    "application",
    "begin_request",
    "choose",
    "current_unit",
    "databases_in_force",
    "db",
    "find_application",
    "owner_connection",
    "principal_in_force",
    "server",
    "unit_in_force",
]
