"""A clone differs in the requested values and in nothing else, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.variants import Difference, differences, make_variant, read_changes


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=40)


def test_a_clone_has_its_own_folder_and_lists_what_is_changed(manifest: RunManifest) -> None:
    variant = make_variant(manifest, {"learning_rate": 1e-4, "lora_rank": 4}, "/runs/r-0002")
    assert variant.manifest.output_dir == "/runs/r-0002"
    assert variant.manifest.optimizer.learning_rate == 1e-4
    assert variant.changed == (Difference("lora.rank", (16, 4)), Difference("optimizer.learning_rate", (3e-3, 1e-4)))
    assert variant.manifest.data == manifest.data


def test_a_clone_without_changes_differs_in_its_folder_alone(manifest: RunManifest) -> None:
    assert make_variant(manifest, {}, "elsewhere").changed == ()


@pytest.mark.parametrize(("change", "kept"), [({"epochs": 3.0}, "train_steps"), ({"train_steps": 80}, "epochs")])
def test_a_new_duration_takes_the_place_of_the_old_one(
    manifest: RunManifest, change: dict[str, float], kept: str
) -> None:
    duration = make_variant(manifest, change, "x").manifest.duration.model_dump()
    assert duration == {**change, kept: None}


def test_a_change_that_is_no_hyperparameter_is_refused_by_name(manifest: RunManifest) -> None:
    with pytest.raises(InvalidManifest, match=r"changes\.learning_rat: is not a hyperparameter; known are name, dtype"):
        make_variant(manifest, {"learning_rat": 1}, "x")


def test_a_value_that_cannot_be_used_is_refused_by_its_key(manifest: RunManifest) -> None:
    with pytest.raises(InvalidManifest, match=r"optimizer\.learning_rate"):
        make_variant(manifest, {"learning_rate": -1}, "x")


def test_several_manifests_are_compared_key_by_key(manifest: RunManifest) -> None:
    other = make_variant(manifest, {"seed": 7}, manifest.output_dir).manifest
    assert differences([manifest, other, manifest]) == [Difference("seed", (0, 7, 0))]
    assert differences([manifest]) == []


def test_a_section_that_one_manifest_lacks_counts_as_null(manifest: RunManifest) -> None:
    named = RunManifest.from_dict(
        {**manifest.to_dict(), "dataset": {"name": "mine", "version": 2, "content_hash": "0" * 64}}
    )
    assert Difference("dataset.name", (None, "mine")) in differences([manifest, named])


def test_changes_are_read_as_they_are_typed() -> None:
    read = read_changes(["learning_rate=1e-4", "schedule = linear", "packing=true", "early_stopping=null"])
    assert read == {"learning_rate": 1e-4, "schedule": "linear", "packing": True, "early_stopping": None}


@pytest.mark.parametrize("item", ["learning_rate", "=3", ""])
def test_a_change_without_a_name_or_a_value_is_refused(item: str) -> None:
    with pytest.raises(InvalidManifest, match="needs the form NAME=VALUE"):
        read_changes([item])
