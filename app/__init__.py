"""FixApp: a multi-tenant backend."""
