"""Which files of a run's folder are a job's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunixrt_core.jobs.ray_cluster.bucket.chunks import files_in
from tunixrt_core.jobs.spec import JobSpec, Kind
from tunixrt_core.training.model_export import ExportLayout, folder_name
from tunixrt_core.tunix_backend.model.files.checkpoints import checkpoint_steps

STATE = "state.json"
# what people and servers write into a run's folder while it trains
_OF_THE_HOME = {"stop", "save", "queued.json", "annotations.json", "parent.json", "evals", "export"}


@dataclass(frozen=True, slots=True)
class Scope:
    """The files that a job writes, relative to the folder of its run."""

    kind: Kind
    folder: Path  # of the run
    work: str  # relative to it: where the job's state and its stop file are; "." for a training
    waiting: str = "queued.json"  # relative to that: the file that says that the job waits

    @classmethod
    def of(cls, spec: JobSpec) -> Scope:
        folder = Path(spec.body["folder"])
        if spec.kind == "train":
            return cls(spec.kind, folder, ".")
        if spec.kind == "export":
            layout = ExportLayout(spec.body["options"]["layout"])
            return cls(spec.kind, folder, ".", f"export/{folder_name(layout)}.queued.json")
        run = folder.parent.parent
        return cls(spec.kind, run, str(folder.relative_to(run)))

    @property
    def work_folder(self) -> Path:
        return self.folder / self.work

    @property
    def waiting_file(self) -> Path:
        return self.work_folder / self.waiting

    @property
    def state(self) -> str | None:
        """The file of the state; an export has none."""
        return None if self.kind == "export" else os.path.normpath(f"{self.work}/{STATE}")

    def light(self) -> Iterator[str]:
        """The files that change, the state first: what is read after it is not older."""
        if self.state is not None and (self.folder / self.state).is_file():
            yield self.state
        yield from (name for name in self._light() if name != self.state)

    def _light(self) -> Iterator[str]:
        if self.kind == "export":
            yield from (name for name in ("base.json",) if (self.folder / name).is_file())
            return
        for name in files_in(self.work_folder):
            path = os.path.normpath(f"{self.work}/{name}")
            if not _is_of_the_home(name) and not _in_checkpoint(path):
                yield path

    def heavy(self) -> Iterator[str]:
        """The folders that are complete and do not change."""
        if self.kind == "train":
            yield from whole_checkpoints(self.folder)
            aside = self.folder / "damaged-checkpoints"
            yield from (f"damaged-checkpoints/{name}" for name in _names(aside) if name.isdigit())
        elif self.kind == "export":
            # an export is renamed to its name when it is complete
            yield from (f"export/{name}" for name in _names(self.folder / "export") if is_export(self.folder, name))


def whole_checkpoints(folder: Path) -> Iterator[str]:
    yield from (f"checkpoints/{step}" for step in checkpoint_steps(folder / "checkpoints"))


def is_export(folder: Path, name: str) -> bool:
    return not name.startswith(".") and (folder / "export" / name / "export.json").is_file()


def _is_of_the_home(name: str) -> bool:
    return name.split("/", 1)[0] in _OF_THE_HOME


def _in_checkpoint(path: str) -> bool:
    """Whether a file is in a folder of checkpoints, complete or not."""
    parts = path.split("/")
    return len(parts) > 2 and parts[0] in ("checkpoints", "damaged-checkpoints")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
