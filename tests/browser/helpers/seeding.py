"""A home with something on every page: real traces, real trainings of the tiny model, answers, an export."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from tests.helpers.many_runs import many_runs
from tunixrt_core.errors import TunixRTError
from tunixrt_core.pipeline.demo import fill
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.settings import Settings

TRAIN_STEPS = 340  # what the example needs to be learned
EARLIER = 36  # runs


def seed_home(home: Path, train_steps: int = TRAIN_STEPS) -> None:
    """Fill a new home, in the order in which a user would. Takes about six minutes on two CPU cores.

    r-0037 is finished, evaluated and exported; r-0038 is a short clone of it, evaluated too; r-0039 is stopped half
    way; r-0040 fails, as its data file was changed after its manifest was made. The 36 before them are rows and curves
    that nobody trained.
    """
    many_runs(home, EARLIER)
    with open_pipeline(Settings.from_env({**os.environ, "TUNIXRT_HOME": str(home)})) as rt:
        first, _ = fill(rt, lambda text: print(text, file=sys.stderr), {"train_steps": train_steps})
        _stop_half_way(rt, first, train_steps)
        _fail(rt)
        rt.model_exports.start(first.id)
        rt.queue.wait()


def _stop_half_way(rt: Pipeline, parent: Run, train_steps: int) -> None:
    run = rt.runs.start(rt.manifests.clone(parent.id, {"seed": 7}).manifest)
    while rt.runs.state(run.id).train_step < train_steps // 2 and not rt.runs.get(run.id).status.over:
        time.sleep(0.2)
    rt.runs.stop(run.id)
    rt.queue.wait()


def _fail(rt: Pipeline) -> None:
    data = rt.settings.home / "dial-by-hand.jsonl"
    shutil.copy(rt.exports.write("dial").path, data)
    manifest = rt.manifests.build(data_file=data, model_id="tiny", hyperparams={"name": "dial-by-hand"})
    with data.open("a") as file:
        file.write("\n")
    _ended(rt, rt.runs.start(manifest))


def _ended(rt: Pipeline, run: Run) -> Run:
    rt.queue.wait()
    ended = rt.runs.get(run.id)
    print(f"{ended.id}: {ended.status}", file=sys.stderr)
    if ended.status not in (RunStatus.SUCCEEDED, RunStatus.FAILED):
        raise TunixRTError(f"{ended.id} is {ended.status}: {ended.message}")
    return ended


if __name__ == "__main__":
    seed_home(Path(sys.argv[1]))
