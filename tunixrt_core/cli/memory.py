"""`tunixrt memory` and `tunixrt slices`: whether a manifest fits, and where."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tunixrt_core.cli.common import Home, foreground
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.hyperparameters import Set
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.manifest.manifest import RunManifest, change_manifest, load_manifest, manifest_without_data
from tunixrt_core.manifest.variants import read_changes
from tunixrt_core.training.ahead.chips import CHIPS
from tunixrt_core.training.estimates.memory import DEVICE_MEMORY, Advice, MemoryNeed, byte_words


def memory(
    manifest_file: Annotated[Path | None, typer.Argument(help="Manifest, YAML or JSON.")] = None,
    device: Annotated[
        str | None, typer.Option(help=f"{', '.join(DEVICE_MEMORY)}. Default: the device of this machine.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Number of devices, if mesh.fsdp uses as many as it can.")] = 1,
    only_estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate from config.json: immediate, but less exact than compiling.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="SLICE",
            help="TPU slice to compile for, such as v6e-4 or v5e-8: memory, work, bound on the speed.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model instead of a manifest, with its preset; only its config.json is needed.")
    ] = None,
    set_: Set = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compute the memory of one train step per device; loads no weights. Exits with 1 if it does not fit."""
    if device is not None and device.lower() not in DEVICE_MEMORY:
        raise typer.BadParameter(f"--device must be one of {', '.join(DEVICE_MEMORY)}")
    if on is not None and (device is not None or devices != 1 or only_estimate):
        raise typer.BadParameter("--on compiles for a device and a number of them; leave out the other options")
    manifest = _manifest(manifest_file, model, set_)
    if on is not None:
        _on_slice(manifest, on, as_json=as_json, home=home)
        return
    found = foreground(home).memory(manifest, device=device, devices=devices, only_estimate=only_estimate)
    if found is None:
        raise typer.BadParameter("the memory of this machine's device is unknown; name the device with --device")
    if as_json:
        print_json(_document(found.need, found.advice))
    else:
        _show(found.need, found.advice)
    raise typer.Exit(ExitCode.SUCCESS if found.need.fits else ExitCode.FAILURE)


def slices(
    manifest_file: Annotated[Path | None, typer.Argument(help="Manifest, YAML or JSON.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model instead of a manifest, with its preset; only its config.json is needed.")
    ] = None,
    set_: Set = None,
    chips: Annotated[str, typer.Option(help=f"Chips, with commas between them. Default: {','.join(CHIPS)}.")] = "",
    rows: Annotated[
        str, typer.Option(help="Rows per batch, with commas between them. Default: batch.size of the manifest.")
    ] = "",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare TPU slices for a manifest: fit, bound and chip-hours. Exits with 1 if none fits."""
    from tunixrt_core.cli.show.slices import show_comparison

    named = tuple(name.strip().lower() for name in chips.split(",") if name.strip())
    if unknown := [name for name in named if name not in CHIPS]:
        raise typer.BadParameter(f"--chips: {unknown[0]} is not one of {', '.join(CHIPS)}")
    counts = tuple(part.strip() for part in rows.split(",") if part.strip())
    if any(not part.isdigit() or not 1 <= int(part) <= 65536 for part in counts):
        raise typer.BadParameter("--rows: whole numbers from 1 to 65536, such as 4,8,16")
    manifest = _manifest(manifest_file, model, set_)
    with _following() as progress:
        found = foreground(home).slices.compare(
            manifest, named, [int(part) for part in counts], progress=progress, stop=threading.Event()
        )
    if as_json:
        print_json(found.to_dict())
    else:
        show_comparison(found)
    raise typer.Exit(ExitCode.SUCCESS if found.smallest is not None else ExitCode.FAILURE)


def _manifest(file: Path | None, model: str | None, set_: list[str] | None) -> RunManifest:
    if (file is None) == (model is None):
        raise typer.BadParameter("give a manifest or --model")
    changes = read_changes(set_ or [])
    if model is not None:
        return manifest_without_data(model, changes)
    assert file is not None
    manifest = load_manifest(file)
    return change_manifest(manifest, changes) if changes else manifest


def _on_slice(manifest: RunManifest, on: str, *, as_json: bool, home: Path | None) -> None:
    from tunixrt_core.cli.show.slices import show_report

    with _following() as progress:
        report = foreground(home).slices.report(manifest, on, progress=progress, stop=threading.Event())
    if as_json:
        print_json(report.to_dict())
    else:
        show_report(report)
    raise typer.Exit(ExitCode.SUCCESS if report.fits else ExitCode.FAILURE)


@contextmanager
def _following() -> Iterator[Callable[[str, int, int], None]]:
    """Progress in seconds: those that passed, and those that are expected."""
    with terminal.progress() as bar:
        task = bar.add_task("compiling", total=None, note="")

        def follow(phase: str, done: int, total: int) -> None:
            left = f"about {max(1, total - done):,} s left" if total else ""
            bar.update(task, description=phase, completed=done, total=total or None, note=left)

        yield follow


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
