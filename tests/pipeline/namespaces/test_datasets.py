"""Datasets through the pipeline and a real store: gates are kept beside the version, builds run and are stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.homes import empty_home
from tunixrt_core.datasets.eval_files.prompts import EvalFile
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset, NotFound, Stopped
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Step, Trace

GSM8K = REPOSITORY.parent / "shared" / "data" / "gsm8k_train.jsonl"


def trace(n: int, answer: str | None = None, prompt: str | None = None) -> Trace:
    steps = (Step(0, f"We look for the double of {n}."), Step(1, f"{n} + {n} = {2 * n}"))
    return Trace(prompt or f"double of {n}", steps, answer or str(2 * n), reference_answer=str(2 * n), source="s")


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with open_pipeline(empty_home(tmp_path / "home")) as opened:
        opened.traces.add_many([trace(n) for n in range(50)])
        yield opened


def test_what_a_gate_did_and_found_is_kept_beside_the_version(rt: Pipeline) -> None:
    wrong = [trace(100, "1"), trace(101, "2")]
    rt.traces.add_many(wrong)
    version = rt.datasets.build(DatasetSpec("d", gates={"answer": "warn", "answer_missing": "exclude"}))
    assert version.rows == 50
    outcomes = {one.gate: one for one in rt.datasets.gates("d")}
    assert (outcomes["answer"].rows, outcomes["answer_missing"].rows) == (0, 2)
    assert outcomes["answer_missing"].settings == {}
    views = rt.datasets.findings("d", 1, "answer_missing")
    assert {view.finding.hash for view in views} == {one.content_hash for one in wrong}
    assert [view.position for view in rt.datasets.findings("d", 1, "answer_missing", after=0)] == [1]
    with pytest.raises(NotFound, match="no gate 'tags'"):
        rt.datasets.findings("d", 1, "tags")


def test_the_top_of_a_named_score_is_what_people_scored_highest(rt: Pipeline) -> None:
    best, second = trace(7).content_hash, trace(8).content_hash
    by_program = GivenScore(name="quality", value=9.0, scorer="p", version="1")
    for ref, value in ((best, 0.9), (second, 0.8), (trace(9).content_hash, 0.1)):
        rt.traces.score(ref, [GivenScore(name="quality", value=value, scorer="me", version="", kind="human")])
    rt.traces.score(trace(9).content_hash, [by_program])
    rt.datasets.build(DatasetSpec("top", selection="top", by="quality", limit=2, eval_share=0))
    assert {row.content_hash for row, _ in rt.datasets.rows("top")} == {best, second}


def test_scores_of_steps_in_the_store_are_the_labels_of_a_stepwise_export(rt: Pipeline) -> None:
    ref = trace(7).content_hash
    steps = [
        GivenScore(name="right", value=v, step=i, scorer="me", version="", kind="human") for i, v in ((0, 1), (1, 0))
    ]
    rt.traces.score(ref, steps)
    rt.datasets.build(DatasetSpec("d"))
    rows = [orjson.loads(line) for line in rt.exports.lines("d", 1, "stepwise")]
    assert [(row["prompt"], row["labels"]) for row in rows] == [("double of 7", [True, False])]


def test_a_deleted_trace_leaves_its_finding_without_its_text(rt: Pipeline) -> None:
    rt.traces.add_many([trace(100, "1")])
    rt.datasets.build(DatasetSpec("d", gates={"answer": "warn"}))
    rt.traces.delete(trace(100, "1").content_hash)
    (view,) = rt.datasets.findings("d", 1, "answer")
    assert (view.trace, "deleted" in view.words) == (None, True)


def test_the_same_spec_again_gives_the_same_version(rt: Pipeline) -> None:
    spec = DatasetSpec("d", gates={"near_duplicate": "exclude"}, selection="random", limit=20)
    first = rt.datasets.build(spec)
    assert rt.datasets.build(rt.datasets.rebuild_spec("d")) == first
    assert rt.datasets.build(rt.datasets.rebuild_spec("d", new_name="e")).content_hash == first.content_hash


def test_versions_differ_by_rows_added_removed_moved_and_changed(rt: Pipeline) -> None:
    rt.datasets.build(DatasetSpec("d", eval_share=0))
    rt.traces.delete(trace(7).content_hash)
    edited = Trace("Double of  3", (Step(0, "another way to 6"),), "6", reference_answer="6", source="s")
    rt.traces.add_many([trace(200), edited])
    rt.datasets.build(DatasetSpec("d", eval_share=0, selection="latest", limit=50, dedupe="prompt"))
    found = rt.datasets.diff("d", 1, 2)
    assert found.added == (trace(200).content_hash,)
    assert found.changed == ((trace(3).content_hash, edited.content_hash),)
    assert found.removed == (trace(7).content_hash,)
    assert found.kept == 48


def test_an_eval_file_keeps_its_rows_out_of_train(rt: Pipeline, tmp_path: Path) -> None:
    long = "In the year of the great flood the miller of the valley sold ninety sacks to three towns"
    rt.traces.add_many([trace(300, prompt=f"{long}, or did he?")])
    (tmp_path / "test.jsonl").write_text(f'{{"question": "{long}", "answer": "1"}}\n')
    spec = DatasetSpec("d", eval_share=0, gates={"contamination": "exclude"})
    version = rt.datasets.build(spec, eval_file=EvalFile.at(tmp_path / "test.jsonl"))
    assert version.rows == 50
    (view,) = rt.datasets.findings("d", 1, "contamination")
    assert view.span.startswith("In the year")
    assert "test.jsonl" in rt.datasets.card("d")
    with pytest.raises(InvalidDataset, match="needs the eval file"):
        rt.datasets.build(rt.datasets.rebuild_spec("d"))


def test_a_build_in_the_background_ends_with_a_version(rt: Pipeline) -> None:
    build = rt.datasets.start_build(DatasetSpec("d", gates={"answer": "warn"}))
    over = rt.datasets.builds.wait(build.id, 60)
    assert (over.status, over.value().version) == ("succeeded", 1)


def test_a_build_that_is_stopped_keeps_nothing(rt: Pipeline) -> None:
    stop = threading.Event()

    def cancel(phase: str, done: int, total: int) -> None:
        if phase == "screening":
            stop.set()

    spec = DatasetSpec("d", gates={"tags": "exclude", "answer": "warn"})
    with pytest.raises(Stopped, match="No version was stored"):
        rt.datasets.build(spec, on_progress=cancel, stop=stop)
    assert rt.datasets.versions() == []


def test_lengths_are_an_estimate_that_says_so(rt: Pipeline) -> None:
    rt.datasets.build(DatasetSpec("d"))
    lengths = rt.datasets.lengths("d")
    assert lengths.counted_by.startswith("estimate")
    assert lengths.rows == 50
    assert rt.datasets.lengths("d", most=20).rows == 20


@pytest.mark.tunix
def test_lengths_by_a_model_s_tokenizer(rt: Pipeline) -> None:
    rt.datasets.build(DatasetSpec("d"))
    assert rt.datasets.lengths("d", model="tiny").counted_by == "tiny tokenizer"


@pytest.mark.skipif(not GSM8K.exists(), reason="GSM8K is missing")
def test_every_answer_of_gsm8k_is_right_and_no_row_has_a_fault_that_it_does_not_have(rt: Pipeline) -> None:
    rt.traces.ingest(GSM8K, source_label="gsm8k")
    rt.datasets.build(DatasetSpec("gsm8k", source="gsm8k", gates=dict.fromkeys(GATES, "warn")))
    found = {one.gate: one for one in rt.datasets.gates("gsm8k")}
    assert found["answer"].counts == {"right": 7_473}
    clean = {"reasoning", "tags", "control_tokens", "too_long", "exact_duplicate", "near_duplicate"}
    assert {name: found[name].rows for name in clean} == dict.fromkeys(clean, 0)


def test_one_trace_a_prompt_counts_the_turns_before_it_as_part_of_the_prompt(rt: Pipeline) -> None:
    pairs = [(n, answer) for n in (12, 50) for answer in ("right", "wrong")]
    talks = [
        Trace(
            "Double it.",
            (),
            f"{answer} {n}",
            source="talks",
            conversation=Conversation(
                messages=(Message("user", f"My number is {n}, {answer}."), Message("assistant", "Noted."))
            ),
        )
        for n, answer in pairs
    ]
    rt.traces.add_many(talks)
    assert len({talk.group_key for talk in talks}) == 4
    assert rt.datasets.build(DatasetSpec("talks", source="talks", dedupe="prompt", eval_share=0)).rows == 4
    rt.traces.add_many([replace(talks[0], final_answer="another")])
    assert rt.datasets.build(DatasetSpec("talks", source="talks", dedupe="prompt", eval_share=0)).rows == 4
    halves = rt.datasets.build(DatasetSpec("halves", source="talks", dedupe="none", eval_share=0.5))
    sides = {(trace.group_key, side) for trace, side in rt.datasets.rows("halves", halves.version)}
    assert len(sides) == 4, "the traces of one conversation are on one side"


def test_files_of_both_sides_hold_conversations_and_say_what_they_leave_out(rt: Pipeline, tmp_path: Path) -> None:
    call = Call("double", {"of": 7}, "c1")
    talks = [
        Trace(
            f"And {n}?",
            (),
            str(2 * n),
            source="talks",
            conversation=Conversation(turns=(Message("assistant", calls=(call,)), Message("tool", "14", call_id="c1"))),
        )
        for n in range(20)
    ]
    rt.traces.add_many(
        [*talks, Trace("Alone?", (), "yes", source="talks"), Trace("Alone now?", (), "no", source="talks")]
    )
    rt.datasets.build(DatasetSpec("talks", source="talks", eval_share=0.5))
    written = rt.exports.write_split_files("talks", format="messages", folder=tmp_path / "m", card=True)
    assert sum(info.rows for info in written.values()) == 22
    assert '"tool_calls": [{"id": Value("string")' in (tmp_path / "m" / "README.md").read_text()
    back = [item for info in written.values() for item in read_traces(info.path, name=info.path.name)]
    assert {talk.content_hash for talk in talks} <= {trace.content_hash for trace in back if isinstance(trace, Trace)}
    text = rt.exports.write(
        "talks", format="prompt_completion", path=tmp_path / "t.jsonl", options=ExportOptions(turns="text"), card=True
    )
    assert (text.rows, dict(text.left_out)) == (2, {"with a conversation, which a prompt of text cannot hold": 20})
    told = orjson.loads(text.meta_path.read_bytes())
    assert (told["left_out"], told["left_out_reasons"]) == (20, text.left_out)
    assert "with a conversation, which a prompt of text cannot hold | `20` |" in (tmp_path / "README.md").read_text()
