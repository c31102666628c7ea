"""Migrations that are judged before they count."""

from app.catalog import Finding, judge
from app.errors import MigrationError
from app.migrate import MigrationDatabase

# the SECURITY DEFINER functions that are meant to be, as "app.audit(uuid)"
DEFINERS: frozenset[str] = frozenset()


class JudgedDatabase(MigrationDatabase):
    """The owner's database, which takes no file that leaves it worse than it was.

    A table without its policies is not committed: not even for a moment can anybody use it.
    A file without a transaction is refused too, but what it did before that stays.
    """

    _known: frozenset[Finding] = frozenset()

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Connect, and remember what was wrong before."""
        connected = bool(super().connect(reuse_if_open=reuse_if_open))
        self._known = self._findings()
        return connected

    def inspect(self, name: str) -> None:
        """Raise MigrationError for a fault that was not there before; its file is taken back."""
        faults = sorted(self._findings() - self._known, key=str)
        if faults:
            lines = "; ".join(f"{fault.where}: {fault.why} ({fault.remedy})" for fault in faults)
            what = f"{name} breaks the rules of this database: {lines}"
            raise MigrationError(what=what, remedy="Fix the file and run again")

    def _findings(self) -> frozenset[Finding]:
        found = judge(self, self.settings.db_user, definers=DEFINERS)
        return frozenset(finding for finding in found if not finding.advice)
