"""The product, held to what it promises, on a real PostgreSQL with the real roles."""
