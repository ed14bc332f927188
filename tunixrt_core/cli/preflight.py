"""`tunixrt preflight`: rows as the trainer sees them, and all findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tunixrt_core.cli.common import Home, fail, foreground
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.manifest.manifest import RunManifest, load_manifest
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.training.execution import run_folder_of
from tunixrt_core.training.preflight.checks import CHECKS
from tunixrt_core.training.preflight.report import (
    PICKS,
    Finding,
    Histogram,
    Preflight,
    RowView,
    Severity,
    TokenView,
    Totals,
    counted,
    to_dict,
)

Allow = Annotated[
    list[str] | None, typer.Option("--allow", help="Code of a finding that must not block the start; repeatable.")
]

_STYLES = {"prompt": "dim", "message": "dim", "reply": "magenta", "format": "cyan", "step": "blue", "answer": "green"}
_BARS = 20  # lines of the histogram
_BAR_WIDTH = 50
_NAMED = 10  # rows that a finding lists


def preflight(
    manifest_file: Annotated[Path, typer.Argument(help="Manifest, YAML or JSON.")],
    rows: Annotated[str | None, typer.Option(help=f"Show a row: {', '.join(PICKS)}.")] = None,
    row: Annotated[int | None, typer.Option(min=1, help="Show the row on this line of the data file.")] = None,
    allow: Allow = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Check a manifest before it runs; needs no database. Exits with 1 if something blocks the start."""
    if rows is not None and rows not in PICKS:
        raise typer.BadParameter(f"--rows must be one of {', '.join(PICKS)}")
    allowed = check_codes(allow)
    here = foreground(home)
    here.require()
    manifest = load_manifest(manifest_file)
    with terminal.progress() as bar:
        task = bar.add_task("encoding rows", total=manifest.data.rows, note="")
        found = here.preflight(
            manifest,
            run_folder_of(manifest, Path.cwd()),
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        ).allowing(allowed)
    views = _asked_for(here, manifest, found, rows, row)
    if as_json:
        shown = {"views": [to_dict(view) for view in views]} if views else {}
        print_json({**found.to_dict(), **shown})
    else:
        _show(found, views)
    raise typer.Exit(ExitCode.FAILURE if found.blocking else ExitCode.SUCCESS)


def check_codes(allow: Sequence[str] | None) -> tuple[str, ...]:
    """The codes given with --allow. Raises BadParameter for an unknown code."""
    if unknown := [code for code in allow or () if code not in CHECKS]:
        raise typer.BadParameter(f"--allow {unknown[0]}: known codes are {', '.join(CHECKS)}")
    return tuple(allow or ())


def _asked_for(
    here: Foreground, manifest: RunManifest, found: Preflight, pick: str | None, row: int | None
) -> list[RowView]:
    wanted = ([row] if row is not None else []) + list(found.picks.get(pick or "", ())[:1])
    if not wanted or not found.totals:
        return []
    try:
        views = here.preflight_rows(manifest, wanted)
    except InvalidTrace as fault:  # a part of it has no form in the chat format, which is a finding too
        err.print(f"Row {row or wanted[0]:,} cannot be shown. {fault}.", markup=False)
        return []
    if row is not None and not any(view.number == row for view in views):
        fail(f"The data file has no row {row:,}; it has {found.totals.rows:,} rows.")
    return views


def _show(found: Preflight, views: Iterable[RowView]) -> None:
    if found.totals:
        terminal.table(("", ""), list(_totals(found.totals)))
    if found.histogram:
        _histogram(found.histogram)
    if found.policies:
        terminal.table(
            ("too_long", "Kept whole", "Shortened", "Left out", "Trained tokens"),
            [(p.policy, p.kept_whole, p.shortened, p.left_out, p.trained_tokens) for p in found.policies],
            title="Length policies, on the train rows",
        )
    for view in views:
        _row(view)
    for finding in found.findings:
        _finding(finding)
    out.print(f"{len(found.passed)} of {len(found.checked)} checks passed in {found.seconds:.1f} s.")
    if found.blocking:
        err.print(f"{counted(found.blocking)}.", style="bold red")


def _totals(totals: Totals) -> Iterator[tuple[str, str]]:
    yield "Rows", f"{totals.train_rows:,} train and {totals.eval_rows:,} eval of {totals.rows:,}"
    yield "Left out, shortened", f"{totals.rows_left_out:,} too long, {totals.rows_shortened:,} lose steps"
    yield "Nothing trained", f"{totals.rows_empty:,} rows"
    yield "Answers cut", f"{totals.answers_cut:,}"
    yield "Tokens per row", f"{totals.shortest:,} to {totals.longest:,}, {totals.mean:,.0f} on average"
    yield "Tokens per epoch", f"{totals.tokens:,}: {totals.trained_tokens:,} trained, {totals.masked_tokens:,} masked"
    yield "Batches", f"{totals.packed_rows:,} rows of {', '.join(f'{n:,}' for n in totals.batch_lengths)} tokens"
    yield "Padding", f"{totals.padding_share:.1%}"
    yield "Train steps", f"{totals.train_steps:,}, {totals.epochs:g} epochs"


def _histogram(histogram: Histogram) -> None:
    both = [a + b for a, b in zip(histogram.train, histogram.eval, strict=True)]
    join = -(-len(both) // _BARS)
    bins = [(histogram.edges[i], sum(both[i : i + join])) for i in range(0, len(both), join)]
    most = max((count for _, count in bins), default=0) or 1
    out.print("Rows by token length")
    for edge, count in bins:
        out.print(f"{edge:>7,} {'█' * round(count / most * _BAR_WIDTH)} {count:,}")


def _finding(finding: Finding) -> None:
    blocks = finding.severity is Severity.BLOCKING
    label = Text("Blocked " if blocks else "Allowed " if finding.allowed else "Warning ")
    label.stylize("bold red" if blocks else "bold yellow")
    out.print(label + Text(f"[{finding.code}] {finding.sentence}", style="default"))
    if finding.rows:
        more = ", …" if finding.row_count > _NAMED else ""
        out.print(f"        rows {', '.join(f'{n:,}' for n in finding.rows[:_NAMED])}{more}")
    if finding.keys:
        out.print(f"        keys {', '.join(finding.keys)}")


def _row(view: RowView) -> None:
    """A row by its parts, one per line, each with its name, so that colour is not needed."""
    note = f", {view.dropped_steps} steps dropped" if view.dropped_steps else ""
    out.print(
        f"Row {view.number:,} ({view.split}, {view.fate}): {view.length:,} tokens, {view.trained:,} trained{note}"
    )
    for (part, step, cut), group in groupby(view.tokens, key=lambda token: (token.part, token.step, token.cut)):
        name = f"step {step}" if step else part
        line = Text(f"{name + (' (cut)' if cut else ''):>14} │ ")
        for token in group:
            line.append(_token_text(token), style=_style(token))
        out.print(line)


def _token_text(token: TokenView) -> str:
    return token.text.replace("\n", "⏎")


def _style(token: TokenView) -> str:
    style = "red strike" if token.cut else _STYLES[token.part]
    return f"{style} reverse" if token.special else style
