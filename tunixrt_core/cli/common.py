"""Shared parts of commands: home option, opening the home, errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.show.terminal import err
from tunixrt_core.errors import NotFound
from tunixrt_core.runs.folder import RUN_ID, RunDir
from tunixrt_core.settings import Settings

if TYPE_CHECKING:
    from tunixrt_core.pipeline.foreground import Foreground
    from tunixrt_core.pipeline.pipeline import Pipeline

Home = Annotated[Path | None, typer.Option("--home", help="Home directory. Default: TUNIXRT_HOME.")]
Limit = Annotated[int, typer.Option(help="Maximum number of lines.")]
RunName = Annotated[str, typer.Argument(help="Run id, or the folder of a run.")]
RunId = Annotated[str, typer.Argument(help="Run id, as `tunixrt runs list` shows it.")]

EvalMap = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="Map a field to a column of the eval file: field=column, such as expected_answer=gold. "
        "Fields: prompt, expected_answer, id, system. Repeatable.",
    ),
]


def fail(message: str, *, retryable: bool = False) -> NoReturn:
    """Print an error and exit with code 1, or with RETRY if the same command can succeed later."""
    err.print(f"Error: {message}", style="bold red")
    raise SystemExit(ExitCode.RETRY if retryable else ExitCode.FAILURE)


def settings_of(home: Path | None) -> Settings:
    environ = {**os.environ, **({"TUNIXRT_HOME": str(home)} if home else {})}
    return Settings.from_env(environ)


def open_home(home: Path | None) -> Pipeline:
    from tunixrt_core.pipeline.pipeline import open_pipeline

    return open_pipeline(settings_of(home))


def foreground(home: Path | None) -> Foreground:
    from tunixrt_core.pipeline.foreground import Foreground

    return Foreground(settings_of(home))


def run_folder(run: str, settings: Settings) -> RunDir:
    """The folder of a run, by its id in the home or by its path. Raises NotFound."""
    if RUN_ID.fullmatch(run) and os.path.lexists(settings.runs_dir / run):  # a broken one too
        return RunDir(settings.runs_dir.resolve() / run)
    for path in (settings.runs_dir / run, Path(run)):
        if os.path.lexists(path / "manifest.yaml"):
            return RunDir(path.resolve())
    raise NotFound("run", run, "`tunixrt runs list` lists the runs of this home; a run's folder works too.")
