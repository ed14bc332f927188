"""The table of hyperparameters: what the fields of the manifest say, and values outside of their range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest, change_manifest


def test_every_row_says_what_its_value_is() -> None:
    assert [row.name for row in HYPERPARAMETERS.values() if not row.help.endswith(".")] == []
    assert {row.key for row in HYPERPARAMETERS.values()} >= {"method", "lora.rank", "duration.epochs", "mesh.tp"}


def test_a_default_is_that_of_a_manifest_which_says_nothing(tmp_path: Path) -> None:
    made = make_manifest(tmp_path, train_steps=1).to_dict()
    least = {key: made[key] for key in ("model", "data", "output_dir")} | {"model": {"id": "org/model"}}
    start = HYPERPARAMETERS.read(RunManifest.from_dict(least).to_dict())
    assert start == {name: row.default for name, row in HYPERPARAMETERS.items()}


def test_values_are_written_where_they_are_read(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=1)
    values = HYPERPARAMETERS.read(manifest.to_dict())
    data: dict[str, Any] = {}
    HYPERPARAMETERS.write(data, values, where="test")
    assert HYPERPARAMETERS.read(data) == values
    assert change_manifest(manifest, values) == manifest


def test_a_name_that_is_no_hyperparameter_is_refused_where_it_stands() -> None:
    with pytest.raises(InvalidManifest, match=r"^given\.lr: is not a hyperparameter; known are name, "):
        HYPERPARAMETERS.write({}, {"lr": 1}, where="given")


@pytest.mark.parametrize(
    ("model", "values", "name", "usual"),
    [
        ("org/model", {"epochs": 5000}, "epochs", (0.1, 20)),
        ("org/model", {"weight_decay": 0.9}, "weight_decay", (0, 0.2)),
        ("org/model", {"warmup_share": 0.45}, "warmup_share", (0, 0.3)),
        ("org/model", {"max_grad_norm": 500}, "max_grad_norm", (0.1, 10)),
        ("org/model", {"method": "full", "learning_rate": 2e-4}, "learning_rate", (1e-6, 1e-4)),
        ("org/model", {"method": "lora", "learning_rate": 1e-2}, "learning_rate", (1e-5, 1e-3)),
        ("org/model", {"method": "qlora", "learning_rate": 1e-6}, "learning_rate", (1e-5, 1e-3)),
        ("org/model", {"method": "lora", "lora_rank": 1}, "lora_rank", (4, 256)),
        ("org/model", {"method": "lora", "lora_alpha": 4096}, "lora_alpha", (4, 512)),
        ("tiny", {"method": "lora", "learning_rate": 5e-2}, "learning_rate", (1e-4, 2e-2)),
        ("tiny", {"epochs": 0.5}, "epochs", (1, 200)),
    ],
)
def test_a_value_outside_of_its_usual_range_is_named(
    tmp_path: Path, model: str, values: dict[str, Any], name: str, usual: tuple[float, float]
) -> None:
    start = make_manifest(tmp_path, train_steps=1)
    usual_values = {"learning_rate": 3e-3 if model == "tiny" else 5e-5, "epochs": 2}
    manifest = change_manifest(start, usual_values | values, model={"id": model})
    (found,) = HYPERPARAMETERS.unusual(manifest.to_dict())
    assert (found.parameter.name, found.value, found.usual) == (name, values[name], usual)
    assert found.effect


def test_ends_of_a_range_null_and_values_that_are_not_read_are_usual(tmp_path: Path) -> None:
    manifest = change_manifest(
        make_manifest(tmp_path, train_steps=1),
        {"method": "full", "learning_rate": 1e-4, "max_grad_norm": None, "lora_rank": 1, "weight_decay": 0.2},
        model={"id": "org/model"},
    )
    assert list(HYPERPARAMETERS.unusual(manifest.to_dict())) == []
