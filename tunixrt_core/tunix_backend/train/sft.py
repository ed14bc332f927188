"""Supervised fine-tuning of a manifest with PeftTrainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from tunix.sft.peft_trainer import TrainingConfig

from tunixrt_core.errors import CheckpointError, ModelError, TrainingError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.training.trainer import NoObserver, TrainControls, TrainObserver, TrainOutcome
from tunixrt_core.tunix_backend.data.batches import (
    LongestFirst,
    TrainBatches,
    eval_batches,
    total_train_steps,
    train_batches,
)
from tunixrt_core.tunix_backend.data.encoding import require_rows
from tunixrt_core.tunix_backend.data.rows import Data, load_data, load_tokenizer
from tunixrt_core.tunix_backend.model.files.checkpoints import checkpoint_steps, latest_checkpoint, misfit
from tunixrt_core.tunix_backend.model.files.expected import idle_parameters
from tunixrt_core.tunix_backend.model.models import LoadedModel, load_model, make_mesh
from tunixrt_core.tunix_backend.train.evaluating import Best, Evaluator
from tunixrt_core.tunix_backend.train.processes import writes
from tunixrt_core.tunix_backend.train.progress import LastMetrics, RunFacts, RunHooks
from tunixrt_core.tunix_backend.train.prompt_sampler import PromptSampler, make_sampler
from tunixrt_core.tunix_backend.train.reporting.compiles import CompileCounter
from tunixrt_core.tunix_backend.train.reporting.plan import make_plan, plan_lines, tell_changes
from tunixrt_core.tunix_backend.train.saving import CheckpointGate, checkpoint_options, not_finite
from tunixrt_core.tunix_backend.train.step.feeding import Feed
from tunixrt_core.tunix_backend.train.step.loss import LossFunction, loss_of
from tunixrt_core.tunix_backend.train.step.optimizer import make_optimizer, make_schedule
from tunixrt_core.tunix_backend.train.step.peft import RunTrainer
from tunixrt_core.util.hashing import content_hash


class TunixTrainer:
    """trainer.Trainer with Tunix. Models given by name, not as a directory, are kept in `models_dir`."""

    def __init__(self, models_dir: Path, *, longest_first: bool = False) -> None:
        """`longest_first`: the first batch is the largest one, for a dry run."""
        self._models_dir = models_dir
        self._longest_first = longest_first

    def train(
        self, manifest: RunManifest, run_dir: Path, *, observer: TrainObserver, controls: TrainControls
    ) -> TrainOutcome:
        """Train to the manifest's last train step or until the stop request, from the last checkpoint on.

        All JAX work happens in the calling thread. Raises JobFailed or OutputError.
        """
        if not writes():
            observer = NoObserver()
        observer.phase("loading")
        data = load_data(manifest, self._models_dir)
        require_rows(data.train, manifest.max_seq_length)
        mesh = make_mesh(manifest.mesh, manifest.batch.size)
        with mesh:  # thread-local, and the only way of entering a mesh that works with Tunix 0.1.7
            loaded = load_model(manifest, self._models_dir, mesh, trains=True)
            if data.vocab_size > loaded.vocab_size:
                raise ModelError(
                    f"The tokenizer has {data.vocab_size:,} tokens, the model only {loaded.vocab_size:,}. "
                    "Use the model's own tokenizer."
                )
            if broken := not_finite(loaded.model, nnx.Param):
                raise ModelError(
                    f"The base's weights in {loaded.directory} hold NaN or an infinity: {', '.join(broken[:3])}"
                    f"{f' and {len(broken) - 3} more' if len(broken) > 3 else ''}. Download or save the model again."
                )
            training = _Training(
                manifest, run_dir, loaded, data, observer, controls, data.fingerprint(), self._models_dir
            )
            return training.run(longest_first=self._longest_first)


@dataclass(slots=True)
class _Training:
    """The parts of one training run around Tunix's trainer."""

    manifest: RunManifest
    run_dir: Path
    loaded: LoadedModel
    data: Data
    observer: TrainObserver
    controls: TrainControls
    fingerprint: str  # of the rows
    models_dir: Path
    total: int = field(init=False, default=0)  # train steps of the whole run

    def run(self, *, longest_first: bool) -> TrainOutcome:
        manifest, data = self.manifest, self.data
        batches = train_batches(
            data.train.rows, manifest.batch, max_length=manifest.max_seq_length, seed=manifest.seed, pad_id=data.pad_id
        )
        if longest_first:
            batches = LongestFirst(batches)
        accumulation = manifest.batch.gradient_accumulation
        total = self.total = total_train_steps(manifest, batches)
        schedule = make_schedule(manifest, total)
        metrics, compiles = LastMetrics(), CompileCounter("_train_step")
        loss = loss_function(manifest, self.loaded, data)
        best: Best  # read by the checkpoints' policy, once it is set
        trainer = self._trainer(schedule, metrics, loss, lambda: best.train_step)
        restored = trainer.train_steps
        self._require_same_data(trainer, restored)
        best = Best(RunDir(self.run_dir).best_file, restored)
        self._tell_plan(batches, total, restored)
        tell_changes(self.observer, manifest, trainer.restored_metadata, schedule, restored)
        feed = Feed(  # from here on only its thread uses the batches
            batches,
            parts=len(data.parts),
            accumulation=accumulation,
            first=restored * accumulation,
            end=max(total, restored) * accumulation,
        )
        idle = idle_parameters(self.loaded.architecture)  # of which no product per token is made
        facts = RunFacts(
            manifest,
            data.parts,
            schedule,
            total=total,
            restored=restored,
            model=self.loaded.model,
            parameters=self.loaded.total_parameters - idle,
            trainable=self.loaded.trainable_parameters - (0 if manifest.method.adapts else idle),
            devices=tuple(self.loaded.mesh.devices.flat),
        )
        run = RunHooks(
            facts,
            feed=feed,
            evaluator=self._evaluator(loss),
            sampler=self._sampler(),
            best=best,
            metrics=metrics,
            observer=self.observer,
            controls=self.controls,
            save=lambda reason: _save_now(trainer, reason, manifest),
            compiles=compiles,
        )
        trainer.on_aux = run.add_sums
        trainer.checkpoint_manager = CheckpointGate(
            trainer.checkpoint_manager,
            self._checkpoints,
            manifest.cadence.checkpoint_every,
            pause=run.pause,
            report_pending=trainer.report_pending,
            metadata=self._metadata,
            observer=self.observer,
        )
        trainer.with_data_hooks(run)
        trainer.with_training_hooks(run)
        try:
            with compiles:
                trainer.train([])  # the batches come from the hooks; at the end it saves and closes
        finally:
            feed.close()
            trainer.checkpoint_manager.close()
        return self._outcome(run, best, trainer.train_steps, total)

    @property
    def _checkpoints(self) -> Path:
        return self.run_dir / "checkpoints"

    def _trainer(self, schedule: Any, metrics: LastMetrics, loss: LossFunction, best: Any) -> RunTrainer:
        """Tunix's trainer, with the last checkpoint of the run already restored into model and optimizer."""
        manifest = self.manifest
        accumulation = manifest.batch.gradient_accumulation
        config = TrainingConfig(
            eval_every_n_steps=manifest.cadence.eval_every,
            max_steps=None,  # the hooks end the data; with max_steps Tunix keeps a progress bar of quadratic cost
            gradient_accumulation_steps=accumulation if accumulation > 1 else None,
            checkpoint_root_directory=str(self._checkpoints.absolute()),
            checkpointing_options=checkpoint_options(manifest.cadence.keep_checkpoints, best),
            data_sharding_axis=("fsdp",),
        )

        def make() -> RunTrainer:
            optimizer = make_optimizer(manifest, schedule)
            return RunTrainer(self.loaded.model, optimizer, config, metrics_logger=metrics)

        trainer = self._restored(make)
        trainer.with_loss_fn(loss.mean, has_aux=True).with_gen_model_input_fn(loss.inputs)
        return trainer

    def _restored(self, make: Callable[[], RunTrainer]) -> RunTrainer:
        """The trainer with the newest checkpoint that can be read; a damaged newer one is moved aside, and logged.

        Raises CheckpointError for the newest one where none can be read.
        """
        last = latest_checkpoint(self._checkpoints)
        try:
            return make()
        except (MemoryError, jax.errors.JaxRuntimeError):  # of the device, not of the files
            raise
        except Exception as error:  # orbax raises that class itself for files that it cannot read
            if last is None:
                raise
            if len(checkpoint_steps(self._checkpoints)) < 2 or jax.process_count() > 1:
                raise misfit(last, error) from error
            aside = self.run_dir / "damaged-checkpoints" / last.name
            aside.parent.mkdir(exist_ok=True)
            last.rename(aside)
            try:
                trainer = self._restored(make)
            except CheckpointError:  # the older ones cannot be read either: the manifest is another one
                aside.rename(last)
                raise misfit(last, error) from error
        self.observer.log(
            f"Warning: the checkpoint of train step {int(last.name):,} is damaged and was moved to {aside}. "
            f"The run continues from train step {trainer.train_steps:,}, the checkpoint before."
        )
        return trainer

    def _evaluator(self, loss: LossFunction) -> Evaluator:
        manifest, data = self.manifest, self.data
        batches = eval_batches(data.eval.rows, manifest.batch, max_length=manifest.max_seq_length, pad_id=data.pad_id)
        return Evaluator(self.loaded.model, list(batches), loss, data.parts)

    def _sampler(self) -> PromptSampler | None:
        if not self.data.eval.rows or not self.manifest.cadence.sample_prompts:
            return None
        tokenizer = load_tokenizer(self.manifest, self.models_dir)
        return make_sampler(self.manifest, self.loaded, tokenizer, log=self.observer.log)

    def _metadata(self, train_step: int) -> dict[str, Any]:
        """The state, beside weights and optimizer, that must be the same when the run resumes."""
        manifest = self.manifest
        return {
            "train_step": train_step,
            "total_train_steps": self.total,
            "manifest": self.manifest.to_dict(),
            "micro_batches": train_step * manifest.batch.gradient_accumulation,
            "data": self.fingerprint,
            "order": content_hash(
                {"seed": manifest.seed, "batch": manifest.batch.model_dump(), "length": manifest.max_seq_length}
            ),
        }

    def _require_same_data(self, trainer: RunTrainer, restored: int) -> None:
        before, now = trainer.restored_metadata, self._metadata(restored)
        changed = [name for name in ("data", "order") if before and before.get(name) != now[name]]
        if changed:
            what = {"data": "the train rows or the tokenizer", "order": "seed, batch or max_seq_length"}
            raise TrainingError(
                f"The run cannot resume: {' and '.join(what[name] for name in changed)} changed since its checkpoint "
                f"of train step {restored:,}, so it would see other batches. Start a new run, or undo the change."
            )

    def _tell_plan(self, batches: TrainBatches, total: int, restored: int) -> None:
        plan = make_plan(self.manifest, self.loaded, self.data, batches, total, restored)
        self.observer.plan(plan)
        for line in plan_lines(plan, self.loaded.directory.name):
            self.observer.log(line)

    def _outcome(self, run: RunHooks, best: Best, done: int, total: int) -> TrainOutcome:
        best_folder = self._checkpoints / str(best.train_step)
        return TrainOutcome(
            train_step=done,
            stopped=done < total and not run.ended_early,
            checkpoint=latest_checkpoint(self._checkpoints),
            train_loss=run.train_loss,
            eval_loss=run.eval_loss,
            ended_early=run.ended_early,
            best_checkpoint=best_folder if best_folder.is_dir() else None,
            best_eval_loss=best.loss,
        )


def _save_now(trainer: RunTrainer, reason: str, manifest: RunManifest) -> None:
    trainer.checkpoint_manager.write(
        trainer.train_steps, trainer.model, trainer.optimizer, reason, manifest.method.adapts
    )


def loss_function(manifest: RunManifest, loaded: LoadedModel, data: Data) -> LossFunction:
    """The loss of the manifest for the model's family."""
    return loss_of(manifest, loaded.config, len(data.parts))
