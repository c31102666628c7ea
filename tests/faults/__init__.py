"""A small kit of real faults: a frozen server, a killed one, a network that misbehaves, a ledger."""
