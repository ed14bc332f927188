"""Responses about background tasks: dataset builds, imports and checks."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field

from app.api.models.imports import Diagnosis, ImportReport
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.jobs.imports import FileRead
from tunixrt_core.util.tasks import Task, TaskStatus


class BackgroundTask(BaseModel):
    id: str
    name: str
    status: TaskStatus
    phase: str
    done: int
    total: int = Field(description="0 while unknown.")
    message: str = Field(description="Reason for a failure or a stop.")
    seconds: float = Field(description="Wall time since the start.")


class Build(BackgroundTask):
    version: int | None = Field(description="Dataset version; null until the build has succeeded.")
    left_out: dict[str, int] | None = Field(
        description="Matching traces that became no row, by the reason; null until the build has succeeded."
    )

    @classmethod
    def of(cls, task: Task[DatasetVersion]) -> Self:
        made = task.result
        known = {"version": made.version, "left_out": made.left_out} if made else {"version": None, "left_out": None}
        return cls(**task_fields(task), **known)


class BuildList(BaseModel):
    builds: list[Build]


class FileImport(BackgroundTask):
    kind: str = Field(description="import, or check: reads the whole file and stores nothing.")
    report: ImportReport | Diagnosis | None = Field(description="Result; null until the task has succeeded.")

    @classmethod
    def of(cls, task: Task[FileRead]) -> Self:
        report = {**task.result.report.to_dict(), "rejects": None} if task.result else None
        return cls.model_validate({**task_fields(task), "kind": task.kind, "report": report})


class FileImportList(BaseModel):
    imports: list[FileImport]


def task_fields(task: Task[Any]) -> dict[str, Any]:
    names = ("id", "status", "phase", "done", "total", "message", "seconds")
    return {"name": task.title, **{name: getattr(task, name) for name in names}}
