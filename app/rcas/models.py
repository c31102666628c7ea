"""A root-cause analysis: what went wrong, with which equipment, and how far its solution is."""

from peewee import SQL, CharField, TextField

from app.models import SoftDeleteModel, check, index

STATUSES = ("open", "investigating", "resolved", "closed")


class RCA(SoftDeleteModel):
    """One problem of one tenant."""

    title = CharField(max_length=255)
    issue_description = TextField()
    equipment_type = CharField(max_length=100, null=True)
    status = CharField(max_length=50, constraints=[SQL("DEFAULT 'open'")])

    class Meta:
        """Listed by age, filtered by status; every index starts with the tenant."""

        indexes = (
            index("tenant_id", "created_at DESC", "id DESC"),
            index("tenant_id", "status"),
            index("tenant_id", "created_at DESC", "id DESC", alive=True),
        )
        constraints = (check("status_valid", f"status IN {STATUSES}"),)
