"""A run that is killed at any train step continues as if nothing had happened: same losses, bit for bit."""

from __future__ import annotations

import hashlib
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AS_A_USER, LONG
from tests.helpers.machines import forked
from tests.tunix_backend.conftest import KeptReports, make_manifest, train
from tests.tunix_backend.helpers.killed_run import train_until
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import ChangeMetric
from tunixrt_core.training.trainer import TrainControls

pytestmark = [pytest.mark.tunix, pytest.mark.slow]

STEPS = 22


def run(manifest: RunManifest, models_dir: Path, *kill: object, **environ: str) -> int:
    """One process. Returns its exit code."""
    log = Path(manifest.output_dir).parent / "log"
    code = forked.end(forked.start(train_until, manifest, models_dir, *kill, log=log, **environ), within=200)
    assert code in (0, -signal.SIGKILL), log.read_text()[-2000:]
    return code


def what_was_measured(folder: RunDir) -> list[tuple[Any, ...]]:
    """Everything in the metrics file that does not depend on the clock or on where the run was killed."""
    records = [r for r in folder.metrics()[0] if r.kind in ("train", "eval", "samples")]
    keys = ("loss", "grad_norm", "learning_rate", "epoch", "trained_tokens", "parts", "mean_tokens", "repetition")
    return [(r.kind, r.train_step, *(str(getattr(r, key, None)) for key in keys)) for r in records]


def weights_hash(folder: RunDir, manifest: RunManifest, models_dir: Path) -> str:
    import jax
    import numpy as np
    from flax import nnx

    from tunixrt_core.tunix_backend.model.files.checkpoints import restore_weights
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        loaded = load_model(manifest, models_dir, mesh)
        restore_weights(loaded.model, folder.checkpoints, lora=manifest.method.adapts)
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(nnx.state(loaded.model, nnx.Param)):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("method", "accumulation", "kills", "environ"),
    [
        pytest.param("lora", 2, 2, {}, id="lora-2"),
        *(
            pytest.param(method, accumulation, 5, AS_A_USER, marks=LONG, id=f"{method}-{accumulation}-as-a-user")
            for method in ("lora", "full")
            for accumulation in (1, 2)
        ),
    ],
)
def test_a_run_killed_at_some_train_steps_ends_as_one_that_was_not(
    tmp_path: Path, models_dir: Path, method: str, accumulation: int, kills: int, environ: dict[str, str]
) -> None:
    def manifest(name: str) -> RunManifest:
        return make_manifest(
            tmp_path / name, method=method, gradient_accumulation=accumulation, packing=True, max_seq_length=192,
            batch_size=2, train_steps=STEPS, eval_every=5, checkpoint_every=4, lora_rank=4, seed=accumulation,
            sample_prompts=2, sample_tokens=8,
        )  # fmt: skip

    whole, killed = manifest("whole"), manifest("killed")
    assert run(whole, models_dir, **environ) == 0
    rng = random.Random(f"{method} {accumulation}")
    steps = sorted(rng.sample(range(1, STEPS + 1), kills))
    for i, train_step in enumerate(steps):
        # before: computed and maybe saved, but not written down; after: written down, but maybe not saved
        assert run(killed, models_dir, train_step, ("before", "after")[i % 2], **environ) == -signal.SIGKILL
    assert run(killed, models_dir, **environ) == 0

    one, other = RunDir(Path(whole.output_dir)), RunDir(Path(killed.output_dir))
    measured = what_was_measured(other)
    assert measured == what_was_measured(one), f"killed at {steps}"
    assert [step for kind, step, *_ in measured if kind == "train"] == list(range(1, STEPS + 1))
    assert [step for kind, step, *_ in measured if kind == "eval"] == [0, 5, 10, 15, 20, 22]
    assert other.samples()[0] == one.samples()[0]
    assert [answer.train_step for answer in other.samples()[0][::2]] == [0, 5, 10, 15, 20, 22]
    assert weights_hash(other, killed, models_dir) == weights_hash(one, whole, models_dir)


def test_what_changed_on_a_resume_is_told_at_its_train_step_and_once(tmp_path: Path, models_dir: Path) -> None:
    first = make_manifest(tmp_path, train_steps=4, eval_every=100, checkpoint_every=2, warmup_share=0.0)
    longer = change_manifest(first, {"train_steps": 8, "weight_decay": 0.1})
    train(first, models_dir)
    for _ in range(2):  # the second is told the same, as the checkpoint was still trained with the first manifest
        controls, reports = TrainControls(), KeptReports()
        controls.stop.set()
        train(longer, models_dir, reports, controls)
        (change,) = (record for record in reports.records if isinstance(record, ChangeMetric))
        assert change.train_step == 4
        wanted = {"duration.train_steps": (4, 8), "optimizer.weight_decay": (0.01, 0.1)}
        assert {key: tuple(values) for key, values in change.changes.items()} == wanted
        assert any("optimizer.weight_decay 0.01 to 0.1" in line for line in reports.lines)
        assert any("learning rate changes from 0.0005 in train step 4 to 0.00" in line for line in reports.lines)
    reports = KeptReports()
    train(longer, models_dir, reports)
    train(longer, models_dir, reports)
    assert len([record for record in reports.records if isinstance(record, ChangeMetric)]) == 1
