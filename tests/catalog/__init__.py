"""The catalog, held to exactness and each rule to its planted fault."""
