"""Predictions by row, and their file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import orjson

from tunixrt_core.errors import BrokenFile
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.regular import open_regular


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
        return self.scores.get("exact_match") == 1.0


def prediction_line(prediction: Prediction) -> bytes:
    """The line of predictions.jsonl."""
    data = asdict(prediction)
    if not prediction.conversation:
        del data["conversation"]
    return orjson.dumps(data) + b"\n"


def read_predictions(file: Path) -> list[Prediction]:
    """Every prediction written so far, in the order of the eval set; a line that is none is left out."""
    found = [each for line in _lines(file) if (each := _prediction(line)) is not None]
    return sorted(found, key=lambda p: (p.row, p.sample))


def write_predictions(file: Path, predictions: Iterable[Prediction]) -> None:
    """Replace all predictions atomically."""
    write_atomic(file, b"".join(prediction_line(p) for p in predictions))


def keep_whole_lines(file: Path) -> None:
    """Remove lines that are no prediction, such as an incomplete last one, so that a resume can append."""
    lines = _lines(file)
    if any(_prediction(line) is None for line in lines):
        write_predictions(file, read_predictions(file))
    elif file.exists():
        os.truncate(file, sum(len(line) + 1 for line in lines))


def _lines(file: Path) -> Sequence[bytes]:
    try:
        with open_regular(file) as handle:
            return handle.read().split(b"\n")[:-1]
    except (OSError, BrokenFile):
        return []


def _prediction(line: bytes) -> Prediction | None:
    """None for a line that is no prediction."""
    try:
        return msgspec.json.decode(line, type=Prediction)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
