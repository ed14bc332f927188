"""A launch: the checked order, its document, and the arithmetic behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import InvalidInput
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.costs import SliceReport
from tunixrt_core.training.ahead.slices import find_slice
from tunixrt_core.training.estimates.memory import MemoryNeed
from tunixrt_core.training.launch import gcloud, gke, kuberay, skypilot
from tunixrt_core.training.launch.order import ON_KUBERNETES, RUNTIMES, Engine, Order, resource_name

_WRITERS = {"skypilot": skypilot, "gke": gke, "kuberay": kuberay, "gcloud": gcloud}
_FILES = {"skypilot": "yaml", "gke": "yaml", "kuberay": "yaml", "gcloud": "sh"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user chooses beside manifest, slice and engine; `price` is per chip and hour, in any currency."""

    shared: str | None = None
    install: str = "tunix-rt[tpu]"
    image: str | None = None
    zone: str | None = None
    spot: bool = False
    price: float | None = None
    hours: float | None = None
    file: str | None = None  # that the document is written to


@dataclass(frozen=True, slots=True)
class Launch:
    """A document for an engine, the commands that use it, and what it costs in chips, memory and money.

    `per_hour`, `total` and `least` are in the currency of the price; None without a price, without hours, or without a
    report of the compiled steps, whose chip-hours are what the train steps take at least. `notes` are what to know
    before it is started.
    """

    engine: Engine
    order: Order
    file: str
    document: str
    steps: tuple[str, ...]
    mesh: tuple[int, int]
    memory: MemoryNeed | None
    per_hour: float | None
    total: float | None
    least: float | None
    compiled: SliceReport | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        on = self.order.on
        return {
            "engine": self.engine,
            "name": self.order.name,
            "slice": on.name,
            "topology": on.topology.partition(":")[2],
            "chips": on.chips,
            "hosts": on.hosts,
            "devices": on.devices,
            "mesh": list(self.mesh),
            "memory": self.memory and {"need": self.memory.need, "limit": self.memory.limit, "fits": self.memory.fits},
            "per_hour": self.per_hour,
            "total": self.total,
            "least": self.least,
            "compiled": self.compiled and {"sentence": self.compiled.sentence, "chip_hours": self.compiled.chip_hours},
            "notes": list(self.notes),
            "steps": list(self.steps),
            "file": self.file,
            "document": self.document,
        }


def plan(
    file: Path,
    manifest: RunManifest,
    on: str,
    engine: Engine,
    wishes: Wishes,
    *,
    memory: MemoryNeed | None = None,
    compiled: SliceReport | None = None,
) -> Launch:
    """Check everything that can be known here, and write the document.

    `file` is the manifest's, `memory` what one device of the slice needs where that is known, `compiled` the report of
    this manifest on this slice from before. Raises InvalidSlice, and InvalidInput for a slice, a mesh or a wish that
    the engine cannot serve.
    """
    found = find_slice(on)
    model = Path(manifest.model.id).expanduser()
    order = Order(
        name=resource_name(manifest.name),
        on=found,
        files=(file, Path(manifest.data.path)),
        shared=wishes.shared,
        install=wishes.install,
        image=wishes.image,
        zone=wishes.zone,
        spot=wishes.spot,
        model=manifest.model.id if model.is_dir() else None,
    )
    mesh = manifest.mesh.shape_over(found.devices, manifest.batch.size)
    _check(order, engine, manifest, mesh)
    writer = _WRITERS[engine]
    name = wishes.file or f"{order.name}.{engine}.{_FILES[engine]}"
    per_hour = None if wishes.price is None else wishes.price * found.chips
    chip_hours = compiled.chip_hours if compiled else None
    return Launch(
        engine=engine,
        order=order,
        file=name,
        document=writer.document(order),
        steps=tuple(writer.steps(order, name)),
        mesh=mesh,
        memory=memory,
        per_hour=per_hour,
        total=None if per_hour is None or wishes.hours is None else per_hour * wishes.hours,
        least=None if wishes.price is None or chip_hours is None else wishes.price * chip_hours,
        compiled=compiled,
        notes=tuple(_notes(order, engine, manifest, mesh, memory, compiled)),
    )


def _check(order: Order, engine: Engine, manifest: RunManifest, mesh: tuple[int, int]) -> None:
    on, asked = order.on, mesh[0] * mesh[1]
    if asked > on.devices:
        raise InvalidInput(
            f"mesh: {asked} devices, and {on.name} has {on.devices}. Lower mesh.fsdp or mesh.tp, or use a larger slice."
        )
    if manifest.batch.size % mesh[0]:
        raise InvalidInput(
            f"batch.size: {manifest.batch.size} rows do not divide over mesh.fsdp {mesh[0]}. Change one."
        )
    on_kubernetes = engine in ON_KUBERNETES
    if not on_kubernetes and on.chip.name not in RUNTIMES:
        raise InvalidInput(f"{on.name}: the Cloud TPU API does not offer this chip. Use --with gke.")
    if on_kubernetes:
        if not order.image:
            extra = "tpu" if engine == "gke" else "tpu,ray"
            raise InvalidInput(
                f"--image: missing. Name the container image, built with the Dockerfile and EXTRA={extra}."
            )
        if not order.shared:
            raise InvalidInput("--shared: missing. Name a ReadWriteMany PersistentVolumeClaim that holds the files.")
    elif on.hosts > 1 and not order.shared:
        raise InvalidInput(
            f"--shared: missing. {on.name} has {on.hosts} hosts, which write checkpoints together: name an NFS "
            "export that all of them reach, as SERVER:/PATH."
        )
    if not on_kubernetes and order.shared and ":/" not in order.shared:
        raise InvalidInput(f"--shared: {order.shared!r} is no NFS export. Write it as SERVER:/PATH.")
    if engine == "gcloud" and not order.zone:
        raise InvalidInput("--zone: missing. gcloud creates a slice in one zone, such as us-central1-a.")


def _notes(
    order: Order,
    engine: Engine,
    manifest: RunManifest,
    mesh: tuple[int, int],
    memory: MemoryNeed | None,
    compiled: SliceReport | None,
) -> Iterator[str]:
    on, file = order.on, order.manifest
    if idle := on.devices - mesh[0] * mesh[1]:
        yield f"The mesh leaves {idle} of {on.devices} devices idle, at the same cost; more rows per batch use them."
    if compiled is not None and not compiled.fits:
        yield f"The compiled steps do not fit: {compiled.sentence}."
    elif compiled is None:
        fits = "" if memory is None or memory.fits else f"It does not fit: {memory.sentence}. "
        yield f"{fits}To be exact before it is rented: tunixrt memory {file} --on {on.name}"
    for what, path in (("model", order.model), ("tokenizer", manifest.tokenizer.path)):
        if path:
            yield f"The {what} is a folder of this machine: copy {path} to the same path on each host."
    if order.spot and not order.shared:
        yield "A spot slice may be taken away at any time, and the checkpoints with it: keep the run in --shared."
    if on.hosts > 1:
        again = "three times by itself" if engine in ON_KUBERNETES else "when you start it again"
        yield f"If one of {on.hosts} hosts fails, all end after about a minute. The run is resumed {again}."
    yield "This was written without an account and never run: the clouds check quota and capacity when it starts."
