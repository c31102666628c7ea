"""What comes in and what goes out."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import Length, OneOf, Regexp

from app.http import PageQuery, ResponseSchema
from app.tenants.models import STATUSES, SUBDOMAIN


class TenantSchema(ResponseSchema):
    """A tenant as the platform sees it."""

    id = fields.UUID(dump_only=True)
    name = fields.String(required=True, validate=Length(1, 255))
    subdomain = fields.String(
        required=True,
        validate=Regexp(rf"{SUBDOMAIN}\Z", error="Lower-case letters, digits and inner hyphens, 1 to 63."),
    )
    status = fields.String(dump_only=True, validate=OneOf(STATUSES))
    settings = fields.Dict(keys=fields.String())
    created_at = fields.AwareDateTime(dump_only=True)
    updated_at = fields.AwareDateTime(dump_only=True)


class TenantChangeSchema(TenantSchema):
    """What may be changed of a tenant: any part of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(partial=True, **options)


class TenantQuery(PageQuery):
    """Which tenants a list shows."""

    status = fields.String(validate=OneOf(STATUSES))
