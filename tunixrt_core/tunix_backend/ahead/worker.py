"""Process that compiles one step of a manifest for a TPU slice."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError, TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.costs import SliceReport, StepKind
from tunixrt_core.training.ahead.slices import Slice, find_slice
from tunixrt_core.tunix_backend.model.architecture import Architecture

REFUSED = 3  # exit code: the last event is the sentence
_PARTS = 5  # of rows that are not read: the sum of the loss has one number for each


@dataclass(frozen=True, slots=True)
class Request:
    """What to compile. `read_rows`: the length of the rows is that of the data, else max_seq_length.

    `folder`: empty, where XLA writes schedules to; "" to generate machine code too.
    """

    manifest: dict[str, Any]
    model: str  # directory with config.json
    models_dir: str
    slice: str
    kind: StepKind
    read_rows: bool
    folder: str


def compile_step(request: Request, tell: Any) -> SliceReport:
    """A report with the one requested step. `tell` gets each phase. Raises ModelError."""
    from tunixrt_core.tunix_backend.ahead.programs import Planned, step_costs
    from tunixrt_core.tunix_backend.ahead.schedule import Scheduler, compile_whole
    from tunixrt_core.tunix_backend.model.models import mesh_over

    began = time.perf_counter()
    manifest, on = RunManifest.from_dict(request.manifest), find_slice(request.slice)
    architecture = _architecture(Path(request.model))
    if request.read_rows:
        tell("reading rows")
    rows = _rows(manifest, Path(request.models_dir)) if request.read_rows else _planned_rows(manifest)
    mesh = mesh_over(slice_devices(on), manifest.mesh, manifest.batch.size)
    plan = Planned(manifest, architecture, mesh, rows.length, rows.parts)
    build = Scheduler(Path(request.folder)) if request.folder else compile_whole
    steps = tuple(step_costs(plan, (request.kind,), tell, build))
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
        steps=steps,
        train_steps=rows.train_steps,
        accumulation=manifest.batch.gradient_accumulation,
        seconds=time.perf_counter() - began,
    )


def slice_devices(on: Slice) -> Any:
    """The devices of a slice as JAX shows them on it, for the compiler alone."""
    from jax.experimental import topologies

    options: dict[str, Any] = {}
    if on.chip.joined_cores:
        options["chip_config_name"] = on.chip.joined_cores
    if on.chips == 1:  # libtpu takes four chips for a host otherwise
        options["chips_per_host_bounds"] = [1, 1, 1]
    return topologies.get_topology_desc(platform="tpu", topology_name=on.topology, **options).devices


def _architecture(directory: Path) -> Architecture:
    from tunixrt_core.tunix_backend.model.configs.reading import read_architecture
    from tunixrt_core.tunix_backend.model.files.fit import check_weights

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
    from tunixrt_core.tunix_backend.data.batches import total_train_steps, train_batches
    from tunixrt_core.tunix_backend.data.encoding import require_rows
    from tunixrt_core.tunix_backend.data.rows import load_data

    data = load_data(manifest, models_dir)
    require_rows(data.train, manifest.max_seq_length)
    batches = train_batches(
        data.train.rows, manifest.batch, max_length=manifest.max_seq_length, seed=manifest.seed, pad_id=data.pad_id
    )
    return _Rows(batches.lengths[-1], len(data.parts), total_train_steps(manifest, batches))


def _say(event: str, **values: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def _end_with_the_parent() -> None:
    """End when standard input is closed: the process that wants the result is gone."""
    sys.stdin.read()
    os._exit(1)


def main() -> int:
    """Read a request from standard input; write events as JSON lines, the last one with the report or a sentence."""
    request = Request(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        report = compile_step(request, lambda phase: _say("phase", phase=phase))
    except TunixRTError as error:
        _say("error", message=str(error))
        return REFUSED
    _say("report", report=asdict(report))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a thread may still generate machine code, and libtpu has its own
