"""The pool's promises, each on a real server with its fault injected for real."""
