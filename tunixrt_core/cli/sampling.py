"""Sampling options of commands that generate text."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from tunixrt_core.runs.evaluation_record import TARGETS, Target

TargetName = Annotated[str, typer.Option(help="base, tuned or both.")]
Temperature = Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")]
TopP = Annotated[float, typer.Option(help="Draw from the fewest tokens that hold this probability.")]
TopK = Annotated[int | None, typer.Option(help="Draw from this many likeliest tokens.")]
Seed = Annotated[int, typer.Option(help="The same seed draws the same answers.")]
MaxNewTokens = Annotated[
    int | None, typer.Option(min=1, help="Tokens of an answer; those of the longest row trained on otherwise.")
]


def targets_of(name: str) -> tuple[Target, ...]:
    """The models that `--target` names; refuses another word."""
    if name not in (*TARGETS, "both"):
        raise typer.BadParameter("--target is base, tuned or both")
    return TARGETS if name == "both" else (cast(Target, name),)
