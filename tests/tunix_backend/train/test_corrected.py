"""Families whose code is corrected are trained as every other: the loss falls, and what is fixed stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import cases
from tests.tunix_backend.conftest import KeptReports, make_manifest, train, write_rows
from tests.tunix_backend.helpers.exports import export, tensors
from tests.tunix_backend.helpers.families import weights, write_checkpoint
from tunixrt_core.traces.trace import Step, Trace

pytestmark = pytest.mark.tunix

ROWS = [Trace(f"{i} + 1?", (Step(0, "so"),), str(i + 1)) for i in range(4)]
MATRIX = [(kind, method) for kind in ("qwen3_moe", "gemma4_text") for method in ("full", "lora")]
KEPT = {("qwen3_moe", "full"), ("gemma4_text", "full")}


@pytest.mark.parametrize(("kind", "method"), cases(MATRIX, KEPT))
def test_the_loss_falls_and_only_what_is_trained_changes(
    tmp_path: Path, models_dir: Path, kind: str, method: str
) -> None:
    write_checkpoint(tmp_path / "model", kind)
    options: dict[str, Any] = {"learning_rate": 0.01, "schedule": "constant", "train_steps": 4, "batch_size": 2}
    rows = write_rows(tmp_path / "rows.jsonl", ROWS)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), rows=rows, method=method, lora_rank=4, **options)
    reports = KeptReports()
    train(manifest, models_dir, reports)
    losses = reports.of("train")
    assert losses[4] < losses[1] - 0.05
    (check,) = export(manifest, models_dir, tmp_path / "out").checks
    assert check.agreement == 1.0
    (written,) = tensors(tmp_path / "out").values()
    changed = {name for name, value in weights(kind).items() if not np.array_equal(written[name], value)}
    adapted = {name for name in weights(kind) if "_proj.weight" in name and "experts" not in name}
    fixed = {name for name in weights(kind) if name.endswith("layer_scalar")}
    assert changed == (adapted if method == "lora" else weights(kind).keys() - fixed)
