"""The option --set of commands that build a manifest."""

from __future__ import annotations

from typing import Annotated

import typer

from tunixrt_core.manifest.manifest import HYPERPARAMETERS

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help=f"Hyperparameter, such as learning_rate=2e-4; repeat it. Names: {', '.join(HYPERPARAMETERS)}.",
    ),
]
