"""What the compiler counts is what the trainer would hold, and the closed form is not far from it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import cases
from tests.helpers.machines import forked
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.families import write_checkpoint
from tests.tunix_backend.helpers.memory_reports import write_reports
from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.estimates.memory import MemoryReport, estimate
from tunixrt_core.tunix_backend.memory.count import environment, estimate_manifest, measure, sizes_of
from tunixrt_core.tunix_backend.model.files.fit import check_weights
from tunixrt_core.tunix_backend.model.models import local_model

pytestmark = pytest.mark.tunix

METHODS = [(method, dtype) for method in ("full", "lora", "qlora") for dtype in ("float32", "bfloat16")]
WHOLE = ("full", "bfloat16")  # held in float32, computed in bfloat16
KEPT = {WHOLE, ("qlora", "float32")}

Counted = dict[tuple[str, str, str], tuple[RunManifest, MemoryReport]]  # by method, type and remat


def make(folder: Path, method: str, dtype: str, remat: str = "none") -> RunManifest:
    return make_manifest(folder, method=method, dtype=dtype, remat=remat, tile_size=8)


@pytest.fixture(scope="module")
def counted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Counted:
    """The smallest model's reports of one device: in one process like that of `measure`, which would start one each."""
    folder = tmp_path_factory.mktemp("memory")
    asked = [case for case in METHODS if case in KEPT or request.config.getoption("--all")]
    manifests = {(*case, "none"): make(folder / "-".join(case), *case) for case in asked}
    manifests[*WHOLE, "block"] = make(folder / "remat", *WHOLE, "block")
    target, log = folder / "reports.json", folder / "log"
    process = forked.start(write_reports, list(manifests.values()), models_dir, target, log=log, **environment(1))
    assert forked.end(process, within=250) == 0, log.read_text()[-2000:]
    reports = (MemoryReport(**report) for report in json.loads(target.read_text()))
    return {case: (manifests[case], report) for case, report in zip(manifests, reports, strict=True)}


@pytest.mark.parametrize(("method", "dtype"), cases(METHODS, KEPT))
def test_weights_and_optimizer_are_those_of_the_loaded_model(
    counted: Counted, models_dir: Path, method: str, dtype: str
) -> None:
    from flax import nnx

    from tunixrt_core.tunix_backend.memory.abstract_step import bytes_of, with_optimizer
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    manifest, report = counted[method, dtype, "none"]
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        model = load_model(manifest, models_dir, mesh, trains=True).model
        optimizer = with_optimizer(model, manifest)
    assert report.weights == bytes_of(model)
    assert report.optimizer == bytes_of(nnx.state(optimizer, nnx.optimizer.OptState))
    assert report.compiled_for == "cpu"


def test_computing_layers_again_takes_less_although_it_is_compiled_for_a_cpu(counted: Counted) -> None:
    _, plain = counted[*WHOLE, "none"]
    _, again = counted[*WHOLE, "block"]
    assert again.activations < plain.activations
    assert again.weights == plain.weights


def test_four_devices_hold_less_each_and_no_device_of_this_process_is_touched(
    counted: Counted, tmp_path: Path, models_dir: Path
) -> None:
    before = dict(os.environ)
    _, one = counted[*WHOLE, "none"]
    four = measure(make(tmp_path, *WHOLE), models_dir, devices=4)
    assert four.devices == 4
    assert four.weights < one.weights / 3
    assert four.total < one.total
    assert os.environ == before


def test_the_fused_loss_takes_less_where_there_are_many_words(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.memory.abstract_step import compile_step
    from tunixrt_core.tunix_backend.model.models import make_mesh

    manifests = [make_manifest(tmp_path, loss=kind, loss_chunk=16, batch_size=2) for kind in ("plain", "fused")]
    large = replace(check_weights(local_model("tiny-micro", models_dir)), vocab_size=32_768)
    plain, fused = (compile_step(one, large, make_mesh(one.mesh, 2), row_length=128, parts=5) for one in manifests)
    assert fused.activations < plain.activations / 2
    for manifest, report in zip(manifests, (plain, fused), strict=True):
        guessed = estimate(sizes_of(large, manifest), manifest, row_length=128)
        assert report.total / 2 < guessed.total < report.total * 2


@pytest.mark.parametrize(("method", "dtype"), cases(METHODS, KEPT))
def test_the_estimate_is_within_a_factor_of_two(counted: Counted, models_dir: Path, method: str, dtype: str) -> None:
    manifest, report = counted[method, dtype, "none"]
    guessed, _ = estimate_manifest(manifest, models_dir, row_length=report.row_length)
    assert report.total / 2 < guessed.total < report.total * 2
    assert guessed.weights == pytest.approx(report.weights, rel=0.02)
    assert guessed.optimizer == pytest.approx(report.optimizer, rel=0.02)


@pytest.mark.parametrize("kind", ["qwen3_moe", "gemma4_text"])
def test_experts_and_embeddings_per_layer_are_counted(tmp_path: Path, models_dir: Path, kind: str) -> None:
    from tunixrt_core.tunix_backend.memory.abstract_step import bytes_of, compile_step
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    write_checkpoint(tmp_path / "model", kind)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method="full", batch_size=2)
    architecture = check_weights(tmp_path / "model")
    mesh = make_mesh(manifest.mesh, 2)
    report = compile_step(manifest, architecture, mesh, row_length=128, parts=5)
    guessed = estimate(sizes_of(architecture, manifest), manifest, row_length=128)
    assert report.total / 2 < guessed.total < report.total * 2
    with mesh:
        assert report.weights == bytes_of(load_model(manifest, models_dir, mesh, trains=True).model)


def test_what_cannot_be_counted_is_said_in_a_sentence(tmp_path: Path, models_dir: Path) -> None:
    with pytest.raises(ModelError, match="matches no module of the model"):
        measure(make_manifest(tmp_path, lora_modules="nothing", method="lora"), models_dir)
