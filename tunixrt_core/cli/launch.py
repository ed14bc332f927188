"""`tunixrt launch`: files that start a run on rented TPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, foreground
from tunixrt_core.cli.output import AsJson, print_document, print_json, write_file
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest, load_manifest
from tunixrt_core.training.ahead.costs import SliceReport
from tunixrt_core.training.ahead.slices import find_slice
from tunixrt_core.training.estimates.memory import MemoryNeed
from tunixrt_core.training.launch.order import ENGINES, Engine
from tunixrt_core.training.launch.plan import Launch, Wishes, plan


def launch(
    manifest_file: Annotated[Path, typer.Argument(help="Manifest, YAML or JSON; its data file is beside it.")],
    on: Annotated[str, typer.Option("--on", metavar="SLICE", help="TPU slice, such as v6e-8 or v5e-16.")],
    with_: Annotated[str, typer.Option("--with", metavar="|".join(ENGINES), help="What starts it.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: standard output.")
    ] = None,
    shared: Annotated[
        str | None,
        typer.Option(
            help="Folder that all hosts see: an NFS export SERVER:/PATH, for gke and kuberay a PersistentVolumeClaim. "
            "Required for several hosts, and for gke and kuberay."
        ),
    ] = None,
    image: Annotated[str | None, typer.Option(help="Container image, for gke and kuberay.")] = None,
    zone: Annotated[str | None, typer.Option(help="Zone; required for gcloud.")] = None,
    spot: Annotated[bool, typer.Option(help="Spot capacity: cheaper, and may be taken away at any time.")] = False,
    install: Annotated[
        str, typer.Option(metavar="REQUIREMENT", help="What pip installs on each VM: a version, a URL or a file there.")
    ] = "tunix-rt[tpu]",
    price: Annotated[
        float | None, typer.Option(min=0, help="Price per chip and hour, from the cloud's price list, for the cost.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="Hours that it may take, for the cost.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a SkyPilot task, GKE or KubeRay manifest or gcloud script for a run, and explain it. Starts nothing."""
    engine = next((name for name in ENGINES if name == with_.lower()), None)
    if engine is None:
        raise typer.BadParameter(f"--with must be one of {', '.join(ENGINES)}")
    wishes = Wishes(shared, install, image, zone, spot, price, hours, None if output is None else str(output))
    found = _planned(manifest_file, on, engine, wishes, home)
    if output:
        write_file(output, found.document)
    if as_json:
        print_json(found.to_dict())
        return
    if not output:
        print_document(found.document)
    _explain(found)


def _planned(file: Path, on: str, engine: Engine, wishes: Wishes, home: Path | None) -> Launch:
    manifest = load_manifest(file)
    memory, compiled = _memory(manifest, on, home), _compiled(manifest, on, home)
    return plan(file, manifest, on, engine, wishes, memory=memory, compiled=compiled)


def _memory(manifest: RunManifest, on: str, home: Path | None) -> MemoryNeed | None:
    """None where the model's sizes are unknown here, which is said."""
    slice_ = find_slice(on)
    try:
        return foreground(home).slice_memory(manifest, slice_)
    except TunixRTError as error:
        err.print(f"The memory is unknown here: {error}", style="yellow")
        return None


def _compiled(manifest: RunManifest, on: str, home: Path | None) -> SliceReport | None:
    """The report of `tunixrt memory --on` or `tunixrt slices` from before, if there is one."""
    try:
        return foreground(home).slices.kept(manifest, on)
    except TunixRTError:  # of the model, which the memory has named
        return None


def _explain(found: Launch) -> None:
    """On standard error, so that the document can be redirected into a file."""
    on = found.order.on
    err.print(f"{on.name}: {on.chips} chips ({on.topology.partition(':')[2]}) on {on.hosts} host{'s' * (on.hosts > 1)}")
    err.print(f"mesh: fsdp {found.mesh[0]} x tp {found.mesh[1]} over {on.devices} devices")
    if found.memory:
        err.print(f"memory: {found.memory.sentence}, {found.memory.report.source}")
    if found.compiled:
        err.print(f"compiled: {found.compiled.sentence}{_chip_hours(found)}")
    if found.per_hour is not None:
        total = "" if found.total is None else f", {terminal.number(found.total)} in all"
        err.print(f"cost: {terminal.number(found.per_hour)} per hour{total}, at the price given")
    for note in found.notes:
        err.print(note, style="yellow")
    err.print("Start it with:")
    for step in found.steps:
        err.print(f"  {step}")


def _chip_hours(found: Launch) -> str:
    hours = found.compiled.chip_hours if found.compiled else None
    if not hours:
        return ""
    cost = "" if found.least is None else f", which cost {terminal.number(found.least)}"
    return f"; its train steps take at least {terminal.number(hours)} chip-hours{cost}"
