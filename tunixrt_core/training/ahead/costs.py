"""What compiled steps cost on a slice, and the bounds that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tunixrt_core.training.ahead.slices import Slice, find_slice

StepKind = Literal["train", "evaluation", "generation"]
STEPS: tuple[StepKind, ...] = ("train", "evaluation", "generation")
Limit = Literal["arithmetic", "memory", "links"]
LIMIT_WORDS: dict[Limit, str] = {"arithmetic": "arithmetic", "memory": "HBM traffic", "links": "links between chips"}


@dataclass(frozen=True, slots=True)
class StepCost:
    """One compiled step on one JAX device, in bytes and FLOP.

    `weights` and `optimizer` are held all the time, `cache` by generation: keys and values. `temporary` is what the
    step needs besides, and `passing` its batch and results that replace no argument. `links` are bytes received, by
    collective; `looped` how often each collective runs inside of loops. `flops` include those of kernels. `tokens` of
    the whole slice. `refused`: the compiler's sentence where the step does not fit; the work is then unknown.
    """

    kind: StepKind
    tokens: int
    weights: int
    optimizer: int = 0
    cache: int = 0
    temporary: int = 0
    passing: int = 0
    flops: float = 0.0
    model_flops: float = 0.0
    hbm: float = 0.0
    links: Mapping[str, float] = field(default_factory=dict)
    looped: Mapping[str, int] = field(default_factory=dict)
    kernels: int = 0
    live: int = 0  # most temporary bytes alive at once, counted from the program's text
    seconds: float = 0.0  # that it took to compile
    refused: str = ""

    @property
    def total(self) -> int:
        """Bytes of HBM."""
        return self.weights + self.optimizer + self.cache + self.temporary + self.passing


@dataclass(frozen=True, slots=True)
class Roofline:
    """Seconds that each resource needs at its published peak; the step takes at least the longest of them.

    Williams et al. 2009, "Roofline: an insightful visual performance model for multicore architectures", with the links
    as a third resource.
    """

    arithmetic: float
    memory: float
    links: float

    @property
    def seconds(self) -> float:
        return max(self.arithmetic, self.memory, self.links)

    @property
    def limit(self) -> Limit:
        return max(("arithmetic", "memory", "links"), key=lambda name: float(getattr(self, name)))


def roofline(cost: StepCost, on: Slice) -> Roofline:
    """The roofline of a step. Of several JAX devices of a chip each has its share."""
    share = on.chip.devices
    received = sum(cost.links.values())
    return Roofline(
        arithmetic=cost.flops * share / on.chip.flops,
        memory=cost.hbm * share / on.chip.memory_rate,
        links=received * share / on.link_rate if on.link_rate else 0.0,
    )


@dataclass(frozen=True, slots=True)
class SliceReport:
    """The steps of a manifest on a slice. `limit` is the memory of one JAX device, in bytes."""

    slice: str
    topology: str
    chips: int
    hosts: int
    devices: int
    mesh: tuple[int, int]  # fsdp, tp
    rows: int
    row_length: int
    limit: int
    layers: int
    steps: tuple[StepCost, ...]
    train_steps: int = 0  # that the manifest plans
    accumulation: int = 1  # batches per train step: each is one run of the compiled step
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def fits(self) -> bool:
        return all(not step.refused and step.total <= self.limit for step in self.steps)

    @property
    def used(self) -> float:
        """Share of a device's memory that the largest step needs."""
        return max(step.total for step in self.steps) / self.limit

    @property
    def on(self) -> Slice:
        return find_slice(self.slice)

    @property
    def unused(self) -> int:
        """JAX devices of the slice that the mesh does not take: they are paid for and idle."""
        return self.devices - self.mesh[0] * self.mesh[1]

    def step(self, kind: StepKind) -> StepCost | None:
        return next((step for step in self.steps if step.kind == kind), None)

    def bound(self, kind: StepKind) -> Bound | None:
        """None for a step that was not compiled or whose work is unknown."""
        step = self.step(kind)
        return None if step is None or step.refused or not step.flops else bound_of(step, self.on, self.mesh)

    @property
    def chip_hours(self) -> float | None:
        """Hours of all chips that the planned train steps take at least; None where that is unknown."""
        bound = self.bound("train")
        if bound is None:
            return None
        return self.chips * self.train_steps * self.accumulation * bound.roofline.seconds / 3600

    @property
    def sentence(self) -> str:
        """`On v5e-8: fits, 61 % of 16 GB, at most 48,000 tokens/s`."""
        fits = "fits" if self.fits else "does not fit"
        text = f"On {self.slice}: {fits}, {self.used:.0%} of {self.limit / 1e9:.0f} GB"
        train = self.bound("train")
        if train is not None:
            text += f", at most {_rounded(train.tokens_per_second):,} tokens/s"
        return text

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the fields, what follows from them, and the roofline of each step."""
        out = asdict(self)
        out |= {"fits": self.fits, "used": self.used, "sentence": self.sentence}
        out |= {"chip_hours": self.chip_hours, "unused": self.unused}
        for step, shown in zip(self.steps, out["steps"], strict=True):
            bound = self.bound(step.kind)
            shown |= {"total": step.total, "bound": None if bound is None else bound.to_dict()}
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SliceReport:
        """From what `asdict` gives, as it is kept. Raises KeyError or TypeError for anything else."""
        values = {name: data[name] for name in cls.__dataclass_fields__}
        values["steps"] = tuple(
            StepCost(**{name: step[name] for name in StepCost.__dataclass_fields__}) for step in data["steps"]
        )
        values["mesh"] = tuple(data["mesh"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Bound:
    """What no run of a step exceeds, if the chip keeps to its published peaks. Shares are of the slice's peak.

    `utilisation_without_links` is the bound if transfers between chips cost nothing, as where they are hidden.
    """

    roofline: Roofline
    tokens_per_second: float
    utilisation: float
    utilisation_without_links: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"seconds": self.roofline.seconds, "limit": self.roofline.limit}


def bound_of(step: StepCost, on: Slice, mesh: tuple[int, int]) -> Bound:
    """The bounds of a step on a slice, of whose devices the mesh takes all or a part.

    The peak is that of the whole slice, which is paid for as a whole.
    """
    found = roofline(step, on)
    peak = on.chip.flops * on.chips
    done = step.model_flops
    without = max(found.arithmetic, found.memory)
    return Bound(found, step.tokens / found.seconds, done / (found.seconds * peak), done / (without * peak))


def _rounded(value: float) -> int:
    """Two or three digits: a bound promises no more."""
    step = 10 ** max(0, len(str(int(value))) - 2)
    return int(value // step * step) if step > 1 else int(value)
