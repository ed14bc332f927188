"""Which slice to rent: a table of slices, and what would make a smaller one fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.chips import CHIPS
from tunixrt_core.training.ahead.costs import SliceReport
from tunixrt_core.training.ahead.slices import Slice, find_slice, known_slices
from tunixrt_core.training.estimates.memory import Advice, MemoryReport, ModelSizes, advise, estimate, mesh_of, need_of

MOST_CHIPS = 8  # of the slices that are compared where none are named


@dataclass(frozen=True, slots=True)
class Option:
    """A slice and a number of rows per batch. `report` is None where the weights alone do not fit: `need` are their
    bytes with the optimizer's, per device. `failed` says why the compiler has no program for it, if it has none.
    """

    slice: str
    chips: int
    rows: int
    limit: int
    need: int
    report: SliceReport | None = None
    failed: str = ""

    @property
    def fits(self) -> bool:
        return self.report is not None and self.report.fits


@dataclass(frozen=True, slots=True)
class Comparison:
    """The options, the smallest that fits, and what would make the next smaller slice of the same chip fit."""

    options: tuple[Option, ...]
    smallest: Option | None
    smaller: str | None  # the slice that the advice is for
    advice: tuple[Advice, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        options = [
            {**asdict(option), "fits": option.fits, "report": option.report.to_dict() if option.report else None}
            for option in self.options
        ]
        named = None if self.smallest is None else {"slice": self.smallest.slice, "rows": self.smallest.rows}
        advice = [asdict(one) for one in self.advice]
        return {"options": options, "smallest": named, "smaller": self.smaller, "advice": advice}


def candidates(manifest: RunManifest, chips: Sequence[str] = ()) -> Iterator[Slice]:
    """Slices of these chips, by default all, that the mesh of the manifest can use, up to MOST_CHIPS chips."""
    for on in known_slices():
        if (chips and on.chip.name not in chips) or on.chips > MOST_CHIPS:
            continue
        mesh = manifest.mesh
        fixed = (mesh.fsdp or 1) * mesh.tp
        if fixed <= on.devices:
            yield on


def with_rows(manifest: RunManifest, rows: int) -> RunManifest:
    """The manifest with this many rows per batch."""
    return manifest.model_copy(update={"batch": manifest.batch.model_copy(update={"size": rows})})


def held_bytes(sizes: ModelSizes, manifest: RunManifest, on: Slice) -> int:
    """Bytes of weights and optimizer per device: what no change of the rows saves."""
    found = estimate(sizes, manifest, row_length=8, devices=on.devices)
    return found.weights + found.optimizer


def compare(options: Sequence[Option], manifest: RunManifest, sizes: ModelSizes) -> Comparison:
    """The smallest option that fits is the one with the fewest chips, then the least peak arithmetic."""
    fitting = [option for option in options if option.fits]
    smallest = min(fitting, key=_size) if fitting else None
    below = [o for o in options if not o.fits and not o.failed and (smallest is None or _size(o) < _size(smallest))]
    if smallest is None or not below:
        tried = max(below, key=_size, default=None) if smallest is None else None
    else:
        chip = smallest.slice.partition("-")[0]
        same = [option for option in below if option.slice.partition("-")[0] == chip]
        tried = max(same or below, key=_size)
    if tried is None:
        return Comparison(tuple(options), smallest, None, ())
    return Comparison(tuple(options), smallest, tried.slice, tuple(_advice(tried, manifest, sizes)))


def _size(option: Option) -> tuple[int, float]:
    return option.chips, CHIPS[option.slice.partition("-")[0]].flops


def _advice(option: Option, manifest: RunManifest, sizes: ModelSizes) -> list[Advice]:
    manifest = with_rows(manifest, option.rows)
    devices = find_slice(option.slice).devices
    step = option.report.step("train") if option.report else None
    length = option.report.row_length if option.report else manifest.max_seq_length
    fsdp, tp = mesh_of(manifest, devices)
    if step is None:
        report = estimate(sizes, manifest, row_length=length, devices=devices)
    else:
        report = MemoryReport(
            step.weights, step.optimizer, step.temporary, step.passing, fsdp * tp, length, compiled_for="tpu"
        )
    return advise(need_of(report, option.limit, option.slice, shared=False), manifest, sizes, devices)
