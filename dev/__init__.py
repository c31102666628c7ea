"""The development server: everything `make run` needs on a machine that has Python and make."""

# Exit codes of sysexits.h: a service is not available; settings are wrong.
UNAVAILABLE = 69
MISCONFIGURED = 78


class DevError(Exception):
    """A step failed; the message names the culprit and the remedy."""

    def __init__(self, message: str, exit_code: int = UNAVAILABLE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
