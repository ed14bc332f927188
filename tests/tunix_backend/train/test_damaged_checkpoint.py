"""A damaged newest checkpoint costs the train steps since the one before, not the run, and is named in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import CheckpointError
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.pipeline.pipeline import open_home
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.model_export import ModelExportOptions

pytestmark = [pytest.mark.tunix, pytest.mark.slow]

VALUES = {"train_steps": 6, "batch_size": 4, "checkpoint_every": 2, "keep_checkpoints": 3, "sample_prompts": 0}


def test_a_resume_goes_on_from_the_checkpoint_before_and_says_so(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as rt:
        rt.traces.ingest_examples(40)
        rt.datasets.build(DatasetSpec("mine"))
        run = rt.runs.start(rt.manifests.build("mine", model_id="tiny-micro", hyperparams=VALUES))
        assert rt.queue.wait(200)
        folder, settings = rt.runs.folder(run.id), rt.settings
        weights = max((folder.checkpoints / "6" / "model_params").rglob("*"), key=lambda file: file.stat().st_size)
        os.truncate(weights, weights.stat().st_size // 2)
        with pytest.raises(CheckpointError, match=r"6 is damaged\. Use --checkpoint 4, the one before") as raised:
            Foreground(settings).export_model(
                folder,
                tmp_path / "model",
                checkpoint="last",
                options=ModelExportOptions(),
                on_phase=lambda phase: None,
            )
        assert len(str(raised.value)) < 300, "no page of TensorStore's own words"
        assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED, "what was refused changed nothing"
        rt.runs.resume(run.id, train_steps=8)
        assert rt.queue.wait(200)
        state = rt.runs.state(run.id)
        assert (state.status, state.train_step) == (RunStatus.SUCCEEDED, 8)
        assert "checkpoint of train step 6 is damaged" in folder.log_tail()
        assert "continues from train step 4" in folder.log_tail()
        assert (folder.path / "damaged-checkpoints" / "6").is_dir()
        assert [r.train_step for r in rt.runs.metrics(run.id)[0] if r.kind == "train"] == list(range(1, 9))
