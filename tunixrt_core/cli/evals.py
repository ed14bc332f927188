"""`tunixrt evals`: list, compare and rank evaluations; scorers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, open_home
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import evaluations as terminal_eval
from tunixrt_core.cli.show.terminal import err

evals_app = typer.Typer(no_args_is_help=True, help="List, compare and rank evaluations, and list the scorers.")

Metric = Annotated[str, typer.Option("--scorer", help="Scorer to use; `tunixrt evals scorers` lists them.")]


@evals_app.command("list")
def list_(
    run: Annotated[str | None, typer.Argument(help="Only evaluations of this run.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List evaluations, newest first."""
    with open_home(home) as pipeline:
        found = pipeline.evaluations.records(run)
    if as_json:
        print_json({"evaluations": found})
    else:
        terminal_eval.show_evaluations(found)


@evals_app.command()
def compare(
    first: Annotated[str, typer.Argument(help="Id of an evaluation, as `tunixrt evals list` shows it.")],
    second: Annotated[str, typer.Argument(help="Id of the evaluation to compare with it.")],
    scorer: Metric = "exact_match",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare two evaluations row by row, on the rows that both have answered."""
    with open_home(home) as pipeline:
        found = pipeline.evaluations.compare(first, second, scorer)
    if as_json:
        print_json(found)
    else:
        terminal_eval.show_comparison(first, second, found)


@evals_app.command()
def board(
    scorer: Metric = "exact_match",
    dataset: Annotated[str | None, typer.Option(help="Only runs on this dataset.")] = None,
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only evaluations made at this time (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only evaluations made at this time (UTC) or earlier.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Print one leaderboard per eval set: only evaluations of the same prompts are ranked together."""
    with open_home(home) as pipeline:
        found = pipeline.evaluations.leaderboard(
            scorer, dataset=dataset, model=model, since=_utc(since), until=_utc(until)
        )
    if as_json:
        print_json(found)
        return
    for each in found.boards:
        terminal_eval.show_board(each, scorer)
    if not found.boards:
        err.print("No finished evaluation has this score.")


@evals_app.command()
def scorers(as_json: AsJson = False) -> None:
    """List the scorers for `tunixrt evaluate --scorer`."""
    from tunixrt_core.evaluation.scorers.known import known_scorers

    if as_json:
        print_json({"scorers": known_scorers()})
    else:
        terminal_eval.show_scorers(known_scorers())


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
