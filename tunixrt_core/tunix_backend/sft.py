"""Supervised fine-tuning of one manifest with Tunix's PeftTrainer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
from tunix.sft.peft_trainer import PeftTrainer, TrainingConfig

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.manifest_sections import Method
from tunixrt_core.render import Rendered, render, stop_tokens
from tunixrt_core.rows import Split, read_rows
from tunixrt_core.trainer import TrainObserver, TrainOutcome
from tunixrt_core.tunix_backend.batches import (
    TokenRows,
    TrainBatches,
    encode_rows,
    eval_batches,
    require_rows,
    row_length,
)
from tunixrt_core.tunix_backend.checkpoints import latest_checkpoint, misfit
from tunixrt_core.tunix_backend.loss import mean_loss, model_inputs
from tunixrt_core.tunix_backend.models import LoadedModel, device_name, load_model, make_mesh, resolve_model
from tunixrt_core.tunix_backend.optimizer import make_optimizer, make_schedule
from tunixrt_core.tunix_backend.progress import CheckpointGate, LastMetrics, RunHooks
from tunixrt_core.tunix_backend.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True)
class _Data:
    train: TokenRows
    eval: TokenRows
    length: int
    pad_id: int
    vocab_size: int

    @property
    def dropped(self) -> int:
        return self.train.dropped + self.eval.dropped


class TunixTrainer:
    """trainer.Trainer with Tunix. Models that are named, not given as a directory, live in `models_dir`."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir

    def train(
        self, manifest: RunManifest, run_dir: Path, *, observer: TrainObserver, stop: threading.Event
    ) -> TrainOutcome:
        """Train to the manifest's last train step, or until `stop`, going on from the last checkpoint in `run_dir`.

        Everything of JAX happens in the calling thread. Raises ModelError, TrainingError or OutputError.
        """
        observer.phase("loading")
        data = load_data(manifest, self._models_dir)
        mesh = make_mesh(manifest.mesh, manifest.batch.size)
        with mesh:  # thread-local, and the only way of entering a mesh that Tunix 0.1.7 heeds
            loaded = load_model(manifest, self._models_dir, mesh)
            if data.vocab_size > loaded.vocab_size:
                raise ModelError(
                    f"The tokenizer has {data.vocab_size:,} tokens, the model only {loaded.vocab_size:,}. "
                    "Use the model's own tokenizer."
                )
            return _train(manifest, run_dir / "checkpoints", loaded, data, observer, stop)


def load_data(manifest: RunManifest, models_dir: Path) -> _Data:
    """The manifest's rows as token ids. Raises TrainingError where no train row fits."""
    tokenizer = load_tokenizer(manifest, models_dir)
    # where the chat format has no token that ends a turn, the model must learn to end with the tokenizer's own
    end = () if stop_tokens(manifest.rendering.chat) else (tokenizer.eos_id(),)
    train = encode_rows(_rendered(manifest, "train"), tokenizer, manifest.max_seq_length, end)
    require_rows(train, manifest.max_seq_length)
    evals = encode_rows(_rendered(manifest, "eval"), tokenizer, manifest.max_seq_length, end)
    length = row_length(max(train.longest, evals.longest), manifest.max_seq_length)
    return _Data(train, evals, length, tokenizer.pad_id(), tokenizer.vocab_size)


def load_tokenizer(manifest: RunManifest, models_dir: Path) -> TextTokenizer:
    """The manifest's tokenizer, or the one that lies beside the model."""
    if manifest.tokenizer.path is not None:
        return TextTokenizer(Path(manifest.tokenizer.path).expanduser())
    return TextTokenizer(resolve_model(manifest.model.id, models_dir))


def _rendered(manifest: RunManifest, split: Split) -> Iterator[Rendered]:
    rendering = manifest.rendering
    for row in read_rows(Path(manifest.data.path), split):
        yield render(row.trace, rendering.reasoning, rendering.chat, system=rendering.system)


