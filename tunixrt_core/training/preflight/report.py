"""Preflight results: rows as tokens, totals and findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, Literal, get_args

from tunixrt_core.errors import PreflightFailed
from tunixrt_core.training.estimates.memory import MemoryNeed
from tunixrt_core.training.preflight.checks import CHECKS

Pick = Literal["longest", "shortest", "random", "worst"]
PICKS: tuple[Pick, ...] = get_args(Pick)

MOST_NAMED = 100  # rows that a finding names; it counts all of them


class Severity(StrEnum):
    BLOCKING = "blocking"
    WARNING = "warning"


class Fate(StrEnum):
    """What happens to a row."""

    KEPT = "kept"
    SHORTENED = "shortened"  # steps were dropped from its middle
    LEFT_OUT = "left_out"  # too long
    EMPTY = "empty"  # nothing in it to train on


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `code` is one of CHECKS; `rows` are numbers in the data file, from 1, and `row_count` counts them all.

    `keys` are the keys of the manifest that it concerns. `allowed`: it would block, but the user allowed it.
    """

    code: str
    severity: Severity
    message: str
    advice: str = ""
    rows: tuple[int, ...] = ()
    row_count: int = 0
    keys: tuple[str, ...] = ()
    allowed: bool = False

    @property
    def sentence(self) -> str:
        return f"{self.message} {self.advice}".strip()


def blocking(code: str, message: str, advice: str = "", **more: Any) -> Finding:
    return Finding(code, Severity.BLOCKING, message, advice, **more)


def warning(code: str, message: str, advice: str = "", **more: Any) -> Finding:
    return Finding(code, Severity.WARNING, message, advice, **more)


def about_rows(numbers: Collection[int]) -> dict[str, Any]:
    """The `rows` and `row_count` of a finding."""
    return {"rows": tuple(sorted(numbers)[:MOST_NAMED]), "row_count": len(numbers)}


def many(numbers: Sized, one: str, other: str) -> str:
    """`1 row holds` or `12 rows hold`."""
    return f"{len(numbers):,} {one if len(numbers) == 1 else other}"


@dataclass(frozen=True, slots=True)
class TokenView:
    """One token of a row. `text` is its part of the rendered text.

    `part` is `prompt`, `format`, `step` or `answer`, or in a conversation `message` or `reply`, an earlier turn that is
    trained on; `step` is its number from 1 where it is one. `special`: a control token. `trained`: the loss counts it.
    `cut`: it is in the data, but not in the trainer's rows.
    """

    id: int
    text: str
    part: str
    step: int | None = None
    special: bool = False
    trained: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class RowView:
    """A row as the trainer will see it, with what was cut from it in its place. `length` is that of the whole row."""

    number: int
    split: str
    fate: Fate
    length: int
    trained: int
    dropped_steps: int
    tokens: tuple[TokenView, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the trainer will see. Tokens and rows of the batch are those of one epoch; shares are from 0 to 1."""

    rows: int
    train_rows: int  # that are trained on
    eval_rows: int
    rows_left_out: int
    rows_shortened: int
    rows_empty: int
    answers_cut: int
    longest: int
    shortest: int
    mean: float
    tokens: int
    trained_tokens: int
    masked_tokens: int
    padding_share: float
    packed_rows: int  # rows of the batch; fewer than train_rows where rows are packed
    batch_lengths: tuple[int, ...]  # in tokens; each is compiled once
    train_steps: int
    epochs: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Token lengths of all rows, before anything is cut: bin i counts the rows from edges[i] to below edges[i + 1]."""

    edges: tuple[int, ...]
    train: tuple[int, ...]
    eval: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """What a length policy would do to the train rows."""

    policy: str
    kept_whole: int
    shortened: int
    left_out: int
    trained_tokens: int


@dataclass(frozen=True, slots=True)
class Preflight:
    """The result. `checked` are the codes of the checks that were made: without a finding they passed.

    `totals`, `histogram` and `policies` are missing where the rows could not be encoded; a finding says why.
    """

    manifest_hash: str
    findings: tuple[Finding, ...] = ()
    checked: tuple[str, ...] = ()
    totals: Totals | None = None
    histogram: Histogram | None = None
    policies: tuple[PolicyEffect, ...] = ()
    picks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # row numbers, the most informative first
    views: tuple[RowView, ...] = ()
    memory: MemoryNeed | None = None  # of one train step, from config.json; None if the device's memory is unknown
    seconds: float = 0.0

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.BLOCKING)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def passed(self) -> tuple[str, ...]:
        """Codes of the checks that found nothing."""
        found = {finding.code for finding in self.findings}
        return tuple(code for code in self.checked if code not in found)

    def allowing(self, codes: Iterable[str]) -> Preflight:
        """With the blocking findings of these codes as warnings."""
        allowed = set(codes)
        findings = tuple(
            replace(finding, severity=Severity.WARNING, allowed=True)
            if finding.severity is Severity.BLOCKING and finding.code in allowed
            else finding
            for finding in self.findings
        )
        return replace(self, findings=findings)

    def require(self) -> None:
        """Raises PreflightFailed with the sentences of the blocking findings, where there are any."""
        if not (found := self.blocking):
            return
        raise PreflightFailed(
            f"{counted(found)}: {' '.join(finding.sentence for finding in found)}",
            details={"findings": [to_dict(finding) for finding in found]},
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the fields, and `passed`."""
        out: dict[str, Any] = to_dict(self)
        return out | {"passed": list(self.passed)}

    def summary(self) -> dict[str, Any]:
        """The part that is stored with a run: all but the rows that were shown."""
        return {key: value for key, value in self.to_dict().items() if key not in ("picks", "views")}


def counted(found: Sequence[Finding]) -> str:
    """`1 check blocks training`."""
    return f"{len(found)} check{'s block' if len(found) != 1 else ' blocks'} training"


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Blocking ones first, each kind in the order of CHECKS."""
    places = {code: place for place, code in enumerate(CHECKS)}
    return tuple(sorted(findings, key=lambda f: (f.severity is not Severity.BLOCKING, places[f.code])))


def to_dict(value: Any) -> Any:
    """Dataclasses, tuples and enumerations as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_dict(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_dict(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_dict(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value
