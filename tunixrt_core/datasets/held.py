"""Dataset versions that list certain traces, with their runs and evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

_NAMED = 5


@dataclass(frozen=True, slots=True)
class HeldRows:
    """A dataset version that lists traces which are deleted, or are about to be.

    `rows` is the number of these; `runs` were made from the version, and `evaluations` ask models of these runs.
    """

    name: str
    version: int
    rows: int
    runs: tuple[str, ...] = ()
    evaluations: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """`mine v2`."""
        return f"{self.name} v{self.version}"

    @property
    def holders(self) -> str:
        """`r-0001, r-0002; 3 evaluations`; empty for a version that nothing was made from."""
        named = ", ".join(self.runs[:_NAMED])
        more = f" and {len(self.runs) - _NAMED} more" if len(self.runs) > _NAMED else ""
        asked = f"; {_counted(len(self.evaluations), 'evaluation')}" if self.evaluations else ""
        return f"{named}{more}{asked}"

    @property
    def missing_words(self) -> str:
        """`3 rows are missing: their traces were deleted. Runs made from it: r-0001; 2 evaluations.`"""
        what = "row is missing: its trace was" if self.rows == 1 else "rows are missing: their traces were"
        held = f" Runs made from it: {self.holders}." if self.runs else " No run was made from it."
        return f"{self.rows:,} {what} deleted.{held}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def held_words(held: Sequence[HeldRows]) -> list[str]:
    """A line for each version: `mine v2 lists 3 of them; runs made from it: r-0001; 2 evaluations`."""
    return [
        f"{each.label} lists {each.rows:,} of them" + (f"; runs made from it: {each.holders}" if each.runs else "")
        for each in held
    ]


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
