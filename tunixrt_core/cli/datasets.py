"""`tunixrt dataset` and `tunixrt export`: versions and their files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunixrt_core.cli.build import dataset_build, say_version
from tunixrt_core.cli.common import Home, open_home
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.datasets.gates.findings import GateOutcome
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.export.writers import left_out_words
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import SPLITS, Split

if TYPE_CHECKING:
    from tunixrt_core.datasets.gates.why import FindingView

DatasetName = Annotated[str, typer.Argument(help="Dataset name.")]
DatasetNumber = Annotated[int | None, typer.Option("--version", help="Number of the version. Default: the latest.")]

dataset_app = typer.Typer(no_args_is_help=True, help="Build and inspect dataset versions.")


dataset_app.command("build")(dataset_build)


@dataset_app.command("list")
def dataset_list(
    name: Annotated[str | None, typer.Argument(help="Only versions of this dataset.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List dataset versions, newest first."""
    with open_home(home) as rt:
        versions = rt.datasets.versions(name)
        missing = {(each.name, each.version): each for each in rt.datasets.missing() if name in (None, each.name)}
    if as_json:
        print_json({"versions": versions, **({"missing": list(missing.values())} if missing else {})})
        return
    terminal.table(
        ("Dataset", "Version", "Train", "Eval", "sha256"),
        [(v.name, v.version, v.train_rows, v.eval_rows, v.content_hash[:12]) for v in versions],
        empty="No dataset versions yet: `tunixrt dataset build NAME` makes one of the traces.",
    )
    for version in versions:
        if hole := missing.get((version.name, version.version)):
            err.print(f"{version.label}: {hole.missing_words}", style="yellow")


@dataset_app.command("show")
def dataset_show(name: DatasetName, version: DatasetNumber = None, as_json: AsJson = False, home: Home = None) -> None:
    """Print the counts, the hash and the spec of a version. `--spec` builds it again from its spec."""
    with open_home(home) as rt:
        found = rt.datasets.get(name, version)
        missing = rt.datasets.missing_of(found)
    if as_json:
        print_json({**found.to_dict(), **({"missing": missing} if missing else {})})
        return
    say_version(found)
    if missing:
        err.print(missing.missing_words, style="yellow")
    out.print(f"frozen {found.created_at:%Y-%m-%d %H:%M} UTC, parent {found.parent or '–'}\n")
    out.print(found.spec.to_yaml().rstrip())


