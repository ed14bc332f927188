"""The dataset card: what a reader needs, and nothing that changes from machine to machine."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml

from tunixrt_core.datasets.card import dataset_card
from tunixrt_core.datasets.gates.findings import GateOutcome
from tunixrt_core.datasets.rows import DatasetRow
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import freeze

ROWS = (DatasetRow("a" * 64, "train"), DatasetRow("b" * 64, "eval"), DatasetRow("c" * 64, "train"))


def version(year: int = 2026, **spec: object):  # type: ignore[no-untyped-def]
    made = DatasetSpec.from_dict({"name": "d", **spec})
    return freeze(made, ROWS, version=2, parent=1, created_at=datetime(year, 1, 1, tzinfo=UTC))


def test_a_card_says_what_is_in_it_and_how_to_make_it_again() -> None:
    one = version(gates={"answer": "exclude"})
    card = dataset_card(one, (GateOutcome("answer", 1, "exclude", {}, 5, {"wrong": 2}, 2),), [("gsm8k", 2), ("", 1)])
    assert "# d v2" in card
    assert "2 train and 1 eval rows (33.3%)" in card
    assert one.content_hash in card
    assert "| Answer differs from the reference | 1 | 5 | 2 | left out |" in card
    assert "| gsm8k | 2 |" in card
    assert DatasetSpec.from_dict(yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])) == one.spec


def test_an_eval_file_is_named_by_its_hash() -> None:
    notes = {"eval_file": "test.jsonl", "eval_sha256": "ab" * 32, "eval_rows": "1319"}
    card = dataset_card(version(), (GateOutcome("contamination", 1, "warn", {}, 5, {}, 0, notes),))
    assert f"`test.jsonl` (1319 rows, sha256 `{'ab' * 32}`)" in card


def test_the_day_it_was_made_is_not_in_it() -> None:
    assert dataset_card(version(2026)) == dataset_card(version(2031))
    assert "None was requested." in dataset_card(version())
