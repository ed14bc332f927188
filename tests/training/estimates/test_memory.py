"""The closed form of a train step's memory moves as it must, and advice ends where it fits."""

from __future__ import annotations

from typing import Any

import pytest

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.estimates.memory import ModelSizes, advise, byte_words, estimate, mesh_of, need_of

# about Qwen 3 0.6B
SIZES = ModelSizes(
    28, 151_936, 1024, 3072, 16, parameters=596_000_000, kv_heads=8, head_dim=128, adapted=440_000_000, lora=10_000_000
)


def manifest(**sections: Any) -> RunManifest:
    data = {"path": "rows.jsonl", "sha256": "0" * 64, "rows": 10, "train_rows": 10}
    model = {"id": "some/model", **sections.pop("model", {})}
    return RunManifest.from_dict({"model": model, "data": data, "output_dir": "run", **sections})


def total(devices: int = 1, **sections: Any) -> int:
    return estimate(SIZES, manifest(**sections), row_length=1024, devices=devices).total


@pytest.mark.parametrize(
    "less",
    [
        {"model": {"remat": "block"}},
        {"model": {"remat": "decoder"}},
        {"model": {"dtype": "bfloat16", "trained_dtype": "bfloat16"}},
        {"batch": {"size": 4}},
        {"method": "lora"},
        {"method": "qlora"},
        {"mesh": {"fsdp": 4}},
    ],
    ids=str,
)
def test_what_saves_memory_lowers_the_estimate(less: dict[str, Any]) -> None:
    assert total(**{"method": "full", **less}) < total(method="full")


def test_the_plain_loss_tunix_attention_and_accumulation_raise_it() -> None:
    assert total(loss={"kind": "plain"}) > total()
    assert total(model={"attention": "reference"}) > total()
    assert total(batch={"gradient_accumulation": 2}) > total()


def test_activations_follow_the_tokens_of_a_batch_not_the_square_of_the_length() -> None:
    short, long = manifest(batch={"size": 4}), manifest(batch={"size": 1})
    assert estimate(SIZES, long, row_length=8192).total < 1.1 * estimate(SIZES, short, row_length=2048).total
    reference = {"model": {"attention": "reference"}}
    short, long = manifest(batch={"size": 4}, **reference), manifest(batch={"size": 1}, **reference)
    assert estimate(SIZES, long, row_length=8192).total > 2 * estimate(SIZES, short, row_length=2048).total


def test_weights_and_moments_are_counted_by_the_byte() -> None:
    full = estimate(SIZES, manifest(method="full"), row_length=1024)
    assert (full.weights, full.optimizer) == (4 * SIZES.parameters, 8 * SIZES.parameters)
    lora = estimate(SIZES, manifest(model={"dtype": "bfloat16"}), row_length=1024)
    assert (lora.weights, lora.optimizer) == (2 * SIZES.parameters + 4 * SIZES.lora, 8 * SIZES.lora)
    mixed = estimate(SIZES, manifest(method="full", model={"dtype": "bfloat16"}), row_length=1024)
    assert (mixed.weights, mixed.optimizer) == (full.weights, full.optimizer)
    assert mixed.activations == full.activations + 2 * SIZES.parameters  # the cast weights


def test_an_open_mesh_takes_the_most_devices_that_divide_the_batch() -> None:
    assert mesh_of(manifest(batch={"size": 6}), 8) == (2, 1)
    assert mesh_of(manifest(mesh={"tp": 2}), 8) == (4, 2)
    assert mesh_of(manifest(mesh={"fsdp": 2}), 8) == (2, 1)


def test_devices_of_one_cpu_share_its_memory() -> None:
    report = estimate(SIZES, manifest(), row_length=1024, devices=4)
    assert report.devices == 4
    assert need_of(report, 1, "this machine", shared=True).need == 4 * report.total
    assert need_of(report, 1, "v5e", shared=False).need == report.total


def test_advice_is_empty_where_it_fits() -> None:
    asked = manifest()
    need = need_of(estimate(SIZES, asked, row_length=1024), 1 << 60, "v5e", shared=False)
    assert need.fits
    assert advise(need, asked, SIZES) == []


def test_advice_goes_from_what_costs_least_and_ends_where_it_fits() -> None:
    asked = manifest(method="full", loss={"kind": "plain"})
    need = need_of(estimate(SIZES, asked, row_length=1024), 16_000_000_000, "v5e", shared=False)
    assert not need.fits
    found = advise(need, asked, SIZES)
    assert [next(iter(one.changes)) for one in found[:2]] == ["loss", "remat"]
    totals = [one.total for one in found]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] <= need.limit < totals[-2]


def test_advice_proposes_nothing_that_is_set_already() -> None:
    asked = manifest(model={"remat": "decoder", "dtype": "bfloat16"}, method="qlora", batch={"size": 1})
    found = advise(need_of(estimate(SIZES, asked, row_length=1024), 1000, "v5e", shared=False), asked, SIZES)
    assert [one.changes for one in found] == [{}]
    assert "devices with more memory" in found[0].words


def test_bytes_are_told_in_a_unit_that_fits() -> None:
    assert [byte_words(n) for n in (12, 1500, 2_500_000, 16e9)] == ["12 bytes", "1.5 kB", "2.5 MB", "16.0 GB"]
