"""SkyPilot's own loader takes every task, in an environment of its own: `make test-skypilot`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import LONG, REPOSITORY
from tests.training.launch.conftest import Plan
from tunixrt_core.training.ahead.slices import known_slices
from tunixrt_core.training.launch.order import RUNTIMES
from tunixrt_core.util.files.yaml import load_yaml

PYTHON = REPOSITORY / ".venv-skypilot" / "bin" / "python"
LOAD = """
import json, sys, yaml, sky
for name in sys.argv[1:]:
    with open(name) as file:
        task = sky.Task.from_yaml_config(yaml.safe_load(file))
    (resources,) = task.resources
    print(json.dumps([task.name, list(resources.accelerators), resources.accelerator_args["runtime_version"]]))
"""


def test_the_task_copies_both_files_and_asks_for_the_slice(planned: Plan, tmp_path: Path) -> None:
    task = load_yaml(planned("skypilot", "v5e-16", spot=True).document)
    assert task["resources"] == {
        "infra": "gcp",
        "accelerators": "tpu-v5litepod-16",
        "accelerator_args": {"runtime_version": "v2-alpha-tpuv5-lite", "tpu_vm": True},
        "use_spot": True,
    }
    assert set(task["file_mounts"].values()) == {str(tmp_path / "run.yaml"), str(tmp_path / "rows.jsonl")}
    assert all(Path(name).parent == Path("~/tunixrt-files") for name in task["file_mounts"])


@LONG
@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="SkyPilot is not installed: make test-skypilot installs it")
def test_the_loader_of_skypilot_takes_every_slice(planned: Plan, tmp_path: Path) -> None:
    slices = [each for each in known_slices() if each.chip.name in RUNTIMES]
    files = []
    for each in slices:
        found = planned("skypilot", each.name, {"batch_size": 1})
        files.append(tmp_path / f"{each.name}.yaml")
        files[-1].write_text(found.document)
    command = [str(PYTHON), "-c", LOAD, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [each[0] for each in loaded] == ["dial-v2"] * len(slices)
    assert [each[2] for each in loaded] == [RUNTIMES[each.chip.name] for each in slices]
