"""Setup of an evaluation: eval set, sampling, number of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.runs.evaluation_record import PromptForm
from tunixrt_core.training.trainer import GREEDY, Sampling
from tunixrt_core.util.hashing import content_hash

OWN_PROMPT_VERSION = 1
"""Of the instruction and the plain text in evaluation.own_prompt: another version means other answers."""


@dataclass(frozen=True, slots=True)
class EvalSetRef:
    """The evaluated rows. `sha256` is over the rows themselves, so that equal sets are equal at any path."""

    kind: Literal["split", "file"]
    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSetup:
    """The setup of an evaluation: those with the same hash have the same rows and settings.

    `prompt` is `own` where a base model is asked in its own chat template, with a plain instruction.
    """

    eval_set: EvalSetRef
    max_new_tokens: int
    samples: int = 1
    sampling: Sampling = GREEDY
    prompt: PromptForm = "run"

    @property
    def hash(self) -> str:
        """The hash of everything that affects the answers, so without the name of the eval set."""
        version = {"own_prompt_version": OWN_PROMPT_VERSION} if self.prompt == "own" else {}
        return content_hash({**self.to_dict(), **version, "eval_set": self.eval_set.sha256})

    def to_dict(self) -> dict[str, Any]:
        """Without `prompt` where it is the run's: setups from before it could be chosen are equal to these."""
        found = asdict(self)
        if self.prompt == "run":
            del found["prompt"]
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvalSetup:
        return cls(
            eval_set=EvalSetRef(**data["eval_set"]),
            max_new_tokens=data["max_new_tokens"],
            samples=data["samples"],
            sampling=Sampling(**data["sampling"]),
            prompt=data.get("prompt", "run"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRequest:
    """A user's request for an evaluation. Raises InvalidEvaluation for invalid values.

    `checkpoint` is `last`, `best` or a train step, of the tuned model. Without `eval_file` the eval split of the run's
    data is used, with `limit` its first rows; `eval_columns` maps columns of the file (column -> field).
    `max_new_tokens`: None for the length of the longest row trained on. No `scorers` means all that need no setting.
    With `own_prompt` a base model answers every row once more, asked in its own chat template.
    """

    checkpoint: str = "last"
    eval_file: Path | None = None
    eval_columns: Mapping[str, str] | None = None
    limit: int | None = None
    samples: int = 1
    sampling: Sampling = GREEDY
    max_new_tokens: int | None = None
    scorers: tuple[str, ...] = ()
    own_prompt: bool = True

    def __post_init__(self) -> None:
        for name in ("limit", "samples", "max_new_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidEvaluation(f"{name} is {value}. Set it to at least 1.")
        if self.samples > 1 and self.sampling.greedy:
            raise InvalidEvaluation(
                f"samples is {self.samples}, but greedy answers to a prompt are all the same. "
                "Set it to 1, or set a temperature above 0."
            )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "eval_file": str(self.eval_file) if self.eval_file else None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvalRequest:
        """The request of a `to_dict`. Raises InvalidEvaluation naming a value of the wrong type."""
        try:
            return msgspec.convert(data, cls, dec_hook=lambda kind, value: kind(value))
        except (msgspec.ValidationError, TypeError) as error:
            raise InvalidEvaluation(f"The request of an evaluation cannot be read ({error}). Evaluate again.") from None
