"""What comes in and what goes out."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import Length, OneOf

from app.http import PageQuery, ResponseSchema
from app.rcas.models import STATUSES


class RCASchema(ResponseSchema):
    """An analysis as its tenant sees it."""

    id = fields.UUID(dump_only=True)
    title = fields.String(required=True, validate=Length(1, 255))
    issue_description = fields.String(required=True, validate=Length(1, 100_000))
    equipment_type = fields.String(allow_none=True, validate=Length(1, 100))
    status = fields.String(validate=OneOf(STATUSES))
    created_at = fields.AwareDateTime(dump_only=True)
    updated_at = fields.AwareDateTime(dump_only=True)


class RCAChangeSchema(RCASchema):
    """What may be changed of an analysis: any part of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(partial=True, **options)


class RCAQuery(PageQuery):
    """Which analyses a list shows."""

    status = fields.String(validate=OneOf(STATUSES))
    equipment_type = fields.String(validate=Length(1, 100))
