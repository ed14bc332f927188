"""What all commands share: the home option, opening the home, and failing with a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tunixrt_core.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.terminal import err

Home = Annotated[Path | None, typer.Option("--home", help="Directory for everything; TUNIXRT_HOME otherwise.")]


def fail(message: str) -> NoReturn:
    err.print(f"Error: {message}", style="bold red")
    raise SystemExit(1)


def settings_of(home: Path | None) -> Settings:
    environ = {**os.environ, **({"TUNIXRT_HOME": str(home)} if home else {})}
    return Settings.from_env(environ)


def open_home(home: Path | None) -> Pipeline:
    return open_pipeline(settings_of(home))