@dataset_app.command("rows")
def dataset_rows(
    name: DatasetName,
    version: DatasetNumber = None,
    split: Annotated[str | None, typer.Option(help="Split: train or eval.")] = None,
    limit: Annotated[int, typer.Option(help="Number of rows to print.")] = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Print the first rows of a version."""
    if split not in (None, *SPLITS):
        raise typer.BadParameter("must be train or eval", param_hint="--split")
    with open_home(home) as rt:
        rows = list(islice(rt.datasets.rows(name, version, split), limit))
    if as_json:
        print_json({"rows": [{"split": side, "id": trace.content_hash, "trace": trace} for trace, side in rows]})
        return
    terminal.table(
        ("Split", "Trace", "Steps", "Prompt", "Answer"),
        [
            (side, trace.content_hash[:12], len(trace.steps), _flat(trace.prompt, 60), _flat(trace.final_answer, 24))
            for trace, side in rows
        ],
    )


@dataset_app.command("gates")
def dataset_gates(
    name: DatasetName,
    gate: Annotated[str | None, typer.Argument(help="Print the rows that this gate found.")] = None,
    version: DatasetNumber = None,
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason, such as wrong.")] = None,
    limit: Annotated[int, typer.Option(help="Number of rows to print, at most 1,000.")] = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Print the results of a version's gates, or the rows that one gate found, each with its reason."""
    with open_home(home) as rt:
        if gate is None:
            outcomes = rt.datasets.gates(name, version)
            if as_json:
                print_json({"gates": outcomes})
            else:
                _outcomes(outcomes)
            return
        findings = rt.datasets.findings(name, version, gate, reason=reason, limit=limit)
    if as_json:
        print_json({"findings": findings})
        return
    for found in findings:
        _finding(found)


def _outcomes(outcomes: Sequence[GateOutcome]) -> None:
    terminal.table(
        ("Gate", "Version", "Action", "Checked", "Found", "Of these"),
        [(o.gate, o.version, o.action, o.checked, o.rows, _counts(o)) for o in outcomes],
    )


def _finding(found: FindingView) -> None:
    out.print(f"{found.finding.hash[:12]}  {found.words}")
    if found.span:
        out.print(f"    {_flat(f'{found.before}[{found.span}]{found.after}', 200)}")
    if found.differs:
        out.print(f"    {found.finding.detail['other'][:12]}: {_flat(found.differs, 400)}")


@dataset_app.command("diff")
def dataset_diff(
    name: DatasetName,
    before: Annotated[int, typer.Argument(help="Number of the earlier version.")],
    after: Annotated[int, typer.Argument(help="Number of the later version.")],
    limit: Annotated[int, typer.Option(help="Maximum rows to list per kind of change. JSON lists all.")] = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Print the changes between two versions: rows added, removed, moved to the other split, changed."""
    with open_home(home) as rt:
        found = rt.datasets.diff(name, before, after)
    if as_json:
        print_json(found)
        return
    out.print(
        f"{name} v{before} -> v{after}: {len(found.added):,} added, {len(found.removed):,} removed, "
        f"{len(found.moved):,} moved, {len(found.changed):,} changed, {found.kept:,} kept"
    )
    lines = [
        *(f"+ {one}" for one in found.added[:limit]),
        *(f"- {one}" for one in found.removed[:limit]),
        *(f"> {one}" for one in found.moved[:limit]),
        *(f"~ {old} -> {new}" for old, new in found.changed[:limit]),
    ]
    for line in lines:
        out.print(line)


@dataset_app.command("card")
def dataset_card(name: DatasetName, version: DatasetNumber = None, as_json: AsJson = False, home: Home = None) -> None:
    """Print the dataset card of a version as Markdown."""
    with open_home(home) as rt:
        card = rt.datasets.card(name, version)
    if as_json:
        print_json({"card": card})
    else:
        out.print(card.rstrip())


def _flat(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _counts(outcome: GateOutcome) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in outcome.counts.items())


def export(
    name: DatasetName,
    dataset_version: Annotated[
        int | None, typer.Option("--version", help="Number of the version. Default: the latest.")
    ] = None,
    format: Annotated[str, typer.Option(help=", ".join(EXPORT_FORMATS))] = "tunix_sft",
    file_type: Annotated[str, typer.Option("--as", help="File type: jsonl, jsonl.gz or parquet.")] = "jsonl",
    style: Annotated[str, typer.Option(help=f"How steps are written: {', '.join(ReasoningStyle)}.")] = "tags",
    turns: Annotated[str, typer.Option(help="Prompt and completion as auto, text or messages.")] = "auto",
    reasoning: Annotated[str, typer.Option(help="In messages: in the content, or in a field of its own.")] = "content",
    chat: Annotated[str, typer.Option(help="Chat format of the prompts of grpo; none where not given.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; in the home otherwise.")] = None,
    split: Annotated[Split | None, typer.Option(help="Only the rows of one side: train or eval.")] = None,
    split_files: Annotated[
        bool, typer.Option("--split-files", help="Write train.jsonl and eval.jsonl into the directory --output.")
    ] = False,
    card: Annotated[bool, typer.Option("--card", help="Write a dataset card (README.md) beside it.")] = False,
    module: Annotated[bool, typer.Option("--module", help="With grpo: the module that Tunix's command reads.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a dataset version as a file. The same version always gives the same bytes."""
    if split_files and (split or module):
        other = "--split" if split else "--module"
        raise typer.BadParameter(f"{other} is for one file, --split-files writes two. Choose one.")
    options = ExportOptions.of(style, turns, reasoning, chat)
    with open_home(home) as rt:
        if split_files:
            written = rt.exports.write_split_files(
                name, dataset_version, format=format, folder=output, file_type=file_type, options=options, card=card
            )
            infos = list(written.values())
        else:
            infos = [
                rt.exports.write(
                    name,
                    dataset_version,
                    format=format,
                    path=output,
                    file_type=file_type,
                    options=options,
                    split=split,
                    card=card,
                    module=module,
                )
            ]
    if as_json:
        print_json(written if split_files else infos[0])
        return
    for info in infos:
        out.print(f"{info.path}  {info.rows:,} rows, {info.bytes:,} bytes, sha256 {info.sha256}")
        if info.left_out:
            out.print(f"Left out: {left_out_words(info.left_out)}.")
