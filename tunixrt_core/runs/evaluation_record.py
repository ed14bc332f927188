"""The record of an evaluation in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tunixrt_core.runs.record import RunStatus

Target = Literal["base", "tuned"]
TARGETS: tuple[Target, ...] = ("base", "tuned")
# how a model is asked: as the run renders a row, or in its own chat template with a plain instruction
PromptForm = Literal["run", "own"]
# the models of a run with their prompt, and their names in results
Side = Literal["base", "base_own", "tuned"]
SIDES: Mapping[Side, str] = {"base": "base", "base_own": "base, own prompt", "tuned": "tuned"}


@dataclass(frozen=True, slots=True)
class EvalRecord:
    """One evaluation of one target of a run. `train_step` is None for the base model."""

    id: str
    run_id: str
    target: Target
    status: RunStatus
    directory: str
    created_at: datetime
    metrics: Mapping[str, Any] = field(default_factory=dict)
    ended_at: datetime | None = None
    message: str = ""
    train_step: int | None = None
    setup: Mapping[str, Any] = field(default_factory=dict)  # EvalSetup.to_dict()

    @property
    def prompt(self) -> PromptForm:
        """How the model was asked."""
        return "own" if self.setup.get("prompt") == "own" else "run"

    @property
    def side(self) -> Side:
        """The model with its prompt."""
        return "base_own" if self.target == "base" and self.prompt == "own" else self.target
