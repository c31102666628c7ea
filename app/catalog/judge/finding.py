"""One thing that is not as it should be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: what, where, why it matters, and the SQL that mends it.

    Advice is worth a thought, and no reason to fail.
    """

    rule: str
    where: str
    why: str
    remedy: str
    advice: bool = False
