"""README of an exported model: origin, training and measurements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tunixrt_core.errors import BrokenFile, NotFound
from tunixrt_core.evaluation.results.pairs import latest_results
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import HubName, parse_model_name, public_name
from tunixrt_core.runs.evaluation_record import SIDES
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import ChangeMetric, EvalMetric, TrainMetric
from tunixrt_core.training.base_model import read_base
from tunixrt_core.training.model_export import ExportCheck, ExportLayout, ExportReport

_PLACES = ("model.id", "tokenizer.path")  # keys of a manifest that may hold a directory


def model_card(manifest: RunManifest, folder: RunDir, report: ExportReport) -> str:
    """Markdown with the head that the Hugging Face hub reads. Names no directory of this machine."""
    base = public_name(manifest.model.id)
    library = "transformers" if report.layout is ExportLayout.MERGED else "peft"
    lines = ["---", f"library_name: {library}", "pipeline_tag: text-generation"]
    lines += [f"base_model: {name.repository}"] if isinstance(name := parse_model_name(base), HubName) else []
    lines += ["---", "", f"# {' '.join(manifest.name.split())}", ""]
    lines += [f"`{base}`, fine-tuned with [Google Tunix](https://github.com/google/tunix) by Tunix RT.", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _facts(manifest, folder, report))]
    lines += ["", "## Evaluation", "", *_evaluation(folder)]
    lines += ["", "## Base model", "", *_base(folder)]
    lines += ["", "## Check of this export", "", *_proof(report)]
    lines += ["", "The license of the base model applies to this model too.", ""]
    return "\n".join(lines)


def _facts(manifest: RunManifest, folder: RunDir, report: ExportReport) -> Iterator[tuple[str, object]]:
    yield "Base model", f"`{public_name(manifest.model.id)}`"
    if manifest.dataset:
        yield "Dataset", f"{manifest.dataset.name} v{manifest.dataset.version}, `{manifest.dataset.content_hash}`"
    yield "Data file", f"{manifest.data.train_rows:,} train and {manifest.data.eval_rows:,} eval rows"
    yield "sha256 of the data file", f"`{manifest.data.sha256}`"
    lora = manifest.lora
    is_lora = manifest.method.adapts
    put = "merged" if report.layout is ExportLayout.MERGED else "alone, in PEFT layout"
    yield "Method", f"LoRA, rank {lora.rank}, alpha {lora.alpha:g}, {put}" if is_lora else "all weights"
    yield "Train steps", f"{report.train_step:,}, {manifest.batch.size} rows each"
    yield "Learning rate", f"{manifest.optimizer.learning_rate:g}"
    for name, kind in (("Train loss", TrainMetric), ("Eval loss", EvalMetric)):
        if (loss := _last_loss(folder, kind, report.train_step)) is not None:
            yield name, f"{loss:.4f}"
    for record in folder.metrics()[0]:
        if isinstance(record, ChangeMetric) and record.train_step <= report.train_step:
            yield f"Changed after train step {record.train_step:,}", _change(record)
    yield "Chat format", manifest.rendering.chat.value
    yield "Reasoning style", manifest.rendering.reasoning.value
    if manifest.rendering.system:
        yield "System prompt", " ".join(manifest.rendering.system.split()).replace("|", "\\|")
    yield "Manifest", f"`{manifest.content_hash}`"


def _change(record: ChangeMetric) -> str:
    """In one cell of the table, with names in place of directories."""
    shown: dict[str, tuple[Any, Any]] = {}
    for key, (before, now) in record.changes.items():
        named = [public_name(value) if value and key in _PLACES else value for value in (before, now)]
        shown[key] = named[0], named[1]
    words = ChangeMetric(train_step=record.train_step, changes=shown).words
    return " ".join(words.split()).replace("|", "\\|")


def _last_loss(folder: RunDir, kind: type[TrainMetric | EvalMetric], train_step: int) -> float | None:
    """The loss at the checkpoint, or the last one before it, in nats per trained token."""
    records = folder.metrics()[0]
    losses = [record.loss for record in records if isinstance(record, kind) and record.train_step <= train_step]
    return losses[-1] if losses else None


def _evaluation(folder: RunDir) -> list[str]:
    found = latest_results(folder.evals)
    scored = ((side, told) for side, told in found.items() if told.get("exact_match") is not None)
    summaries = {side: told for side, told in scored if told.get("rows")}
    if not summaries:
        return ["This run was not evaluated."]
    lines = [
        "Exact match counts answers that are right and in the format of this run; the last column those that are right "
        "in any known form.",
        "",
        "| model | rows | exact match (95 % interval) | right in any form |",
        "|---|---|---|---|",
    ]
    for side, summary in summaries.items():
        low, high = summary.get("exact_match_low", 0.0), summary.get("exact_match_high", 1.0)
        flexible = summary.get("flexible_match")
        shown = "not scored" if flexible is None else f"{flexible:.3f}"
        exact = f"{summary['exact_match']:.3f} ({low:.3f} to {high:.3f})" if side != "base_own" else "not asked for"
        lines.append(f"| {SIDES[side]} | {summary['rows']} | {exact} | {shown} |")
    if "base_own" in summaries:
        lines += ["", "With its own prompt the base was asked in its own chat template, without a format."]
    return lines


def _base(folder: RunDir) -> list[str]:
    """The files that were trained on, so that anybody can tell whether theirs are the same."""
    try:
        base = read_base(folder)
    except (NotFound, BrokenFile):
        return ["The files of the base model were not recorded."]
    lines = ["| file | bytes | sha256 |", "|---|---|---|"]
    lines += [f"| {name} | {mark.size:,} | `{mark.sha256 or 'not computed'}` |" for name, mark in base.files.items()]
    for each in base.replaced:
        lines += ["", f"Another base was accepted at train step {each['train_step']:,}: {'; '.join(each['changed'])}."]
    return lines


def _proof(report: ExportReport) -> list[str]:
    return [
        f"These files were loaded again and compared with the trained model on {report.prompts} prompts of the data "
        f"file ({report.tokens} tokens). Weights: {report.dtype}.",
        "",
        "| read by | largest difference of a logit | allowed | same likeliest next token |",
        "|---|---|---|---|",
        *map(_check, report.checks),
        *(f"| {by} | not checked: {why} | | |" for by, why in report.not_checked.items()),
    ]


def _check(check: ExportCheck) -> str:
    return f"| {check.by} | {check.largest_difference:.2g} | {check.tolerance:.2g} | {check.agreement:.1%} |"
