"""Responses about TPU slices: memory, work and bounds of compiled steps."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from app.api.models.tasks import BackgroundTask, task_fields
from tunixrt_core.training.ahead.costs import Limit, StepKind
from tunixrt_core.training.ahead.costs import SliceReport as Found
from tunixrt_core.util.tasks import Task


class Roofline(BaseModel):
    arithmetic: float = Field(description="Seconds at the published peak.")
    memory: float = Field(description="Seconds of HBM traffic at the published rate.")
    links: float = Field(description="Seconds of transfers between chips at the published rate.")


class Bound(BaseModel):
    roofline: Roofline
    seconds: float = Field(description="The longest of the three: no run of the step is faster.")
    limit: Limit
    tokens_per_second: float
    utilisation: float = Field(description="Model FLOP per second as a share of the slice's peak, at most.")
    utilisation_without_links: float = Field(description="The same if transfers between chips cost nothing.")


class Step(BaseModel):
    """One compiled step, per JAX device, in bytes and FLOP."""

    kind: StepKind
    tokens: int = Field(description="Of the whole slice.")
    weights: int
    optimizer: int
    cache: int = Field(description="Keys and values of generation.")
    temporary: int
    passing: int = Field(description="The batch, and results that replace no argument.")
    total: int
    flops: float
    model_flops: float = Field(description="That the model needs, of the whole slice.")
    hbm: float = Field(description="Bytes read from and written to HBM.")
    links: dict[str, float] = Field(description="Bytes received, by collective.")
    looped: dict[str, int] = Field(description="How often each collective runs inside of loops.")
    refused: str = Field(description="The compiler's sentence if the step does not fit; its work is then unknown.")
    bound: Bound | None


class SliceReport(BaseModel):
    slice: str
    topology: str
    chips: int
    hosts: int
    devices: int
    mesh: tuple[int, int] = Field(description="fsdp and tp.")
    unused: int = Field(description="JAX devices that the mesh leaves idle.")
    rows: int
    row_length: int
    limit: int = Field(description="Bytes of HBM of one JAX device.")
    fits: bool
    used: float = Field(description="Share of the limit that the largest step needs.")
    layers: int
    train_steps: int
    chip_hours: float | None = Field(description="At least, for the planned train steps.")
    sentence: str
    steps: list[Step]
    versions: dict[str, str]
    seconds: float = Field(description="Time that it took to compile.")


class SliceReportTask(BackgroundTask):
    report: SliceReport | None = Field(description="Null until the task has succeeded.")

    @classmethod
    def of(cls, task: Task[Found]) -> Self:
        report = task.result.to_dict() if task.result else None
        return cls.model_validate({**task_fields(task), "report": report})


class SliceReportList(BaseModel):
    reports: list[SliceReportTask]
