"""`tunixrt dataset build`: a dataset spec frozen as the next version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tunixrt_core.cli.common import Home, open_home
from tunixrt_core.cli.filters import (
    MaxLength,
    MaxScore,
    MaxSteps,
    MinLength,
    MinScore,
    MinSteps,
    Model,
    Score,
    Source,
    Tags,
)
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import BrokenFile, InvalidDataset, UnreadableFile
from tunixrt_core.util.files.regular import read_text
from tunixrt_core.util.files.yaml import MOST_BYTES, NotYaml, load_yaml

_GATE_HELP = (
    f"GATE=off|warn|exclude, with settings after commas: near_duplicate=exclude,threshold=0.9. Gates: "
    f"{', '.join(GATES)}; all=warn sets every one. Repeatable."
)


def dataset_build(
    name: Annotated[str | None, typer.Argument(help="Name of the dataset. Default: the name in the spec.")] = None,
    spec_file: Annotated[
        Path | None, typer.Option("--spec", help="Dataset spec, YAML or JSON. Options override its values.")
    ] = None,
    source: Source = None,
    model: Model = None,
    text: Annotated[str | None, typer.Option(help="Only traces that match this text search.")] = None,
    tag: Tags = None,
    correct: Annotated[
        bool | None, typer.Option("--correct/--incorrect", help="Only traces with a correct, or an incorrect answer.")
    ] = None,
    negatives: Annotated[
        str | None, typer.Option(help="Traces that their file or a person calls wrong or rejected: exclude or include.")
    ] = None,
    score: Score = None,
    min_score: MinScore = None,
    max_score: MaxScore = None,
    min_steps: MinSteps = None,
    max_steps: MaxSteps = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    after: Annotated[
        str | None, typer.Option(help="Only traces stored on or after this date (UTC), such as 2026-11-24.")
    ] = None,
    before: Annotated[str | None, typer.Option(help="Only traces stored before this date (UTC).")] = None,
    selection: Annotated[
        str | None, typer.Option(help="Selection: all, latest, random, stratified, top, best, shortest or budget.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Number of traces, for latest, random, stratified and top.")] = None,
    by: Annotated[
        str | None, typer.Option(help="Stratified: source, model or meta.KEY. Top, best, budget: name of a score.")
    ] = None,
    allocation: Annotated[str | None, typer.Option(help="Stratified: proportional or equal.")] = None,
    budget: Annotated[int | None, typer.Option(help="Maximum estimated tokens, for selection budget.")] = None,
    tokens: Annotated[
        str | None, typer.Option(help="How the budget's tokens are estimated: bytes (by four) or words.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the split and of a random selection. Default: 0.")] = None,
    eval_share: Annotated[
        float | None, typer.Option(help="Share of the prompts in the eval split, from 0 to below 1. Default: 0.1.")
    ] = None,
    dedupe: Annotated[
        str | None, typer.Option(help="none keeps all traces; prompt keeps one trace per prompt.")
    ] = None,
    split_by: Annotated[
        str | None, typer.Option(help="What is never split between train and eval: prompt or near_duplicate.")
    ] = None,
    gate: Annotated[list[str] | None, typer.Option(help=_GATE_HELP)] = None,
    eval_file: Annotated[
        Path | None, typer.Option(help="Check the train rows for the prompts of this eval file (any readable format).")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Freeze a selection of traces as the next version of a dataset."""
    from tunixrt_core.datasets.eval_files.prompts import EvalFile

    given = {
        "name": name,
        "source": source,
        "model": model,
        "text": text,
        "tags": tag,
        "correct": correct,
        "negatives": negatives,
        "score": score,
        "min_score": min_score,
        "max_score": max_score,
        "min_steps": min_steps,
        "max_steps": max_steps,
        "min_length": min_length,
        "max_length": max_length,
        "after": after,
        "before": before,
        "selection": selection,
        "limit": limit,
        "by": by,
        "allocation": allocation,
        "budget": budget,
        "tokens": tokens,
        "seed": seed,
        "eval_share": eval_share,
        "dedupe": dedupe,
        "split_by": split_by,
    }
    spec = _spec(spec_file, given, gate or [], compares=eval_file is not None)
    with open_home(home) as rt, terminal.progress() as bar:
        task = bar.add_task(spec.name, total=None, note="")

        def show(phase: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None, note=phase)

        built = rt.datasets.build(spec, eval_file=EvalFile.at(eval_file) if eval_file else None, on_progress=show)
        outcomes = rt.datasets.gates(built.name, built.version)
        reasons = built.left_out or {}
        negative_rows = rt.datasets.negatives(built.name, built.version)
    if as_json:
        counts = {"left_out": sum(reasons.values()), "left_out_reasons": reasons, "negatives": len(negative_rows)}
        print_json({**built.to_dict(), **counts, "gates": outcomes})
        return
    say_version(built)
    if negative := reasons.get("negative example", 0):
        out.print(f"{negative:,} negative examples were left out. Include them with --negatives include.")
    if others := [f"{reason} {number:,}" for reason, number in reasons.items() if reason != "negative example"]:
        out.print(f"Traces left out otherwise: {', '.join(others)}.")
    if negative_rows:
        out.print(f"{len(negative_rows):,} rows are negative examples: wrong, unwanted or rejected.")
    if outcomes:
        terminal.table(
            ("Gate", "Action", "Checked", "Found"), [(o.gate, o.action, o.checked, o.rows) for o in outcomes]
        )


