"""The `tunixrt memory` command: whether a manifest fits into a device's memory, and what would make it fit."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from tunixrt_core.cli.common import Home, settings_of
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.training.memory import (
    DEVICE_MEMORY,
    GPUS,
    Advice,
    MemoryNeed,
    MemoryReport,
    advise,
    byte_words,
    need_of,
)
from tunixrt_core.tunix_backend.availability import require_tunix
from tunixrt_core.tunix_backend.memory.count import estimate_manifest, measure
from tunixrt_core.tunix_backend.preflight.machine import this_machine
from tunixrt_core.tunix_backend.preflight.memory_faults import device_memory, gpu_limit


def memory(
    manifest_file: Annotated[Path, typer.Argument(help="Manifest, YAML or JSON.")],
    device: Annotated[
        str | None, typer.Option(help=f"{', '.join(DEVICE_MEMORY)}; this machine's own memory where not given.")
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="Devices that there are, where mesh.fsdp takes as many as it can.")
    ] = 1,
    only_estimate: Annotated[
        bool, typer.Option("--estimate", help="At once, from config.json; rougher than compiling.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    home: Home = None,
) -> None:
    """Count the memory of one train step on each device; loads no weights. Exits with 1 where it does not fit."""
    if device is not None and device.lower() not in DEVICE_MEMORY:
        raise typer.BadParameter(f"--device is one of {', '.join(DEVICE_MEMORY)}")
    models_dir = settings_of(home).models_dir
    manifest = load_manifest(manifest_file)
    report, sizes = estimate_manifest(manifest, models_dir, devices=devices)
    if not only_estimate:
        require_tunix()
        report = measure(manifest, models_dir, devices=devices)
    need = _need(report, device)
    advice = advise(need, manifest, sizes, devices)
    if as_json:
        shown = {
            **asdict(need),
            "total": report.total,
            "source": report.source,
            "fits": need.fits,
            "advice": [asdict(one) for one in advice],
        }
        sys.stdout.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _show(need, advice)
    raise typer.Exit(0 if need.fits else 1)


def _need(report: MemoryReport, device: str | None) -> MemoryNeed:
    """The report beside the memory of the device that was named, of this machine's where none was."""
    machine = this_machine()
    if device is None:
        found = device_memory(machine)
        if found is None:
            raise typer.BadParameter(f"the memory of this {machine.device} is not known; name it with --device")
        return need_of(report, found.limit, found.where, shared=found.shared)
    limit, where = DEVICE_MEMORY[device.lower()], device
    if device.lower() in GPUS:
        limit, where = gpu_limit(limit, device, machine.environ)
    return need_of(report, limit, where, shared=False)


def _show(need: MemoryNeed, advice: list[Advice]) -> None:
    report = need.report
    terminal.table(
        ("One device", "Memory"),
        [
            ("Weights", byte_words(report.weights)),
            ("Optimizer", byte_words(report.optimizer)),
            ("Activations and gradients", byte_words(report.activations)),
            ("Batch and new weights", byte_words(report.copies)),
            ("Total", byte_words(report.total)),
        ],
        title=f"Rows of {report.row_length:,} tokens on {_counted(report.devices)}, {report.source}",
    )
    sentence = need.sentence
    out.print(f"{sentence[0].upper()}{sentence[1:]}: {'fits' if need.fits else 'does not fit'}.")
    for one in advice:
        named = ", ".join(f"{key}={value}" for key, value in one.changes.items())
        out.print(f"  {one.words}" + (f" {named}: {byte_words(one.total)} a device." if named else ""))


def _counted(devices: int) -> str:
    return f"{devices:,} device{'s' if devices != 1 else ''}"
