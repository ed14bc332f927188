"""`tunixrt memory` tells what a train step needs, and exits with 1 where that does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.helpers.command import tunixrt
from tests.tunix_backend.conftest import make_manifest

pytestmark = pytest.mark.tunix


def written(folder: Path, **hyper: Any) -> Path:
    path = folder / "run.yaml"
    path.write_text(make_manifest(folder, **hyper).to_yaml())
    return path


def test_a_small_run_fits_at_once(tmp_path: Path) -> None:
    done = tunixrt("memory", written(tmp_path), "--estimate", "--device", "v5e", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    for words in ("Optimizer", "of 16.0 GB on v5e: fits", "estimated from config.json"):
        assert words in done.stdout


def test_of_a_gpu_the_share_counts_that_jax_takes(tmp_path: Path) -> None:
    done = tunixrt("memory", written(tmp_path), "--estimate", "--device", "h100", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "of 60.0 GB on h100, of which JAX takes 75%: fits" in " ".join(done.stdout.split())


def test_a_large_one_does_not_and_advice_is_given(tmp_path: Path) -> None:
    file = written(tmp_path, batch_size=64, max_seq_length=65536, loss="plain", attention="reference")
    done = tunixrt("memory", file, "--estimate", "--device", "V5E", "--json", home=tmp_path / "home")
    assert done.returncode == 1
    found = orjson.loads(done.stdout)
    assert not found["fits"]
    assert found["need"] > found["limit"] == 16_000_000_000
    assert {"remat": "decoder"} in [one["changes"] for one in found["advice"]]


def test_a_device_that_is_not_known_is_refused_with_those_that_are(tmp_path: Path) -> None:
    done = tunixrt("memory", written(tmp_path), "--device", "abacus", home=tmp_path / "home")
    assert done.returncode == 2
    assert "v5e" in done.stderr


def test_the_compiled_figure_says_what_it_was_compiled_for(tmp_path: Path) -> None:
    done = tunixrt("memory", written(tmp_path, batch_size=2), "--devices", "2", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "2 devices, compiled for CPU: an upper estimate for a TPU or GPU" in " ".join(done.stdout.split())
