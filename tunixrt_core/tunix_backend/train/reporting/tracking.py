"""Metric sinks: TensorBoard and Weights & Biases."""

from __future__ import annotations

import importlib
import importlib.util
import math
import netrc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tunixrt_core.errors import TrackingError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.metrics import (
    Alert,
    CheckpointMetric,
    EvalMetric,
    Known,
    SamplesMetric,
    TrainMetric,
    TrainPlan,
)
from tunixrt_core.training.trainer import MetricSink

# field of a train record -> tag
_TRAIN_TAGS = {
    "loss": "train/loss",
    "perplexity": "train/perplexity",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "epoch": "train/epoch",
    "padding_share": "train/padding_share",
    "tokens_per_second": "perf/tokens_per_second",
    "step_seconds": "perf/step_seconds",
    "input_wait_seconds": "perf/input_wait_seconds",
    "memory_bytes": "perf/memory_bytes",
    "peak_memory_bytes": "perf/peak_memory_bytes",
    "mfu": "perf/mfu",
}
_EVAL_TAGS = {"loss": "eval/loss", "perplexity": "eval/perplexity"}
_SAMPLES = ("exact_match", "flexible_match", "format_valid", "repetition", "mean_tokens", "hit_limit")
_SAMPLE_TAGS = {key: f"samples/{key}" for key in _SAMPLES}


def make_sinks(manifest: RunManifest, folder: Path) -> list[MetricSink]:
    """The sinks of a manifest. Raises TrackingError where Weights & Biases cannot be used."""
    sinks: list[MetricSink] = []
    if manifest.tracking.tensorboard:
        sinks.append(TensorBoard(folder / "tensorboard"))
    if manifest.tracking.wandb_project:
        sinks.append(WeightsAndBiases(manifest, folder))
    return sinks


def scalars(record: Known) -> dict[str, float]:
    """The numbers of a record by tag; none for kinds without curves."""
    return {tag: value for tag, value in _tagged(record) if value is not None and math.isfinite(value)}


def _tagged(record: Known) -> Iterator[tuple[str, float | None]]:
    match record:
        case TrainMetric():
            yield from _fields(record, _TRAIN_TAGS)
            yield from _losses(record, "")
        case EvalMetric():
            yield from _fields(record, _EVAL_TAGS)
            yield from _losses(record, "eval_")
        case SamplesMetric():
            yield from _fields(record, _SAMPLE_TAGS)


def _fields(record: Known, tags: Mapping[str, str]) -> Iterator[tuple[str, float | None]]:
    return ((tag, getattr(record, name)) for name, tag in tags.items())


def _losses(record: TrainMetric | EvalMetric, side: str) -> Iterator[tuple[str, float | None]]:
    for group, losses in (("part", record.parts), ("type", record.types)):
        for name, loss in losses.items():
            yield f"{side}loss_by_{group}/{name.replace(' ', '_')}", loss


class TensorBoard:
    """TensorBoard event files, with the train step as the step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def plan(self, plan: TrainPlan) -> None:
        """Open a new event file, which supersedes the points after the restored train step."""
        from tensorboardX import SummaryWriter

        restored = plan.get("restored_train_step", 0)
        again = any(self._folder.glob("events.out.tfevents.*"))
        self._writer = SummaryWriter(
            str(self._folder),
            purge_step=restored + 1 if again else None,
            filename_suffix=f".{restored:09d}",  # otherwise two files of the same second would have the same name
        )

    def record(self, record: Known) -> None:
        for tag, value in scalars(record).items():
            self._writer.add_scalar(tag, value, record.train_step)
        if isinstance(record, Alert):
            self._writer.add_text(f"alerts/{record.alert}", record.evidence, record.train_step)
        if isinstance(record, EvalMetric | SamplesMetric | CheckpointMetric):
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases that resumes when this run resumes: its id is kept in the run's folder."""

    def __init__(self, manifest: RunManifest, folder: Path) -> None:
        """Raises TrackingError where the package is missing, or the key for an online run."""
        if importlib.util.find_spec("wandb") is None:
            raise TrackingError(
                "tracking.wandb_project needs the package wandb, which is not installed. Install it with: "
                "pip install wandb, or leave wandb_project out of the manifest."
            )
        if _goes_online() and not _has_key():
            raise TrackingError(
                "Weights & Biases has no API key on this machine. Set WANDB_API_KEY or run `wandb login`; "
                "WANDB_MODE=offline keeps its files in the run's folder instead."
            )
        self._wandb = importlib.import_module("wandb")
        self._manifest = manifest
        self._folder = folder
        self._run: Any = None

    def plan(self, plan: TrainPlan) -> None:
        """Begin or resume the run of Weights & Biases."""
        id_file = self._folder / "wandb-id"
        known = id_file.read_text().strip() if id_file.exists() else ""
        self._run = self._wandb.init(
            project=self._manifest.tracking.wandb_project,
            name=f"{self._folder.name} {self._manifest.name}",
            id=known or None,
            resume="allow",
            dir=str(self._folder),
            config={**self._manifest.to_dict(), "plan": dict(plan)},
        )
        id_file.write_text(f"{self._run.id}\n")
        # its own step may only rise, and a resume goes back: the train step is a separate axis
        self._run.define_metric("train_step")
        self._run.define_metric("*", step_metric="train_step")

    def record(self, record: Known) -> None:
        if numbers := scalars(record):
            self._run.log({**numbers, "train_step": record.train_step})

    def close(self) -> None:
        if self._run is not None:
            self._run.finish()


def _goes_online() -> bool:
    return os.environ.get("WANDB_MODE", "online") not in ("offline", "disabled", "dryrun")


def _has_key() -> bool:
    """Whether a key is in the environment or in the file of `wandb login`."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
