"""Slices are compared by what their reports say, and a slice that cannot hold the weights is not compiled for."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.training.ahead.test_costs import GB, cost, report
from tunixrt_core.errors import CompilerMissing, InvalidSlice, JobFailed
from tunixrt_core.jobs import slices
from tunixrt_core.jobs.slices import SliceReports
from tunixrt_core.manifest.manifest import RunManifest, manifest_without_data
from tunixrt_core.training.ahead.choice import Option, candidates, compare
from tunixrt_core.training.estimates.memory import ModelSizes, advise, estimate, need_of
from tunixrt_core.tunix_backend.ahead import environment

SIZES = ModelSizes(
    layers=28,
    vocab=151_936,
    embed=1024,
    hidden=3072,
    heads=16,
    parameters=596_000_000,
    kv_heads=8,
    head_dim=128,
    lora=10_000_000,
)


def manifest(**hyper: Any) -> RunManifest:
    return manifest_without_data("org/name", {"max_seq_length": 2048, **hyper})


def option(name: str, rows: int, total: int) -> Option:
    found = report(cost(weights=GB, temporary=total - GB), slice=name, limit=16 * GB)
    return Option(name, int(name.partition("-")[2]), rows, 16 * GB, total, found)


def test_the_smallest_that_fits_is_chosen_and_advice_is_for_the_next_smaller_one_of_its_chip() -> None:
    found = compare([option("v5e-1", 4, 40 * GB), option("v5e-4", 4, 20 * GB), option("v5e-8", 4, 10 * GB)],
                    manifest(), SIZES)  # fmt: skip
    assert found.smallest is not None
    assert found.smallest.slice == "v5e-8"
    assert found.smaller == "v5e-4"
    assert found.advice
    assert found.advice[-1].total < 16 * GB
    assert found.to_dict()["smallest"] == {"slice": "v5e-8", "rows": 4}


def test_where_none_fits_the_advice_is_for_the_largest() -> None:
    found = compare([option("v5e-1", 4, 40 * GB), option("v5e-4", 4, 30 * GB)], manifest(), SIZES)
    assert found.smallest is None
    assert found.smaller == "v5e-4"


def test_where_the_smallest_of_all_fits_there_is_nothing_to_advise() -> None:
    assert compare([option("v5e-1", 4, GB * 2), option("v5e-4", 4, GB)], manifest(), SIZES).smaller is None


def test_advice_on_weights_counts_every_device_of_a_slice() -> None:
    """A chip of 7x is two devices; weights that do not fit are never compiled, and have no report."""
    wanted, limit = manifest(batch_size=8, method="full"), 2 * GB
    by_hand = need_of(estimate(SIZES, wanted, row_length=2048, devices=8), limit, "7x-8", shared=False)
    found = compare([Option("7x-8", 4, 8, limit, 3 * GB)], wanted, SIZES)
    assert found.smaller == "7x-8"
    assert list(found.advice) == advise(by_hand, wanted, SIZES, 8) != []


def test_a_slice_without_a_program_is_neither_chosen_nor_advised_on() -> None:
    broken = Option("v5e-4", 4, 6, 16 * GB, GB, None, "v5e-4: the steps could not be compiled.")
    found = compare([broken], manifest(), SIZES)
    assert (found.smallest, found.smaller) == (None, None)
    assert compare([broken, option("v5e-8", 8, GB)], manifest(), SIZES).smaller is None


@pytest.mark.tunix
def test_one_slice_that_cannot_be_compiled_for_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.tunix_backend.ahead.test_compile import CONFIG

    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    reports = SliceReports(tmp_path / "models", tmp_path / "slices")

    def compile_one(changed: RunManifest, name: str, *_: Any, **more: Any) -> Any:
        if name == "v5e-4":
            raise JobFailed("v5e-4: the steps could not be compiled.")
        return report(cost(temporary=GB), slice=name)

    monkeypatch.setattr(reports, "report", compile_one)
    found = reports.compare(
        manifest_without_data(str(tmp_path), {}), ["v5e"], [], progress=lambda *_: None,
        stop=threading.Event(),
    )  # fmt: skip
    assert [bool(option.failed) for option in found.options] == [False, True, False]
    assert found.smallest is not None


def test_candidates_have_the_devices_of_the_mesh() -> None:
    assert [on.name for on in candidates(manifest(), ["v6e", "7x"])] == ["v6e-1", "v6e-4", "v6e-8", "7x-8", "7x-16"]
    assert [on.name for on in candidates(manifest(mesh_fsdp=4, mesh_tp=2), ["v6e"])] == ["v6e-8"]


@pytest.mark.tunix
def test_a_report_that_was_kept_needs_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.tunix_backend.ahead.test_compile import CONFIG, keep

    def missing() -> None:
        raise CompilerMissing("libtpu: the TPU compiler is not installed.")

    monkeypatch.setattr(environment, "require_compiler", missing)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    reports = SliceReports(tmp_path / "models", tmp_path / "slices")
    wanted = manifest_without_data(str(folder), {})
    with pytest.raises(CompilerMissing):
        reports.start(wanted, "v6e-4", ("train",))
    with pytest.raises(InvalidSlice):
        reports.start(wanted, "v6e-5", ("train",))
    keep(reports._compiler(), wanted, folder)
    task = reports.start(wanted, "v6e-4", ("train",))
    assert reports.tasks.wait(task.id, 20).value().slice == "v6e-4"
    reports.close(5)


@pytest.mark.tunix
def test_a_slice_that_cannot_hold_the_weights_is_not_compiled_for(tmp_path: Path) -> None:
    from tests.tunix_backend.ahead.test_compile import CONFIG

    large = CONFIG | {"hidden_size": 16_384, "intermediate_size": 65_536, "num_hidden_layers": 64}
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(large))
    reports = SliceReports(tmp_path / "models", tmp_path / "slices")
    found = reports.compare(
        manifest_without_data(str(folder), {}), ["v5e"], [], progress=lambda *_: None,
        stop=threading.Event(),
    )  # fmt: skip
    assert [option.fits for option in found.options] == [False, False, False]
    assert all(option.report is None and option.need > option.limit for option in found.options)


def test_progress_over_several_slices_counts_those_that_are_done() -> None:
    told: list[tuple[str, int, int]] = []
    following = slices._Following(lambda phase, done, total: told.append((phase, done, total)), 4)
    following._began -= 30
    following.done = 1
    following.next("v6e-4, 8 rows")("train, 2 layers", 50, 100)
    assert told == [("v6e-4, 8 rows (2 of 4): train, 2 layers", 30, 80)]
