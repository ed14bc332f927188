"""A dry run does all that a run does, once, and leaves nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.tunix_backend.conftest import make_manifest, write_rows
from tunixrt_core.errors import ModelError
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.execution import execute_dry_run
from tunixrt_core.tunix_backend.backend import TunixBackend

pytestmark = pytest.mark.tunix


def test_the_longest_rows_are_trained_on_saved_evaluated_and_answered(tmp_path: Path, models_dir: Path) -> None:
    long = Trace("7 " * 60, (), "1")
    rows = write_rows(tmp_path / "rows.jsonl", [*example_traces(20), long], list(example_traces(25))[20:])
    manifest = make_manifest(tmp_path, rows=rows, batch_size=2, method="lora", lora_rank=4, train_steps=1000)
    phases: list[str] = []
    report = execute_dry_run(manifest, TunixBackend(models_dir), tmp_path / "scratch", on_phase=phases.append)
    assert report.tokens > 120
    assert report.train_loss > 1
    assert report.eval_loss is not None
    assert report.checkpoint_bytes > 1000
    assert report.peak_memory_bytes > 1 << 20
    assert isinstance(report.generated, str)
    assert {"loading", "compiling", "saving"} <= set(phases)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (tmp_path / "run").exists()


def test_what_would_end_the_run_ends_the_dry_run(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, method="lora", lora_modules="nothing_like_this")
    with pytest.raises(ModelError, match="matches no module"):
        execute_dry_run(manifest, TunixBackend(models_dir), tmp_path / "scratch", stop=threading.Event())
    assert list((tmp_path / "scratch").iterdir()) == []
