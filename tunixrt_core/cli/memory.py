"""`tunixrt memory`: whether a manifest fits, and what would make it fit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tunixrt_core.cli.common import Home, foreground
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.training.memory import DEVICE_MEMORY, Advice, MemoryNeed, byte_words


def memory(
    manifest_file: Annotated[Path, typer.Argument(help="Manifest, YAML or JSON.")],
    device: Annotated[
        str | None, typer.Option(help=f"{', '.join(DEVICE_MEMORY)}. Default: the device of this machine.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Number of devices, if mesh.fsdp uses as many as it can.")] = 1,
    only_estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate from config.json: immediate, but less exact than compiling.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compute the memory of one train step per device; loads no weights. Exits with 1 if it does not fit."""
    if device is not None and device.lower() not in DEVICE_MEMORY:
        raise typer.BadParameter(f"--device must be one of {', '.join(DEVICE_MEMORY)}")
    manifest = load_manifest(manifest_file)
    found = foreground(home).memory(manifest, device=device, devices=devices, only_estimate=only_estimate)
    if found is None:
        raise typer.BadParameter("the memory of this machine's device is unknown; name the device with --device")
    if as_json:
        print_json(_document(found.need, found.advice))
    else:
        _show(found.need, found.advice)
    raise typer.Exit(ExitCode.SUCCESS if found.need.fits else ExitCode.FAILURE)


def _document(need: MemoryNeed, advice: list[Advice]) -> dict[str, Any]:
    report = need.report
    return {
        **asdict(need),
        "total": report.total,
        "source": report.source,
        "fits": need.fits,
        "advice": advice,
    }


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
        out.print(f"  {one.words}" + (f" {named}: {byte_words(one.total)} per device." if named else ""))


def _counted(devices: int) -> str:
    return f"{devices:,} device{'s' if devices != 1 else ''}"
