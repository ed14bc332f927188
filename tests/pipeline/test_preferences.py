"""From files that say what is right and what is rejected to datasets and exports that keep to it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.helpers.homes import empty_home
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.traces.scores import GivenScore, is_negative
from tunixrt_core.traces.trace import Trace


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with open_pipeline(empty_home(tmp_path / "home")) as opened:
        yield opened


def ingest(rt: Pipeline, *rows: dict[str, Any]) -> None:
    data = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    report = rt.traces.ingest(io.BytesIO(data), name="f.jsonl")
    assert report.rejected == 0


def exported(rt: Pipeline, format: str, name: str = "d", **options: Any) -> list[dict[str, Any]]:
    lines = rt.exports.lines(name, format=format, options=ExportOptions(**options))
    return [orjson.loads(line) for line in lines]


def sums(number: int) -> list[dict[str, Any]]:
    """Preference rows without a reference, of which the rejected answer is one too many."""
    return [{"prompt": f"What is {n}+2?", "chosen": str(n + 2), "rejected": str(n + 3)} for n in range(number)]


def test_a_default_dataset_holds_no_rejected_text_and_grpo_asks_for_none(rt: Pipeline) -> None:
    ingest(rt, *sums(60))
    spec = DatasetSpec("d")
    version = rt.datasets.build(spec)
    assert version.rows == 60
    assert rt.datasets.left_out(spec) == 60
    assert {row["answer"] for row in exported(rt, "grpo")} == {str(n + 2) for n in range(60)}
    for format in ("tunix_sft", "prompt_completion", "messages", "grpo"):
        rows = exported(rt, format)
        assert len(rows) == 60
        assert not [row for row in rows if "scores" in row["metadata"]], format
    pairs = {(row["prompt"], row["chosen"], row["rejected"]) for row in exported(rt, "preference")}
    plain = {(f"What is {n}+2?", str(n + 2), str(n + 3)) for n in range(60)}
    assert {(prompt, *(text.split("<answer>")[1].split("<")[0] for text in sides)) for prompt, *sides in pairs} == plain


def test_pairs_of_a_file_stay_what_they_are_with_their_conversation(rt: Pipeline) -> None:
    rows = [
        {
            "prompt": [
                {"role": "user", "content": f"My number is {n}."},
                {"role": "assistant", "content": "Noted."},
                {"role": "user", "content": "Double it."},
            ],
            "chosen": [{"role": "assistant", "content": str(2 * n)}],
            "rejected": [{"role": "assistant", "content": str(2 * n - 1)}],
        }
        for n in (12, 50)
    ]
    ingest(rt, *rows)
    for spec in (DatasetSpec("d"), DatasetSpec("d", negatives="include")):
        rt.datasets.build(spec)
        found = exported(rt, "preference", turns="messages")
        told = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in found]
        for row in told:
            for side in ("chosen", "rejected"):
                answer = row[side][0]["content"].split("<answer>")[1].split("<")[0]
                row[side] = [{"role": "assistant", "content": answer}]
        assert sorted(told, key=str) == sorted(rows, key=str)
        assert {row["answer"] for row in exported(rt, "grpo")} == {"24", "100"}
    with pytest.raises(InvalidDataset, match="None of these traces makes a row"):
        exported(rt, "preference", turns="text")


def test_traces_of_other_conversations_make_no_pair_by_their_scores(rt: Pipeline) -> None:
    for n, value in ((12, 0.9), (50, 0.1)):
        earlier = [{"role": "user", "content": f"My number is {n}."}, {"role": "assistant", "content": "Noted."}]
        asked = [*earlier, {"role": "user", "content": "Double it."}]
        ingest(rt, {"messages": [*asked, {"role": "assistant", "content": str(2 * n)}]})
        (newest,) = rt.traces.page(limit=1).items
        rt.traces.score(newest.id, [GivenScore(name="quality", value=value, scorer="s", version="1")])
    rt.datasets.build("d")
    with pytest.raises(InvalidDataset, match="None of these traces makes a row"):
        exported(rt, "preference")


def test_several_pairs_of_a_prompt_stay_apart(rt: Pipeline) -> None:
    ingest(rt, *({"prompt": "p", "chosen": better, "rejected": worse} for better, worse in ("ab", "ac", "de")))
    rt.datasets.build("d")
    sides = [
        tuple(row[side].split("<answer>")[1][0] for side in ("chosen", "rejected"))
        for row in exported(rt, "preference")
    ]
    assert sorted(sides) == [("a", "b"), ("a", "c"), ("d", "e")]


def test_negative_examples_are_included_on_request_and_say_so(rt: Pipeline) -> None:
    ingest(
        rt,
        {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "5"}], "label": False},
        {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}], "label": True},
        {"messages": [{"role": "user", "content": "3+3?"}, {"role": "assistant", "content": "7"}], "label": False},
    )
    rt.datasets.build(DatasetSpec("d", eval_share=0))
    assert [row["final_answer"] for row in exported(rt, "tunix_sft")] == ["4"]
    rt.datasets.build(DatasetSpec("all", eval_share=0, negatives="include"))
    rows = exported(rt, "tunix_sft", "all")
    told = {row["final_answer"]: [s["value"] for s in row["metadata"].get("scores", [])] for row in rows}
    assert told == {"4": [], "5": [0.0], "7": [0.0]}
    assert len(rt.datasets.negatives("all")) == 2
    assert {row["answer"] for row in exported(rt, "grpo", "all")} == {"4"}, "7 is no answer to reach"
    (pair,) = exported(rt, "preference", "all")
    assert ("4" in pair["chosen"], "5" in pair["rejected"]) == (True, True)


@pytest.mark.parametrize("format", ["tunix_sft", "prompt_completion", "messages", "grpo"])
def test_an_exported_negative_example_is_one_where_it_is_read_again(rt: Pipeline, format: str) -> None:
    row = {"question": "2+2?", "answer": "5", "reference_answer": "4", "is_correct": False}
    ingest(rt, row)
    rt.datasets.build(DatasetSpec("d", negatives="include"))
    (line,) = exported(rt, format)
    (stored,) = rt.traces.page().items
    metadata = opened(line["metadata"])
    metadata["meta"] = opened(metadata["meta"])
    del metadata["meta"]["is_correct"]  # so that the score alone can tell
    rt.traces.delete(stored.id)
    metadata["trace_id"] = without(stored.trace, "is_correct")
    ingest(rt, {**line, "metadata": metadata})
    assert [one.trace.final_answer for one in rt.traces.page(TraceQuery(negative=True)).items] == ["5"]


def opened(value: Any) -> Any:
    """An object of an export, which may be JSON text."""
    return json.loads(value) if isinstance(value, str) else value


def without(trace: Trace, key: str) -> str:
    """The hash of a trace without a key of its `meta`."""
    return replace(trace, meta={name: value for name, value in trace.meta.items() if name != key}).content_hash


def test_a_person_can_overrule_a_file(rt: Pipeline) -> None:
    ingest(rt, {"prompt": "p", "completion": "fine", "label": False}, {"prompt": "q", "completion": "also fine"})
    (stored,) = rt.traces.page(TraceQuery(negative=True)).items
    assert is_negative(one.given for one in stored.scores)
    rt.traces.score(stored.id, [GivenScore(name="label", value=1, scorer="me", version="", kind="human")])
    assert rt.datasets.build("d").rows == 2


def test_the_spec_of_an_old_version_means_what_it_meant(rt: Pipeline) -> None:
    ingest(rt, *sums(5))
    old = DatasetSpec("d", negatives="include")
    assert rt.datasets.build(old).version == 1
    assert rt.datasets.build(old).version == 1
    assert rt.datasets.build("d").version == 2
    assert rt.datasets.build(rt.datasets.rebuild_spec("d", 1)).version == 1
    assert (rt.datasets.get("d", 1).rows, rt.datasets.get("d", 2).rows) == (10, 5)
