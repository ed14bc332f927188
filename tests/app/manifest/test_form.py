"""What the form holds becomes the manifest that would be built from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from app.manifest.choice import ManifestChoice, plan_lines
from app.manifest.form import FIELDS, local_models
from app.manifest.hyper_fields import first_value
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest
from tunixrt_core.manifest.sections import DataSection, DatasetSection
from tunixrt_core.pipeline.pipeline import open_pipeline
from tunixrt_core.settings import Settings


@dataclass(frozen=True)
class Form:
    version: DatasetVersion
    data: DataSection

    def make(self, model: str = "tiny", output_dir: str = "/runs/mine", **values: object) -> RunManifest:
        return ManifestChoice(self.version, model, output_dir, values).manifest(self.data)


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Form:
    home = tmp_path_factory.mktemp("form") / "home"
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})) as rt:
        rt.traces.ingest_examples(60)
        version = rt.datasets.build(DatasetSpec("dial"))
        return Form(version, rt.manifests.data("dial"))


def test_the_fields_of_the_form_stand_in_the_manifest(form: Form) -> None:
    made = form.make(learning_rate=1e-3, epochs=None, train_steps=40, batch_size=4)
    assert made.optimizer.learning_rate == 1e-3
    assert (made.duration.epochs, made.duration.train_steps) == (None, 40)
    assert made.output_dir == "/runs/mine"
    assert made.data == form.data
    assert made.dataset == DatasetSection(**form.version.ref)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"epochs": 1.0, "learning_rate": 7.0}, "optimizer.learning_rate"),
        ({"epochs": 1.0, "train_steps": 3}, "duration"),
        ({"epochs": 1.0, "model": "/no/such/model"}, "model_id"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(form: Form, values: dict[str, object], key: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        form.make(**values)
    assert caught.value.key == key


def test_the_plan_counts_train_steps_and_epochs(form: Form) -> None:
    lines = dict(plan_lines(form.make(epochs=None, train_steps=27, batch_size=4, gradient_accumulation=2)))
    assert lines["Train steps"] == f"27 of 8 rows each, {27 * 8 / form.data.train_rows:.1f} epochs"


def test_models_in_the_models_folder_are_offered(tmp_path: Path) -> None:
    for name in ("qwen3", "google/gemma-3-1b-it"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    assert local_models(tmp_path) == ["tiny", "tiny-micro", "google/gemma-3-1b-it", "qwen3"]
    assert local_models(tmp_path / "none") == ["tiny", "tiny-micro"]


def test_every_field_takes_its_first_value_and_bounds_from_the_table() -> None:
    assert set(FIELDS) <= set(HYPERPARAMETERS)
    assert (first_value("lora_rank"), first_value("early_stopping"), first_value("schedule")) == (16, 0, "cosine")
    assert (HYPERPARAMETERS["seed"].least, HYPERPARAMETERS["seed"].most) == (0, 2**32 - 1)
