"""The bases of every model, and what they are declared with."""

from app.models.bases import BaseModel, Model, SoftDeleteModel, concrete_models
from app.models.declarations import TenantForeignKey, check, index, unique

__all__ = [
    "BaseModel",
    "Model",
    "SoftDeleteModel",
    "TenantForeignKey",
    "check",
    "concrete_models",
    "index",
    "unique",
]
