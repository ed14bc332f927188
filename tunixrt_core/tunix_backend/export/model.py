"""A run's tuned model as a verified Hugging Face directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ExportError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import public_name
from tunixrt_core.manifest.sections import Method, Remat
from tunixrt_core.training.model_export import ExportCheck, ExportLayout, ExportReport, ModelExportOptions
from tunixrt_core.tunix_backend.export.adapter import write_adapter
from tunixrt_core.tunix_backend.export.adapter_reading import read_adapter, write_adapted
from tunixrt_core.tunix_backend.export.companions import copy_model_files, copy_tokenizer, write_generation_config
from tunixrt_core.tunix_backend.export.folder import appears_whole, refuse_existing, scratch_beside
from tunixrt_core.tunix_backend.export.proof import (
    Outputs,
    compare,
    outputs_of,
    outputs_of_files,
    proof_prompts,
    tolerance_of,
)
from tunixrt_core.tunix_backend.export.shards import WrittenFiles, base_tensors, write_shards
from tunixrt_core.tunix_backend.export.torch_proof import READER, torch_outputs, why_not
from tunixrt_core.tunix_backend.export.weights import TrainedWeights
from tunixrt_core.tunix_backend.model.configs.reading import read_architecture
from tunixrt_core.tunix_backend.model.files.checkpoints import restore_weights
from tunixrt_core.tunix_backend.model.models import load_model, make_mesh, resolve_model
from tunixrt_core.util.files.atomic import write_json


@dataclass(frozen=True, slots=True)
class _Job:
    """One export: the request, its source, and the prompts that it is checked on."""

    manifest: RunManifest
    options: ModelExportOptions
    models_dir: Path
    base: Path
    prompts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class _Said:
    """The data of the trained model that is kept once its weights are written: its train step and outputs."""

    train_step: int
    outputs: Outputs


def export_model(
    manifest: RunManifest,
    checkpoints: Path,
    target: Path,
    *,
    models_dir: Path,
    options: ModelExportOptions,
    card: Callable[[ExportReport], str],
    on_phase: Callable[[str], None] = lambda phase: None,
) -> ExportReport:
    """Write the model of the last checkpoint to `target`: merged, with the base's names, shapes and types, or its LoRA.

    The directory appears complete, and only after its logits were compared with the trained model's; `card` writes its
    README. Raises OutputError where `target` exists or cannot be written, ExportError where there is no matching
    checkpoint, where the layout cannot represent the trained weights or where the export does not match the trained
    model, ModelError for the base model and for a requested check that cannot run.
    """
    refuse_existing(target)
    _refuse_layout(manifest, options.layout)
    unchecked = why_not(options.layout, options.transformers)
    on_phase("loading")
    prompts = proof_prompts(manifest, models_dir)
    job = _Job(_without_remat(manifest), options, models_dir, resolve_model(manifest.model.id, models_dir), prompts)
    with appears_whole(target) as folder:
        written, said = _write(job, checkpoints, folder, on_phase)
        on_phase("checking")
        checks = [_check(job, folder, target, written.dtype, said)]
        if not unchecked:
            checks.append(_check_with_torch(job, folder, written.dtype, said))
        report = ExportReport(
            path=target,
            layout=options.layout,
            train_step=said.train_step,
            dtype=written.dtype,
            files=written.files,
            bytes=written.bytes,
            prompts=len(job.prompts),
            tokens=sum(len(prompt) for prompt in job.prompts),
            checks=tuple(checks),
            not_checked={READER[options.layout]: unchecked} if unchecked else {},
        )
        write_json(folder / "export.json", report.to_dict())
        (folder / "README.md").write_text(card(report), encoding="utf-8")
    return report


def _refuse_layout(manifest: RunManifest, layout: ExportLayout) -> None:
    if layout is ExportLayout.MERGED or manifest.method is Method.LORA:
        return
    why = (
        "trained all weights, so there is no LoRA to write"
        if manifest.method is Method.FULL
        else "trained its LoRA on quantised weights, and on the base model's original weights the outputs would differ"
    )
    raise ExportError(f"The run {why}. Export it merged.")


def _without_remat(manifest: RunManifest) -> RunManifest:
    """There is no backward pass to recompute layers for, and routers in such layers could not note their scores."""
    return manifest.model_copy(update={"model": manifest.model.model_copy(update={"remat": Remat.NONE})})


def _write(job: _Job, checkpoints: Path, folder: Path, on_phase: Callable[[str], None]) -> tuple[WrittenFiles, _Said]:
    """Fill the folder from the last checkpoint. The trained model is released on return, its logits are kept."""
    manifest = job.manifest
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        loaded = load_model(manifest, job.models_dir, mesh, trains=True)
        step = restore_weights(loaded.model, checkpoints, lora=manifest.method.adapts)
        said = _Said(step, outputs_of(loaded, job.prompts))
    on_phase("writing")
    weights = TrainedWeights(loaded.model, manifest.lora.alpha / manifest.lora.rank)
    own = Path(manifest.tokenizer.path).expanduser() if manifest.tokenizer.path else None
    chat = manifest.rendering.chat
    copy_tokenizer(job.base, own, chat, folder)
    if job.options.layout is ExportLayout.PEFT:
        name = public_name(manifest.model.id)
        return write_adapter(weights, base_tensors(job.base), manifest.lora, name, folder), said
    copy_model_files(job.base, folder)
    write_generation_config(job.base, own, chat, folder)
    return _write_merged(weights, job.base, folder, job.options.shard_bytes), said


def _write_merged(weights: TrainedWeights, base: Path, folder: Path, shard_bytes: int) -> WrittenFiles:
    """Each tensor in the base's type; one the model does not have (such as a vision tower's) is copied."""

    def value_of(name: str, old: Any) -> Any:
        new = weights.tensor(name)
        if new is not None and new.shape != old.shape:
            raise ExportError(
                f"{name} has the shape {new.shape} in the trained model and {old.shape} in {base}. "
                "The base model has changed since the training. Restore its old files."
            )
        return old if new is None else new.astype(old.dtype)

    written = write_shards(base_tensors(base), value_of, folder, shard_bytes)
    if left := weights.unread():
        raise ExportError(
            f"{len(left)} weights of the trained model are not in the files of {base}, such as {left[0]}. "
            "Nothing was exported; the weights are safe in the run's checkpoints."
        )
    return written


def _check(job: _Job, folder: Path, target: Path, dtype: str, said: _Said) -> ExportCheck:
    """Check by Tunix, from the files alone; an adapter is added to the base in a temporary directory."""
    share = tolerance_of(job.manifest, dtype, read_architecture(job.base).layers)
    if job.options.layout is ExportLayout.MERGED:
        exported = outputs_of_files(job.manifest, folder, job.models_dir, job.prompts, said.outputs)
    else:
        with scratch_beside(target) as scratch:
            kept = job.manifest.model.dtype.value  # the type of the computation, so that nothing is rounded before it
            write_adapted(read_adapter(folder), job.base, kept, scratch, job.options.shard_bytes)
            exported = outputs_of_files(job.manifest, scratch, job.models_dir, job.prompts, said.outputs)
    return compare("tunix", said.outputs, exported, share)


def _check_with_torch(job: _Job, folder: Path, dtype: str, said: _Said) -> ExportCheck:
    layout = job.options.layout
    exported = torch_outputs(layout, folder, job.base, job.prompts, said.outputs.scores)
    share = tolerance_of(job.manifest, dtype, read_architecture(job.base).layers, other_code=True)
    return compare(READER[layout], said.outputs, exported, share)
