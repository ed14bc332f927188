"""Filters of traces, as options of the commands that select traces."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

Text = Annotated[str, typer.Option(help="Words in prompt, steps or answer.")]
Source = Annotated[str | None, typer.Option(help="Only traces of this source.")]
Model = Annotated[str | None, typer.Option(help="Only traces written by this model.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only traces with this tag. Repeat it to require several tags.")
]
Correct = Annotated[bool | None, typer.Option("--correct/--wrong", help="Only traces with a right, or a wrong answer.")]
Score = Annotated[str | None, typer.Option(help="Only traces with a score of this name.")]
MinScore = Annotated[float | None, typer.Option(help="Minimum score of that name.")]
MaxScore = Annotated[float | None, typer.Option(help="Maximum score of that name.")]
MinSteps = Annotated[int | None, typer.Option(help="Minimum number of steps.")]
MaxSteps = Annotated[int | None, typer.Option(help="Maximum number of steps.")]
MinLength = Annotated[int | None, typer.Option(help="Minimum length in bytes.")]
MaxLength = Annotated[int | None, typer.Option(help="Maximum length in bytes.")]
After = Annotated[datetime | None, typer.Option(help="Only traces stored on or after this date (UTC).")]
Before = Annotated[datetime | None, typer.Option(help="Only traces stored before this date (UTC).")]
