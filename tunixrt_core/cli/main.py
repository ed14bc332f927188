"""The `tunixrt` command: its subcommands, and errors as sentences."""

from __future__ import annotations

from typing import Annotated

import typer

from tunixrt_core import __version__
from tunixrt_core.cli.lazy import Entry, lazy_group
from tunixrt_core.cli.output import standard_output
from tunixrt_core.errors import TunixRTError
from tunixrt_core.util.actors import Actor, find_actors_by, system_user

_HERE = "tunixrt_core.cli"
COMMANDS = {
    "ingest": Entry(f"{_HERE}.ingest:ingest", "Import traces into the database. Exits with 1 if a row was rejected."),
    "traces": Entry(f"{_HERE}.traces:traces_app", "Find, read, judge, compare and delete traces."),
    "dataset": Entry(f"{_HERE}.datasets:dataset_app", "Build and inspect dataset versions."),
    "export": Entry(
        f"{_HERE}.datasets:export",
        "Write a dataset version as a file. The same version always gives the same bytes.",
    ),
    "manifest": Entry(f"{_HERE}.manifest:manifest_app", "Write a run manifest, or a script from one."),
    "preflight": Entry(
        f"{_HERE}.preflight:preflight",
        "Check a manifest before it runs; needs no database. Exits with 1 if something blocks the start.",
    ),
    "memory": Entry(
        f"{_HERE}.memory:memory",
        "Compute the memory of one train step per device; loads no weights. Exits with 1 if it does not fit.",
    ),
    "slices": Entry(
        f"{_HERE}.memory:slices",
        "Compare TPU slices for a manifest: fit, bound and chip-hours. Exits with 1 if none fits.",
    ),
    "train": Entry(
        f"{_HERE}.train:train", "Run a manifest in this process, or several on a Ray cluster; needs no database."
    ),
    "launch": Entry(
        f"{_HERE}.launch:launch",
        "Write a SkyPilot task, GKE or KubeRay manifest or gcloud script for a run, and explain it. Starts nothing.",
    ),
    "runs": Entry(f"{_HERE}.runs:runs_app", "List, show, tag, archive, stop, save, resume, clone and compare runs."),
    "evaluate": Entry(
        f"{_HERE}.evaluate:evaluate",
        "Compare the base and the tuned model's answers to the eval split, or to a file; needs no database.",
    ),
    "evals": Entry(f"{_HERE}.evals:evals_app", "List, compare and rank evaluations, and list the scorers."),
    "ask": Entry(f"{_HERE}.ask:ask", "Ask a run's base and tuned models one question; needs no database."),
    "export-model": Entry(
        f"{_HERE}.export:export_model",
        "Write the tuned model, or its LoRA, as a Hugging Face directory, and check it; needs no database.",
    ),
    "models": Entry(f"{_HERE}.models:models_app", "List the models of this home, and download others."),
    "db": Entry(f"{_HERE}.db:db_app", "Back up, check and restore the database."),
    "doctor": Entry(
        f"{_HERE}.doctor:doctor_app",
        "Check this machine: versions, device, home, database. Exits with 1 if something required is missing.",
    ),
    "users": Entry(
        f"{_HERE}.users:users_app", "Make, list and revoke access tokens of users, to read only or to write."
    ),
    "audit": Entry(
        f"{_HERE}.audit:audit", "Show who started, stopped, deleted, imported or exported what, the newest first."
    ),
    "demo": Entry(
        f"{_HERE}.demo:demo",
        "Fill a home of its own with two real runs of the bundled example, to look at in the dashboard.",
    ),
    "serve": Entry(
        f"{_HERE}.serve:serve",
        "Start the dashboard and its JSON API on one port. An option overrides its environment variable.",
    ),
}

app = typer.Typer(cls=lazy_group(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    """Entry point: errors become a sentence and exit code 1, or 75 if a retry can succeed."""
    find_actors_by(lambda: Actor(system_user(), "command"))
    with standard_output():
        try:
            app(prog_name="tunixrt")
        except TunixRTError as error:
            from tunixrt_core.cli.common import fail

            fail(str(error), retryable=error.retryable)
        except OSError as error:
            from tunixrt_core.cli.common import fail
            from tunixrt_core.util.files.space import unwritable

            if not (why := unwritable(None, error)):
                raise
            fail(why)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def tunixrt(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From step-by-step reasoning traces to a fine-tuned, evaluated model."""
