"""What the tests of the preflight plant their faults in: a model directory to change, rows to write, a machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.training.preflight.report import Finding, Preflight
from tunixrt_core.tunix_backend.model.tiny import write_builtin_model
from tunixrt_core.tunix_backend.preflight.check import run_preflight
from tunixrt_core.tunix_backend.preflight.machine import Machine

CPU = Machine("CPU", {"JAX_PLATFORMS": "cpu"}, True, (), lambda path: 1 << 40)


def task(i: int, **changes: Any) -> Trace:
    """A small row, each `i` another one."""
    values: dict[str, Any] = {
        "prompt": f"What is {i} and {i}?",
        "steps": (Step(0, f"{i} and {i} is {2 * i}."),),
        "final_answer": str(2 * i),
    }
    return Trace(**{**values, **changes})


def long_task(i: int, steps: int) -> Trace:
    return task(i, steps=tuple(Step(n, f"step {n} of the way to {2 * i}") for n in range(steps)))


class ModelDir:
    """A copy of the smallest built-in model, whose files a test may change."""

    def __init__(self, path: Path) -> None:
        source = write_builtin_model("tiny-micro", path.parent / "tiny-micro")
        self.path = shutil.copytree(source, path)

    def change(self, file: str, **values: Any) -> ModelDir:
        """Set keys of a JSON file; a key of None is taken out."""
        data = json.loads((self.path / file).read_text())
        data.update(values)
        (self.path / file).write_text(json.dumps({k: v for k, v in data.items() if v is not None}))
        return self

    def edit(self, file: str, edit: Callable[[dict[str, Any]], None]) -> ModelDir:
        data = json.loads((self.path / file).read_text())
        edit(data)
        (self.path / file).write_text(json.dumps(data))
        return self


def check(manifest: RunManifest, models_dir: Path, *, machine: Machine = CPU, is_new: bool = True) -> Preflight:
    return run_preflight(manifest, RunDir(Path(manifest.output_dir)), models_dir, machine=machine, is_new=is_new)


def of_model(folder: Path, model: ModelDir, **hyper: Any) -> RunManifest:
    """A manifest with usual values for a model that is not built in."""
    return make_manifest(folder, model=str(model.path), **{"method": "full", "learning_rate": 1e-5, **hyper})


def only(found: Preflight, code: str) -> Finding:
    """The finding of this code, where it is the only finding of all."""
    assert [finding.code for finding in found.findings] == [code], [f.sentence for f in found.findings]
    return found.findings[0]
