"""Process that compiles the steps of a manifest for a TPU slice."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError, TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.costs import SliceReport, StepCost, StepKind
from tunixrt_core.training.ahead.extrapolation import extrapolate, layer_counts
from tunixrt_core.training.ahead.slices import find_slice
from tunixrt_core.tunix_backend.model.architecture import Architecture

REFUSED = 3  # exit code: the last event is the sentence
_PARTS = 5  # of rows that are not read: the sum of the loss has one number for each


@dataclass(frozen=True, slots=True)
class Request:
    """What to compile. `whole`: all layers, instead of two small numbers of them that are extrapolated from.

    `read_rows`: the length of the rows is that of the data, else max_seq_length.
    """

    manifest: dict[str, Any]
    model: str  # directory with config.json
    models_dir: str
    slice: str
    kinds: tuple[StepKind, ...]
    whole: bool
    read_rows: bool


def compile_slice(request: Request, tell: Any) -> SliceReport:
    """Compile the requested steps. `tell` gets a phase, its number and their count. Raises ModelError."""
    from jax.experimental import topologies

    from tunixrt_core.tunix_backend.model.models import mesh_over

    began = time.perf_counter()
    manifest, on = RunManifest.from_dict(request.manifest), find_slice(request.slice)
    architecture = _architecture(Path(request.model))
    tell("reading rows" if request.read_rows else "tracing", 0, 1)
    rows = _rows(manifest, Path(request.models_dir)) if request.read_rows else _planned_rows(manifest)
    mode = {"chip_config_name": on.chip.joined_cores} if on.chip.joined_cores else {}
    devices = topologies.get_topology_desc(platform="tpu", topology_name=on.topology, **mode).devices
    mesh = mesh_over(devices, manifest.mesh, manifest.batch.size)
    counts = (architecture.layers,) if request.whole else layer_counts(architecture.layers, architecture.local_layers)
    costs = _compiled(manifest, architecture, mesh, rows, counts, request.kinds, tell)
    steps = costs[0] if len(counts) == 1 else _extrapolated(manifest, architecture, rows.length, counts, costs)
    return SliceReport(
        slice=on.name,
        topology=on.topology,
        chips=on.chips,
        hosts=on.hosts,
        devices=on.devices,
        mesh=(mesh.shape["fsdp"], mesh.shape["tp"]),
        rows=manifest.batch.size,
        row_length=rows.length,
        limit=on.chip.device_memory,
        layers=architecture.layers,
        compiled_layers=counts,
        steps=steps,
        train_steps=rows.train_steps,
        accumulation=manifest.batch.gradient_accumulation,
        seconds=time.perf_counter() - began,
    )


def _compiled(
    manifest: RunManifest,
    architecture: Architecture,
    mesh: Any,
    rows: _Rows,
    counts: Sequence[int],
    kinds: tuple[StepKind, ...],
    tell: Any,
) -> list[tuple[StepCost, ...]]:
    """The costs of the steps for each number of layers."""
    from tunixrt_core.tunix_backend.ahead.programs import Planned, step_costs

    names = [name for kind in kinds for name in (("prompts", "generation") if kind == "generation" else (kind,))]
    total, done, found = len(names) * len(counts), 0, []

    def on_step(name: str) -> None:
        nonlocal done
        tell(f"{name}, {layers} layers", done, total)
        done += 1

    for layers in counts:
        plan = Planned(manifest, with_layers(architecture, layers), mesh, rows.length, rows.parts)
        found.append(tuple(step_costs(plan, kinds, on_step)))
    return found


def _extrapolated(
    manifest: RunManifest,
    architecture: Architecture,
    length: int,
    counts: Sequence[int],
    costs: list[tuple[StepCost, ...]],
) -> tuple[StepCost, ...]:
    """Costs of all layers: the arrays that are held and the FLOP of the model are those of the whole model."""
    from tunixrt_core.tunix_backend.ahead.model_flops import model_flops

    small, large = costs
    steps = []
    for low, high in zip(small, large, strict=True):
        step = extrapolate(low, high, counts[0], counts[1], architecture.layers)
        rows = step.tokens if step.kind == "generation" else manifest.batch.size
        steps.append(replace(step, model_flops=model_flops(architecture, manifest, step.kind, rows, length)))
    return tuple(steps)


def with_layers(architecture: Architecture, layers: int) -> Architecture:
    """The same model with its first `layers` layers."""
    return replace(architecture, layers=layers, local_layers=architecture.local_layers[:layers])


def _architecture(directory: Path) -> Architecture:
    from tunixrt_core.tunix_backend.model.configs.reading import read_architecture
    from tunixrt_core.tunix_backend.model.weight_files import check_weights

    if any(directory.glob("*.safetensors")):
        return check_weights(directory)
    found = read_architecture(directory)
    if found.vocab_size is None:
        raise ModelError(f"{directory}: config.json names no vocab_size. Download the whole model.")
    return found


@dataclass(frozen=True, slots=True)
class _Rows:
    """Tokens of the longest row of a batch, parts of the data, and planned train steps."""

    length: int
    parts: int
    train_steps: int


def _planned_rows(manifest: RunManifest) -> _Rows:
    """Where the rows cannot be read: all are as long as the manifest allows."""
    return _Rows(manifest.max_seq_length, _PARTS, manifest.total_train_steps(manifest.data.train_rows))


def _rows(manifest: RunManifest, models_dir: Path) -> _Rows:
    from tunixrt_core.tunix_backend.data.batches import train_batches
    from tunixrt_core.tunix_backend.data.encoding import require_rows
    from tunixrt_core.tunix_backend.data.rows import load_data

    data = load_data(manifest, models_dir)
    require_rows(data.train, manifest.max_seq_length)
    batches = train_batches(
        data.train.rows, manifest.batch, max_length=manifest.max_seq_length, seed=manifest.seed, pad_id=data.pad_id
    )
    steps = manifest.duration.train_steps
    if steps is None:
        steps = math.ceil(batches.batches(manifest.duration.epochs or 1) / manifest.batch.gradient_accumulation)
    return _Rows(batches.lengths[-1], len(data.parts), steps)


def _say(event: str, **values: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def _end_with_the_parent() -> None:
    """End when standard input is closed: the process that wants the result is gone."""
    sys.stdin.read()
    os._exit(1)


def read_request(line: str) -> Request:
    values: Mapping[str, Any] = json.loads(line)
    return Request(**{**values, "kinds": tuple(values["kinds"])})


def main() -> int:
    """Read a request from standard input; write events as JSON lines, the last one with the report or a sentence."""
    request = read_request(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        report = compile_slice(request, lambda phase, done, total: _say("phase", phase=phase, done=done, total=total))
    except TunixRTError as error:
        _say("error", message=str(error))
        return REFUSED
    _say("report", report=asdict(report))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # libtpu's own threads need not end first
