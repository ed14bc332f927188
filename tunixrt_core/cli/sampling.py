"""Sampling options of commands that generate text."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from tunixrt_core.runs.evaluation_record import TARGETS, Target

TargetName = Annotated[str, typer.Option(help="Model to use: base, tuned or both.")]
Temperature = Annotated[float, typer.Option(min=0, help="Sampling temperature; 0 takes the most likely token.")]
TopP = Annotated[float, typer.Option(help="Sample from the fewest tokens whose probabilities add up to this.")]
TopK = Annotated[int | None, typer.Option(help="Sample from this many most likely tokens.")]
Seed = Annotated[int, typer.Option(help="Seed of the sampling; the same seed gives the same answers.")]
MaxNewTokens = Annotated[
    int | None, typer.Option(min=1, help="Maximum tokens per answer. Default: those of the longest trained row.")
]


def targets_of(name: str) -> tuple[Target, ...]:
    """The models that `--target` names; raises BadParameter for any other word."""
    if name not in (*TARGETS, "both"):
        raise typer.BadParameter("--target must be base, tuned or both")
    return TARGETS if name == "both" else (cast(Target, name),)
