"""The settings: read once, validated whole, frozen."""

from app.config.reader import ROOT, read_settings
from app.config.schema import SECRETS, Settings, SettingsSchema

__all__ = ["ROOT", "SECRETS", "Settings", "SettingsSchema", "read_settings"]
