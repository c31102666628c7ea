"""The bases of every model, and what they are declared with."""

from app.models.bases import BaseModel, Model, SoftDeleteModel, concrete_models
from app.models.compiled import Compiled, Row, to_come, value_of, without_values
from app.models.declarations import TenantForeignKey, check, index, policy, unique
from app.models.schema import schema

__all__ = [
    "BaseModel",
    "Compiled",
    "Model",
    "Row",
    "SoftDeleteModel",
    "TenantForeignKey",
    "check",
    "concrete_models",
    "index",
    "policy",
    "schema",
    "to_come",
    "unique",
    "value_of",
    "without_values",
]
