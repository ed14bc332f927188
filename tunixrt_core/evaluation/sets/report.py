"""Report of an eval file: counts, groups and bad rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tunixrt_core.datasets.eval_files.columns import MAX_GROUP_CHARS, Asked
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.ingest.report import MAX_ERRORS_KEPT, RowError
from tunixrt_core.traces.trace import normalise_prompt
from tunixrt_core.util.hashing import content_hash

MAX_GROUPS = 50
_NAMED = 3


@dataclass(frozen=True, slots=True)
class EvalFileReport:
    """`read` counts all rows read, `rows` those to evaluate. `errors` keeps the first 1,000 rejected ones.

    `columns` is field -> column; `groups` holds the grouping columns with the number of rows of each value.
    """

    file: str
    container: str
    format: str
    columns: Mapping[str, str]
    read: int
    rows: int
    duplicate: int
    rejected: int
    groups: Mapping[str, Mapping[str, int]]
    errors: tuple[RowError, ...]

    @property
    def balanced(self) -> bool:
        """True when all rows read are accounted for. False is a bug."""
        return self.read == self.rows + self.duplicate + self.rejected

    def check(self) -> None:
        """Raise InvalidEvaluation, naming the first three rejected rows, where there are any."""
        if not self.rejected:
            return
        named = "\n".join(f"  {error}" for error in self.errors[:_NAMED])
        raise InvalidEvaluation(
            f"{self.rejected:,} of the {self.read:,} rows of {self.file} cannot be used, so nothing is evaluated. "
            f"The first:\n{named}\nFix or remove them; `tunixrt doctor eval {self.file}` shows them all.",
            details={"rejected": self.rejected, "errors": [error.to_dict() for error in self.errors]},
        )

    def to_dict(self) -> dict[str, Any]:
        errors = [error.to_dict() for error in self.errors]
        return asdict(self) | {"errors": errors, "balanced": self.balanced}


class Kept:
    """The rows so far, each once; a repeated row is counted, a contradicting one is rejected."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._by_id: dict[str, tuple[int, Asked]] = {}
        self._by_prompt: dict[tuple[str, str | None, str], tuple[int, Asked]] = {}
        self._groups = _Groups()
        self.rows: list[Asked] = []
        self.read = self.duplicate = self.rejected = 0
        self.errors: list[RowError] = []

    def add(self, line: int, asked: Asked, names: Mapping[str, str]) -> bool:
        """False where the row is rejected: another row has its id, or has its prompt with another answer.

        `names` are the columns of id and expected answer, for the message.
        """
        self.read += 1
        talk = asked.conversation.to_dict()
        task = (normalise_prompt(asked.prompt), asked.system, content_hash(talk) if talk else "")
        if asked.id is not None and (twin := self._by_id.get(asked.id)):
            if twin[1] != asked:
                return self._refuse(line, names.get("id", "id"), f"{asked.id!r} is the id of line {twin[0]} too")
            self.duplicate += 1
        elif twin := self._by_prompt.get(task):
            if twin[1].reference != asked.reference:
                reason = f"is not that of line {twin[0]}, which has the same prompt"
                return self._refuse(line, names.get("expected_answer", "expected_answer"), reason)
            self._note(line, asked)
            self.duplicate += 1
        else:
            self._note(line, asked)
            self._by_prompt[task] = (line, asked)
            self.rows.append(asked)
            self._groups.see(asked.scalars)
        return True

    def reject(self, line: int, field: str, reason: str) -> None:
        self.read += 1
        self._refuse(line, field, reason)

    def groups(self) -> dict[str, dict[str, int]]:
        """The grouping columns: value -> rows, the most frequent first."""
        return self._groups.found()

    def _note(self, line: int, asked: Asked) -> None:
        if asked.id is not None:
            self._by_id[asked.id] = (line, asked)

    def _refuse(self, line: int, field: str, reason: str) -> bool:
        self.rejected += 1
        if len(self.errors) < MAX_ERRORS_KEPT:
            self.errors.append(RowError(self._file, line, field, reason))
        return False


class _Groups:
    """Values of each possible grouping column: few, short, and some of them repeated."""

    def __init__(self) -> None:
        self._values: dict[str, Counter[str]] = {}
        self._free: set[str] = set()  # columns of free text, and of too many values

    def see(self, scalars: Mapping[str, str]) -> None:
        for name, value in scalars.items():
            if name in self._free:
                continue
            counts = self._values.setdefault(name, Counter())
            counts[value] += 1
            if len(counts) > MAX_GROUPS or len(value) > MAX_GROUP_CHARS or "\n" in value:
                self._free.add(name)
                del self._values[name]

    def found(self) -> dict[str, dict[str, int]]:
        return {
            name: dict(counts.most_common())
            for name, counts in self._values.items()
            if 2 <= len(counts) < counts.total()
        }


def groups_of(asked: Asked, columns: Sequence[str]) -> dict[str, str]:
    """The row's values of the grouping columns, without those that it does not have."""
    return {name: asked.scalars[name] for name in columns if name in asked.scalars}
