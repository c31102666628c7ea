"""What a WSGI server serves: `gunicorn wsgi:app`, `flask run`."""

import sys

from flask.cli import NoAppException

from app import create_app
from app.errors import ConfigurationError

try:
    app = create_app()
except ConfigurationError as error:
    # `flask --help` says this much without a traceback, and goes on without the app's commands
    if sys.argv[1:] in ([], ["--help"]):
        raise NoAppException(error.message) from None
    raise
