"""The server of make run, started, killed and shared."""
