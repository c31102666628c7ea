"""The migrator under fire."""
