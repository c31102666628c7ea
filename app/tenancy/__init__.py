"""Entering a unit of work: what a request, a job, a command and a test all do, the same way.

    with tenant_scope(tenant, actor="user:42"):
        RCA.create(title="Pump leaks", …)

A scope is entered once, around a unit of work, and cannot be swapped from inside. Threads,
tasks and the consumers of generators do not inherit it. There is no default and no "all
tenants": outside any scope a statement is refused before it is sent.
"""

from app.tenancy.jobs import for_each_tenant
from app.tenancy.scope import Identified, Scope, current_tenant, in_scope, platform_scope, tenant_scope
from app.tenancy.stream import Stream, stream

__all__ = [
    "Identified",
    "Scope",
    "Stream",
    "current_tenant",
    "for_each_tenant",
    "in_scope",
    "platform_scope",
    "stream",
    "tenant_scope",
]
