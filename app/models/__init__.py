"""The bases of every model, and what they are declared with."""

from app.models.bases import BaseModel, Model, SoftDeleteModel, concrete_models
from app.models.declarations import TenantForeignKey, check, index, policy, unique
from app.models.pages import page_of_rows
from app.models.prepared import Prepared, Row, parameter, parameter_of
from app.models.schema import schema

__all__ = [
    "BaseModel",
    "Model",
    "Prepared",
    "Row",
    "SoftDeleteModel",
    "TenantForeignKey",
    "check",
    "concrete_models",
    "index",
    "page_of_rows",
    "parameter",
    "parameter_of",
    "policy",
    "schema",
    "unique",
]