def _train(
    manifest: RunManifest,
    checkpoints: Path,
    loaded: LoadedModel,
    data: _Data,
    observer: TrainObserver,
    stop: threading.Event,
) -> TrainOutcome:
    size = manifest.batch.size
    batches = TrainBatches(data.train.rows, batch_size=size, length=data.length, seed=manifest.seed, pad_id=data.pad_id)
    total = manifest.total_train_steps(batches.rows)
    schedule = make_schedule(manifest, total)
    metrics = LastMetrics()
    run = RunHooks(
        manifest,
        batches=batches,
        evals=list(eval_batches(data.eval.rows, batch_size=size, length=data.length, pad_id=data.pad_id)),
        model=loaded.model,
        schedule=schedule,
        total=total,
        metrics=metrics,
        observer=observer,
        stop=stop,
    )
    trainer = _peft_trainer(manifest, checkpoints, loaded.model, make_optimizer(manifest, schedule), metrics)
    trainer.checkpoint_manager = CheckpointGate(
        trainer.checkpoint_manager, checkpoints, manifest.cadence.checkpoint_every, run
    )
    trainer.with_data_hooks(run)
    trainer.with_training_hooks(run)
    restored = trainer.train_steps
    run.begin(restored)
    plan = _plan(manifest, loaded, data, total, restored)
    observer.plan(plan)
    _describe(plan, loaded, data, observer)
    try:
        trainer.train([])  # the batches come from the hooks; at its end it saves and closes
    finally:
        trainer.checkpoint_manager.close()
    done = trainer.train_steps
    return TrainOutcome(
        train_step=done,
        stopped=done < total,
        checkpoint=latest_checkpoint(checkpoints),
        train_loss=run.train_loss,
        eval_loss=run.eval_loss,
    )


def _peft_trainer(
    manifest: RunManifest, checkpoints: Path, model: Any, optimizer: Any, metrics: LastMetrics
) -> PeftTrainer:
    """Tunix's trainer, with the last checkpoint of the run already restored into model and optimizer."""
    accumulation = manifest.batch.gradient_accumulation
    config = TrainingConfig(
        eval_every_n_steps=manifest.cadence.eval_every,
        max_steps=None,  # the hooks bound the data; with max_steps Tunix keeps a progress bar that is quadratic
        gradient_accumulation_steps=accumulation if accumulation > 1 else None,
        checkpoint_root_directory=str(checkpoints.absolute()),
        checkpointing_options=ocp.CheckpointManagerOptions(
            save_interval_steps=1,  # CheckpointGate decides
            max_to_keep=manifest.cadence.keep_checkpoints,
            enable_async_checkpointing=False,
        ),
        data_sharding_axis=("fsdp",),
    )
    last = latest_checkpoint(checkpoints)
    try:
        trainer = PeftTrainer(model, optimizer, config, metrics_logger=metrics)
    except (ValueError, KeyError, TypeError) as error:
        if last is None:
            raise
        raise misfit(last, error) from error
    return trainer.with_loss_fn(mean_loss).with_gen_model_input_fn(model_inputs)


def _plan(manifest: RunManifest, loaded: LoadedModel, data: _Data, total: int, restored: int) -> dict[str, Any]:
    rows = len(data.train.rows)
    return {
        "total_train_steps": total,
        "restored_train_step": restored,
        "epochs": total * manifest.batch.size * manifest.batch.gradient_accumulation / rows,
        "train_rows": rows,
        "eval_rows": len(data.eval.rows),
        "dropped_rows": data.dropped,
        "row_length": data.length,
        "tokens_per_epoch": data.train.tokens,
        "trained_tokens_per_epoch": data.train.trained_tokens,
        "trainable_parameters": loaded.trainable_parameters,
        "total_parameters": loaded.total_parameters,
        "device": device_name(loaded.mesh),
        "mesh": {name: int(size) for name, size in loaded.mesh.shape.items()},
        "lora": manifest.method.adapts,
    }


def _describe(plan: dict[str, Any], loaded: LoadedModel, data: _Data, observer: TrainObserver) -> None:
    share = plan["trainable_parameters"] / plan["total_parameters"]
    name, total = loaded.directory.name, plan["total_parameters"]
    observer.log(f"Model: {name}, {total:,} parameters, {share:.1%} of them trained.")
    observer.log(f"Device: {plan['device']}, mesh fsdp {plan['mesh']['fsdp']} x tp {plan['mesh']['tp']}.")
    train, evals = plan["train_rows"], plan["eval_rows"]
    observer.log(f"Data: {train:,} train rows and {evals:,} eval rows of {data.length} tokens.")
    if data.dropped:
        observer.log(f"{data.dropped:,} rows are longer than max_seq_length and were left out.")
    if plan["restored_train_step"]:
        observer.log(f"Goes on after train step {plan['restored_train_step']:,}, from its checkpoint.")
