"""Predictions by row, and the folder of an evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tunixrt_core.evaluation.sets.setup import EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.atomic import write_json
from tunixrt_core.util.processes import process_alive

if TYPE_CHECKING:
    from tunixrt_core.evaluation.sets.leaks import Leaks


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer of a model to one row, and its scores by scorer name (None: no score).

    `row` is the place of the row in the eval set, `sample` counts the answers to one row; both from 0.
    """

    id: str
    prompt: str
    reference: str
    output: str
    answer: str | None
    scores: Mapping[str, float | None]
    tokens: int
    hit_limit: bool
    row: int = 0
    sample: int = 0
    verdicts: Mapping[str, str] = field(default_factory=dict)  # a label beside a score, such as `timeout`
    groups: Mapping[str, str] = field(default_factory=dict)
    system: str | None = None  # of the row; None: the manifest's
    conversation: Mapping[str, Any] = field(default_factory=dict)  # around the prompt, as in the JSON form of a trace

    @property
    def correct(self) -> bool:
        return self.scores["exact_match"] == 1.0


@dataclass(frozen=True, slots=True)
class EvalState:
    """The state of an evaluation: the content of its `state.json`, rewritten at every change."""

    status: RunStatus = RunStatus.QUEUED
    phase: str = ""  # loading, compiling, generating, scoring
    done: int = 0  # answers
    total: int = 0
    compiles: int = 0  # shapes compiled so far
    message: str = ""
    process: str = ""  # processes.this_process() of the process that runs it
    started_at: float | None = None  # Unix seconds
    ended_at: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvalState:
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(**{**known, "status": RunStatus(known.get("status", RunStatus.INTERRUPTED))})


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSpec:
    """The definition of an evaluation: model, rows, settings and scorers. The content of `spec.json`."""

    target: Target
    train_step: int | None  # of the checkpoint; None for the base model
    setup: EvalSetup
    scorers: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its folder, the same for the same model with the same rows and settings."""
        model = self.target if self.train_step is None else f"{self.target}-{self.train_step}"
        return f"{model}-{self.setup.hash[:8]}"

    def to_dict(self) -> dict[str, Any]:
        plain = {"target": self.target, "train_step": self.train_step, "scorers": list(self.scorers)}
        return {**plain, "setup": self.setup.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvalSpec:
        return cls(
            target=data["target"],
            train_step=data["train_step"],
            setup=EvalSetup.from_dict(data["setup"]),
            scorers=tuple(data["scorers"]),
        )


class EvalDir:
    """The folder of one evaluation: `spec.json` first, `predictions.jsonl` batch by batch, `summary.json` last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, record: EvalRecord) -> EvalDir:
        """The folder of a record."""
        return cls(Path(record.directory))

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def predictions_file(self) -> Path:
        return self.path / "predictions.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def leaks_file(self) -> Path:
        """The file of eval rows that the run was trained on: `Leaks.to_dict()`."""
        return self.path / "leaks.json"

    @property
    def stop_file(self) -> Path:
        """The stop request: its existence stops the evaluation, from another process too."""
        return self.path / "stop"

    def predictions(self) -> list[Prediction]:
        """Every prediction written so far, in the order of the eval set; an incomplete last line is left out."""
        found = [_prediction(line) for line in self._lines()]
        return sorted(found, key=lambda p: (p.row, p.sample))

    def keep_whole_lines(self) -> None:
        """Remove an incomplete last line of the file, so that a resume can append to it."""
        lines = self._lines()
        if self.predictions_file.exists():
            os.truncate(self.predictions_file, sum(len(line) + 1 for line in lines))

    def rewrite(self, predictions: Iterable[Prediction]) -> None:
        """Replace all predictions atomically."""
        fresh = self.predictions_file.with_suffix(".tmp")
        fresh.write_bytes(b"".join(prediction_line(p) for p in predictions))
        os.replace(fresh, self.predictions_file)

    def spec(self) -> EvalSpec | None:
        loaded = _read_json(self.spec_file)
        return None if loaded is None else EvalSpec.from_dict(loaded)

    def summary(self) -> dict[str, Any] | None:
        return _read_json(self.summary_file)

    def leaks(self) -> Leaks | None:
        """The eval rows that the run was trained on; None where they were not searched for (yet)."""
        from tunixrt_core.evaluation.sets.leaks import Leaks

        loaded = _read_json(self.leaks_file)
        return None if loaded is None else Leaks.from_dict(loaded)

    def state(self) -> EvalState | None:
        """The state; interrupted where the process that ran it is gone. None where it never began."""
        loaded = _read_json(self.state_file)
        if loaded is None:
            return None
        state = EvalState.from_dict(loaded)
        if not state.status.over and state.process and not process_alive(state.process):
            return replace(state, status=RunStatus.INTERRUPTED, message="Its process ended; evaluate again to resume.")
        return state

    def write_state(self, state: EvalState) -> None:
        write_json(self.state_file, state.to_dict())

    def _lines(self) -> Sequence[bytes]:
        try:
            return self.predictions_file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []


def prediction_line(prediction: Prediction) -> bytes:
    """The line of predictions.jsonl."""
    data = asdict(prediction)
    if not prediction.conversation:
        del data["conversation"]
    return orjson.dumps(data) + b"\n"


_FIELDS = frozenset(f.name for f in fields(Prediction))


def _prediction(line: bytes) -> Prediction:
    data = orjson.loads(line)
    return Prediction(**{name: value for name, value in data.items() if name in _FIELDS})


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        loaded: dict[str, Any] = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return loaded
