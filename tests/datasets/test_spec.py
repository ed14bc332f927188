"""Dataset specs: old ones work, new fields change no old hash, and what cannot be built is named by its field."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.datasets.makers import candidates, trace
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.selection import build_dataset
from tunixrt_core.datasets.spec import SELECTIONS, DatasetSpec
from tunixrt_core.datasets.versions import version_hash
from tunixrt_core.errors import InvalidDataset

OLD = {
    "name": "old",
    "source": None,
    "model": None,
    "text": "",
    "selection": "random",
    "limit": 5,
    "seed": 3,
    "eval_share": 0.2,
    "dedupe": "prompt",
}


def test_a_spec_of_the_first_release_loads_and_is_written_as_it_was() -> None:
    assert DatasetSpec.from_dict(OLD).to_dict() == OLD


def test_the_hash_of_a_version_of_the_first_release_stays() -> None:
    rows = build_dataset(DatasetSpec.from_dict(OLD), candidates([trace(n) for n in range(20)]))
    # pinned with the code of the first release: another value means that its versions have lost their identity
    assert (
        version_hash(DatasetSpec.from_dict(OLD), rows)
        == "d303e21b45ae5a4e2f73227e55fd8c14d27b44d780704e3aed1166675241d5ae"
    )


def test_a_field_that_is_set_changes_the_hash_and_comes_back() -> None:
    plain = DatasetSpec("d")
    for change in (
        {"tags": ["b", "a"]},
        {"correct": True},
        {"score": "quality", "min_score": 0.5},
        {"min_steps": 2, "max_length": 9_000},
        {"after": "2026-01-01"},
        {"split_by": "near_duplicate"},
        {"gates": {"answer": "warn"}},
        {"negatives": "include"},
        {"selection": "stratified", "by": "meta.level", "limit": 5, "allocation": "equal"},
        {"selection": "budget", "budget": 100, "tokens": "words"},
    ):
        spec = DatasetSpec.from_dict({"name": "d", **change})
        assert version_hash(spec, []) != version_hash(plain, [])
        assert DatasetSpec.from_dict(spec.to_dict()) == spec
        assert DatasetSpec.from_dict(yaml.safe_load(spec.to_yaml())) == spec


def test_what_means_the_same_has_the_same_hash() -> None:
    one = DatasetSpec("d", tags=("b", "a"), after="2026-01-01", gates={"answer": "warn", "tags": "off"})
    two = DatasetSpec(
        "d",
        tags=("a", "b", "a"),
        after="2026-01-01T01:00:00+01:00",
        gates={"answer": {"action": "warn", "settings": {"seconds": 5.0}}},
    )
    assert version_hash(one, []) == version_hash(two, [])


def test_yaml_reads_dates_and_nested_gates() -> None:
    text = "name: d\nafter: 2026-01-02\ngates:\n  near_duplicate: {action: exclude, threshold: 0.9}\n  tags: warn\n"
    spec = DatasetSpec.from_dict(yaml.safe_load(text))
    assert spec.after == "2026-01-02T00:00:00+00:00"
    assert spec.gates == {"near_duplicate": {"action": "exclude", "threshold": 0.9}, "tags": {"action": "warn"}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tags": "one"}, "tags"),
        ({"tags": [3]}, "tags"),
        ({"negatives": "only"}, "negatives"),
        ({"correct": "yes"}, "correct"),
        ({"min_score": 1}, "min_score"),
        ({"score": "s", "min_score": float("inf")}, "min_score"),
        ({"score": "s", "min_score": 2, "max_score": 1}, "min_score"),
        ({"min_steps": -1}, "min_steps"),
        ({"min_length": 9, "max_length": 8}, "min_length"),
        ({"after": "yesterday"}, "after"),
        ({"after": "2026-02-01", "before": "2026-01-01"}, "after"),
        ({"before": 5}, "before"),
        ({"selection": "stratified", "limit": 5}, "by"),
        ({"selection": "stratified", "by": "colour", "limit": 5}, "by"),
        ({"selection": "top", "limit": 5}, "by"),
        ({"selection": "best"}, "by"),
        ({"selection": "shortest", "by": "x"}, "by"),
        ({"selection": "top", "by": "x"}, "limit"),
        ({"selection": "budget"}, "budget"),
        ({"budget": 5}, "budget"),
        ({"selection": "budget", "budget": 5, "limit": 5}, "limit"),
        ({"selection": "budget", "budget": 5, "tokens": "bits"}, "tokens"),
        ({"split_by": "source"}, "split_by"),
        ({"allocation": "fair"}, "allocation"),
        ({"gates": {"beauty": "warn"}}, "gates.beauty"),
        ({"gates": []}, "gates"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDataset, match=f"^{field}: "):
        DatasetSpec.from_dict({"name": "d", **change})


def test_the_docs_show_a_spec_that_loads_and_name_every_gate_with_its_settings() -> None:
    text = (REPOSITORY / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")
    assert DatasetSpec.from_dict(yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])).name == "gsm8k-clean"
    section = text.split("## Gates")[1]
    for gate in GATES.values():
        (row,) = (line for line in section.splitlines() if line.startswith(f"| `{gate.name}` |"))
        assert set(gate.settings) - {"eval_sha256"} <= set(re.findall(r"`(\w+)`", row))
    for selection in SELECTIONS:
        assert f"`{selection}`" in text
