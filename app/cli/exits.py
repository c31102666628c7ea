"""Errors at a shell: printed without a traceback, each with its exit code.

Codes above 64 are those of sysexits(3): 75 try again later, 78 the settings are wrong.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from app import errors
from app.errors import AppError

_EXIT_CODES: dict[type[AppError], int] = {
    errors.ConfigurationError: 78,
    errors.UnsafeRoleError: 78,
    errors.PoolTooLargeError: 78,
    errors.NotOwnerError: 78,
    errors.DatabaseUnavailableError: 3,
    errors.MigrationLockedError: 75,
    errors.MigrationBlockedError: 75,
}
_WRAPPED = "reports_errors"


class _Shown(click.ClickException):
    """An error as click prints it and exits with it."""

    def __init__(self, error: AppError) -> None:
        super().__init__(error.message)
        self.exit_code = exit_code(error)  # type: ignore[misc] # click reads it from the instance


def exit_code(error: AppError) -> int:
    """The exit code of an error; 1 where none is fixed for its kind."""
    return next((_EXIT_CODES[kind] for kind in type(error).__mro__ if kind in _EXIT_CODES), 1)


def as_click_error(error: AppError) -> click.ClickException:
    """The same error as click prints and exits with it."""
    return _Shown(error)


def report_errors(group: click.Group) -> None:
    """Have every command of a group, and of the groups in it, end so; may be called again."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            report_errors(command)
        elif command.callback and not hasattr(command.callback, _WRAPPED):
            command.callback = _reporting(command.callback)


def _reporting(callback: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(callback)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except AppError as error:
            raise as_click_error(error) from error

    setattr(reporting, _WRAPPED, True)
    return reporting
