"""Which checkpoints are kept, and that no broken weights are trained or saved."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.tunix_backend.conftest import KeptReports, make_manifest, train
from tests.tunix_backend.helpers.preflight_makers import ModelDir
from tunixrt_core.errors import ModelError

pytestmark = pytest.mark.tunix


@pytest.mark.parametrize(("best", "kept"), [(None, [30, 40]), (10, [10, 30, 40]), (40, [30, 40]), (99, [30, 40])])
def test_the_last_ones_and_the_best_are_kept(best: int | None, kept: list[int]) -> None:
    from tunixrt_core.tunix_backend.train.saving import KeepLatestAndBest

    there = [SimpleNamespace(step=step) for step in (10, 20, 30, 40)]
    decided = KeepLatestAndBest(2, lambda: best).should_preserve(there, context=None)
    assert [info.step for info, keep in zip(there, decided, strict=True) if keep] == kept


@pytest.mark.parametrize("method", ["full", "qlora"])
def test_weights_that_are_no_numbers_end_a_run_before_its_first_train_step(
    tmp_path: Path, models_dir: Path, method: str
) -> None:
    from safetensors.numpy import load_file, save_file

    model = ModelDir(tmp_path / "model").path / "model.safetensors"
    held = load_file(model)
    held["model.norm.weight"][3] = np.nan
    save_file(held, model)
    reports = KeptReports()
    manifest = make_manifest(tmp_path, model=str(model.parent), method=method, tile_size=8, packing=False)
    with pytest.raises(ModelError, match=r"hold NaN or an infinity: final_norm\.w\. Download"):
        train(manifest, models_dir, reports)
    assert reports.records == []
