"""The tenant in force as a bound parameter: its value is known when the statement is sent.

So a query's text and its parameters are the same for every tenant and may be kept, at module
level for example, and each statement still names the tenant it is sent for.
"""

from typing import Any

from psycopg2.extensions import AsIs, register_adapter

from app.database.unit import current_unit
from app.errors import NoTenantError


class TenantInForce:
    """The parameter that stands for the tenant in force. Raises NoTenantError when there is none."""

    def __repr__(self) -> str:
        return "<the tenant in force>"


TENANT_IN_FORCE = TenantInForce()


def _quoted(_parameter: TenantInForce) -> Any:
    tenant_id = current_unit().principal.tenant_id
    if tenant_id is None:
        raise NoTenantError
    # the text of a uuid.UUID and nothing else: no quoting can go wrong
    return AsIs(f"'{tenant_id}'::uuid")


register_adapter(TenantInForce, _quoted)
