"""What the form holds becomes the manifest that would be built from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.manifest.choice import ManifestChoice, apply_choice, plan_lines
from app.manifest.form import local_models
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import open_pipeline
from tunixrt_core.settings import Settings


@pytest.fixture
def base(tmp_path: Path) -> RunManifest:
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})) as rt:
        rt.traces.ingest_examples(60)
        rt.datasets.build(DatasetSpec("dial"))
        return rt.manifests.build("dial", model_id="tiny")


def choice(base: RunManifest, **values: object) -> RunManifest:
    model = str(values.pop("model", "tiny"))
    output = values.pop("output_dir", None)
    # the dataset version is not asked: the base manifest was made of it
    form = ManifestChoice(None, model, None if output is None else str(output), values)  # type: ignore[arg-type]
    return apply_choice(base, form)


def test_the_fields_of_the_form_stand_in_the_manifest(base: RunManifest) -> None:
    made = choice(base, learning_rate=1e-3, epochs=None, train_steps=40, batch_size=4, output_dir="/runs/mine")
    assert made.optimizer.learning_rate == 1e-3
    assert (made.duration.epochs, made.duration.train_steps) == (None, 40)
    assert made.output_dir == "/runs/mine"
    assert made.data == base.data


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"epochs": 1.0, "learning_rate": 7.0}, "optimizer.learning_rate"),
        ({"epochs": 1.0, "train_steps": 3}, "duration"),
        ({"epochs": 1.0, "model": "/no/such/model"}, "model_id"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(base: RunManifest, values: dict[str, object], key: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        choice(base, **values)
    assert caught.value.key == key


def test_the_plan_counts_train_steps_and_epochs(base: RunManifest) -> None:
    lines = dict(plan_lines(choice(base, epochs=None, train_steps=27, batch_size=4, gradient_accumulation=2)))
    assert lines["Train steps"] == f"27 of 8 rows each, {27 * 8 / base.data.train_rows:.1f} epochs"


def test_models_in_the_models_folder_are_offered(tmp_path: Path) -> None:
    for name in ("qwen3", "google/gemma-3-1b-it"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    assert local_models(tmp_path) == ["tiny", "tiny-micro", "google/gemma-3-1b-it", "qwen3"]
    assert local_models(tmp_path / "none") == ["tiny", "tiny-micro"]
