"""The plan of a run, and what changed since its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.variants import differences
from tunixrt_core.runs.metrics import ChangeMetric, TrainPlan
from tunixrt_core.training.trainer import TrainObserver
from tunixrt_core.tunix_backend.data.batches import TrainBatches
from tunixrt_core.tunix_backend.data.rows import Data
from tunixrt_core.tunix_backend.model.models import LoadedModel, device_name
from tunixrt_core.tunix_backend.train.step.optimizer import Schedule, make_schedule

_JUMP = 1.2  # factor between the learning rates of two train steps that is named


def make_plan(
    manifest: RunManifest, loaded: LoadedModel, data: Data, batches: TrainBatches, total: int, restored: int
) -> TrainPlan:
    """The totals that an observer gets before the first train step."""
    micro_batches = total * manifest.batch.gradient_accumulation
    per_epoch = batches.batches(1)
    slots = sum(batches.plan(k).length * manifest.batch.size for k in range(per_epoch))
    tokens = data.train.tokens
    return {
        "total_train_steps": total,
        "restored_train_step": restored,
        "epochs": batches.epoch(micro_batches),
        "train_rows": len(data.train.rows),
        "eval_rows": len(data.eval.rows),
        "dropped_rows": data.dropped,
        "shortened_rows": data.shortened,
        "row_lengths": list(batches.lengths),
        "row_length": batches.lengths[-1],
        "packing": manifest.batch.packing,
        "rows_per_train_step": len(data.train.rows) * batches.epoch(micro_batches) / total,
        "padding_share": max(0.0, 1 - tokens / slots),
        "tokens_per_epoch": tokens,
        "trained_tokens_per_epoch": data.train.trained_tokens,
        "trainable_parameters": loaded.trainable_parameters,
        "total_parameters": loaded.total_parameters,
        "vocab_size": loaded.vocab_size,
        "device": device_name(loaded.mesh),
        "mesh": {name: int(size) for name, size in loaded.mesh.shape.items()},
        "lora": manifest.method.adapts,
    }


def plan_lines(plan: TrainPlan, model: str) -> list[str]:
    """The plan as text, for the log."""
    share = plan["trainable_parameters"] / plan["total_parameters"]
    lengths = " or ".join(f"{length:,}" for length in plan["row_lengths"])
    packed = f", {plan['rows_per_train_step']:.1f} rows of the data in a train step" if plan["packing"] else ""
    lines = [
        f"Model: {model}, {plan['total_parameters']:,} parameters, {share:.1%} of them trained.",
        f"Device: {plan['device']}, mesh fsdp {plan['mesh']['fsdp']} x tp {plan['mesh']['tp']}.",
        f"Data: {plan['train_rows']:,} train rows and {plan['eval_rows']:,} eval rows, in batches of rows of {lengths} "
        f"tokens{packed}, {plan['padding_share']:.1%} of them padding.",
    ]
    if plan["dropped_rows"]:
        lines.append(f"{plan['dropped_rows']:,} rows are longer than max_seq_length and were left out.")
    if plan["shortened_rows"]:
        lines.append(f"{plan['shortened_rows']:,} rows lost steps from their middle to fit into max_seq_length.")
    if plan["restored_train_step"]:
        lines.append(f"Resumes after train step {plan['restored_train_step']:,}, from its checkpoint.")
    return lines


def tell_changes(
    observer: TrainObserver, manifest: RunManifest, before: Mapping[str, Any], schedule: Schedule, restored: int
) -> None:
    """Report the values that differ from those that the checkpoint was trained with; earlier ones do not say."""
    if "manifest" not in before:
        return
    try:
        old = RunManifest.from_dict(before["manifest"])
    except InvalidManifest as error:
        observer.log(f"The manifest of the checkpoint cannot be compared: {error}.")
        return
    # the content of the data file is pinned by its hash, wherever it is now
    found = {each.key: each.values for each in differences([old, manifest]) if each.key != "data.path"}
    if not found:
        return
    change = ChangeMetric(train_step=restored, changes=found)
    observer.record(change)
    observer.log(f"From train step {restored + 1:,} on, the manifest is another one: {change.words}.")
    last = float(make_schedule(old, before["total_train_steps"])(restored - 1))
    rate = float(schedule(restored))
    if not 1 / _JUMP < rate / last < _JUMP:
        observer.log(
            f"The learning rate changes from {last:.3g} in train step {restored:,} to {rate:.3g} in the next one: "
            + (
                "the schedule starts again there."
                if any(each.after == restored for each in manifest.schedule.extensions)
                else "the schedule is that of the whole run as it is planned now."
            )
        )