def say_version(version: DatasetVersion) -> None:
    out.print(
        f"{version.name} v{version.version}: {version.train_rows:,} train + {version.eval_rows:,} eval rows, "
        f"sha256 {version.content_hash}"
    )


def _spec(path: Path | None, given: Mapping[str, Any], gates: Sequence[str], *, compares: bool) -> DatasetSpec:
    fields = _from_file(path) if path else {}
    fields |= {key: value for key, value in given.items() if value is not None}
    known = fields.get("gates")
    chosen = {**(known if isinstance(known, Mapping) else {}), **read_gates(gates)}
    if compares and "contamination" not in chosen:
        chosen["contamination"] = "warn"
    if chosen:
        fields["gates"] = chosen
    return DatasetSpec.from_dict(fields)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        loaded = load_yaml(read_text(path, most=MOST_BYTES, follow=True))
    except FileNotFoundError:
        raise UnreadableFile(f"{path}: there is no such file. Name another one.") from None
    except BrokenFile as error:
        raise UnreadableFile(f"{path}: {error.reason}. Name another one.") from None
    except NotYaml as error:
        raise InvalidDataset(f"spec: {path} is not YAML ({error}).") from None
    if not isinstance(loaded, dict):
        raise InvalidDataset(f"spec: {path} must hold an object of fields such as `name` and `gates`.")
    return {str(key): value for key, value in loaded.items()}


def read_gates(said: Sequence[str]) -> dict[str, Any]:
    """Parse `["near_duplicate=exclude,threshold=0.9"]` into the gates of a spec. Raises InvalidDataset."""
    made: dict[str, Any] = {}
    for one in said:
        name, equals, rest = one.partition("=")
        action, *settings = rest.split(",")
        if not equals or not all("=" in setting for setting in settings):
            raise InvalidDataset(f"gates: {one!r} is not GATE=ACTION or GATE=ACTION,SETTING=VALUE.")
        try:
            values = {key.strip(): load_yaml(value) for key, _, value in (s.partition("=") for s in settings)}
        except NotYaml as error:
            raise InvalidDataset(f"gates: {one!r} holds a value that cannot be read ({error}).") from None
        for gate in GATES if name == "all" else [name]:
            made[gate] = {"action": action.strip(), **values}
    return made
