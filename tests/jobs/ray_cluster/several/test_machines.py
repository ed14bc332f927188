"""What a training asks of a cluster, and the sentence about what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import Stopped
from tunixrt_core.jobs.kinds.trainings import training
from tunixrt_core.jobs.ray_cluster.several.machines import Machines, as_options, require_wanted
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus


def node(alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"Alive": alive, "Resources": resources}


NODES = [node(CPU=8, GPU=1), node(CPU=8), node(CPU=8, GPU=1, alive=False), node()]


def test_machines_that_are_there_and_those_that_have_enough_are_counted_apart() -> None:
    found = Machines.of(NODES, {"CPU": 4, "GPU": 1}, 2)
    assert (found.alive, found.fitting, found.are_enough) == (3, 1, False)
    assert found.why_it_waits == (
        "It waits for 2 machines with 4 CPU and 1 GPU each. The Ray cluster has 3 machines, of which 1 with that. "
        "Add machines to the cluster, or stop the run and ask for less."
    )


def test_enough_machines_that_are_in_use_are_said_to_be() -> None:
    found = Machines.of(NODES, {"CPU": 4}, 2)
    assert found.are_enough
    assert found.why_it_waits == (
        "It waits for 2 machines with 4 CPU each. The Ray cluster has 2, of which not enough are free."
    )


def test_what_it_takes_is_given_to_ray_as_options_of_an_actor() -> None:
    assert as_options({"CPU": 2, "TPU": 4}) == {"num_cpus": 2, "num_gpus": 0, "resources": {"TPU": 4}}
    assert as_options({"GPU": 0.5}) == {"num_cpus": 0, "num_gpus": 0.5, "resources": {}}


def test_a_stop_file_cancels_a_run_only_until_it_has_begun(tmp_path: Path) -> None:
    folder = RunDir(tmp_path / "run")
    spec = training("r-0001", make_manifest(tmp_path, train_steps=4), folder, processes=2)
    require_wanted(spec)
    folder.stop_file.touch()
    with pytest.raises(Stopped, match="while it waited for machines"):
        require_wanted(spec)
    folder.write_state(replace(folder.state(), status=RunStatus.RUNNING))
    require_wanted(spec)
