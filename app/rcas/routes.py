"""/api/v1/rcas, for tenants. No view names a tenant: the database keeps them apart."""

from typing import Any
from uuid import UUID

from app.http import TenantBlueprint, page_of, paginate
from app.rcas.models import RCA
from app.rcas.schemas import RCAChangeSchema, RCAQuery, RCASchema

blueprint = TenantBlueprint("rcas", __name__, url_prefix="/api/v1/rcas", description="Root-cause analyses")
living = RCA.alive()


@blueprint.route("", methods=["POST"])
@blueprint.arguments(RCASchema())
@blueprint.response(201, RCASchema())
def create(values: dict[str, Any]) -> RCA:
    """Record a problem."""
    rca: RCA = RCA.create(**values)
    return rca


@blueprint.route("", methods=["GET"])
@blueprint.arguments(RCAQuery(), location="query")
@blueprint.response(200, page_of(RCASchema))
def listing(asked: dict[str, Any]) -> dict[str, Any]:
    """List analyses, newest first."""
    return paginate(living, RCASchema, asked)


@blueprint.route("/<uuid:rca_id>", methods=["GET"])
@blueprint.response(200, RCASchema())
def read(rca_id: UUID) -> RCA:
    """Read an analysis."""
    return RCA.find(rca_id)


@blueprint.route("/<uuid:rca_id>", methods=["PATCH"])
@blueprint.arguments(RCAChangeSchema())
@blueprint.response(200, RCASchema())
def change(values: dict[str, Any], rca_id: UUID) -> RCA:
    """Change an analysis."""
    return RCA.change(rca_id, **values)


@blueprint.route("/<uuid:rca_id>", methods=["DELETE"])
@blueprint.response(204)
def delete(rca_id: UUID) -> None:
    """Delete an analysis; it is marked, not removed."""
    RCA.delete_by_id(rca_id)
