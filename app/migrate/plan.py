"""Which files a run takes, decided and refused before the first one starts."""

from app.errors import MigrationError
from app.migrate.files import File


def upwards(files: list[File], done: list[str], to: str | None) -> list[File]:
    """The pending files in order, up to and with `to`. Raises MigrationError."""
    names = [file.name for file in files]
    if to is not None and to not in names:
        what = f"{to!r} is not among the migrations ({', '.join(names) or 'none'})"
        raise MigrationError(what=what, remedy="Name one of them")
    end = len(files) if to is None else names.index(to) + 1
    return [file for file in files[:end] if file.name not in done]


def downwards(files: list[File], done: list[str], count: int, to: str | None) -> list[File]:
    """The files to revert, the latest first. Raises MigrationError."""
    if to is not None and to not in done:
        what = f"{to!r} is not among the applied migrations ({', '.join(done) or 'none'})"
        raise MigrationError(what=what, remedy="Name one of them")
    if to is None and count > len(done):
        what = f"{count} migrations are to be reverted, but only {len(done)} are applied"
        raise MigrationError(what=what, remedy=f"Ask for at most {len(done)}")
    kept = len(done) - count if to is None else done.index(to) + 1
    chosen = [file for name in reversed(done[kept:]) for file in files if file.name == name]
    _refuse_one_way(chosen)
    return chosen


def _refuse_one_way(files: list[File]) -> None:
    one_way = [file.name for file in files if file.load().rollback is None]
    if one_way:
        what = f"{', '.join(one_way)} has no function `rollback`"
        raise MigrationError(what=what, remedy="Write it, or go back to a backup")
