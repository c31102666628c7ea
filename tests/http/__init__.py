"""Around each request."""
