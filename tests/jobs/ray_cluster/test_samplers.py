"""An evaluation that is spread over two nodes writes the bytes of one process, also after a sampler was killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers.machines.ray_nodes import PATIENCE, RayNodes, needs_ray, until
from tests.helpers.makers import make_manifest
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.manifest.manifest import change_manifest
from tunixrt_core.pipeline.pipeline import Pipeline, open_home
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.trainer import Sampling

pytestmark = needs_ray

GREEDY = EvalRequest(max_new_tokens=8)
DRAWN = EvalRequest(max_new_tokens=8, samples=3, sampling=Sampling(temperature=1.0, seed=7))


def evaluate(rt: Pipeline, run_id: str, request: EvalRequest, *, again: bool) -> list[bytes]:
    """The lines of the predictions, sorted: of several processes they come in another order."""
    (record,) = rt.evaluations.start(run_id, ["tuned"], request, again=again)
    assert rt.queue.wait(PATIENCE)
    done = rt.evaluations.get(record.id).record
    assert done.status is RunStatus.SUCCEEDED, done.message
    return sorted(EvalDir.of(record).predictions_file.read_bytes().splitlines())


def test_two_samplers_answer_as_one_process_does_also_when_one_is_killed(
    nodes: RayNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNIXRT_ALLOW", str(tmp_path))
    manifest = change_manifest(make_manifest(tmp_path, train_steps=2, eval_rows=40), {"eval_every": 100})
    home = tmp_path / "home"
    with open_home(home) as rt:
        run = rt.runs.start(manifest)
        assert rt.queue.wait(PATIENCE)
        alone = [evaluate(rt, run.id, request, again=False) for request in (GREEDY, DRAWN)]
        summaries = [record.metrics for record in rt.evaluations.records(run.id)]
    assert (len(alone[0]), len(alone[1])) == (40, 120)
    for name, value in nodes.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TUNIXRT_EXECUTOR", f"{nodes.address}&samplers=2")
    with open_home(home) as rt:
        assert evaluate(rt, run.id, GREEDY, again=True) == alone[0]
        (record,) = rt.evaluations.start(run.id, ["tuned"], DRAWN, again=True)
        until(lambda: 0 < (rt.evaluations.get(record.id).state.done) < 120)
        os.kill(nodes.processes("ray::Loaded")[0], signal.SIGKILL)
        assert rt.queue.wait(PATIENCE)
        assert evaluate(rt, run.id, DRAWN, again=False) == alone[1]
        scores = [{name: value for name, value in found.items() if name != "seconds"} for found in summaries]
        spread = [record.metrics for record in rt.evaluations.records(run.id)]
        assert [{name: value for name, value in found.items() if name != "seconds"} for found in spread] == scores
