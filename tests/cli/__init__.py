"""The commands, as somebody at a shell sees them."""
