"""Building: gates warn or exclude as the spec says, before the selection, and the version says what they did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.datasets.makers import built, candidates, hash_of, numbers, tools, trace
from tunixrt_core.datasets.building import Built, build
from tunixrt_core.datasets.gates import findings, minhash
from tunixrt_core.datasets.gates.check import Asking, EvalSet
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.selection import build_dataset
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset, Stopped
from tunixrt_core.traces.answers.comparison import COMPARISON_VERSION
from tunixrt_core.util.files import records

GOOD = [trace(n) for n in range(40)]
WRONG = trace(100, answer="1", steps=("so 1",))
LOOSE = trace(101, steps=("<think>202",))
EVERY_GATE = dict.fromkeys(GATES, "warn")


def test_without_gates_it_is_what_the_pure_function_gives() -> None:
    spec = DatasetSpec("d", selection="random", limit=9, eval_share=0.3)
    made = build(spec, candidates(GOOD), tools(GOOD))
    assert made.rows == build_dataset(spec, candidates(GOOD))
    assert (made.outcomes, made.findings) == ((), {})


def test_a_gate_that_warns_keeps_the_row_and_names_it() -> None:
    rows = [*GOOD, WRONG]
    made = built(rows, gates={"answer": "warn"})
    assert len(made.rows) == 41
    (outcome,) = made.outcomes
    assert (outcome.gate, outcome.version, outcome.action) == ("answer", COMPARISON_VERSION, "warn")
    assert (outcome.checked, outcome.rows, outcome.counts) == (41, 1, {"right": 40, "wrong": 1})
    assert outcome.settings["seconds"] == 5.0
    assert [one.hash for one in made.findings["answer"]] == [WRONG.content_hash]


def test_a_gate_that_excludes_leaves_the_row_out_before_the_selection() -> None:
    rows = [*GOOD[:5], WRONG, LOOSE]
    made = built(rows, selection="random", limit=5, gates={"answer": "exclude", "tags": "exclude"})
    assert numbers(made, rows) == [0, 1, 2, 3, 4]
    assert [(one.gate, one.checked, one.rows) for one in made.outcomes] == [("answer", 7, 1), ("tags", 7, 1)]


def test_sound_rows_pass_every_gate_with_no_finding() -> None:
    made = built(GOOD, gates={**EVERY_GATE, "near_duplicate": "off"})
    assert [one.rows for one in made.outcomes] == [0] * (len(GATES) - 1)
    assert set(made.findings) == set(GATES) - {"near_duplicate"}


def test_of_twins_the_sound_one_stays() -> None:
    twin = trace(3, steps=[step.content.upper() for step in GOOD[3].steps])
    bad = trace(3, answer="5", steps=("no",))
    rows = [GOOD[3], twin, bad]
    made = built(rows, gates={"answer": "exclude", "exact_duplicate": "exclude"})
    assert len(made.rows) == 1
    assert {one.reason for one in made.findings["exact_duplicate"]} == {"duplicate"}


def test_train_rows_that_hold_an_eval_prompt_go_and_eval_rows_stay() -> None:
    long = "In the year of the great flood the miller of the valley sold ninety sacks of flour to each of three towns"
    rows = [*(trace(n, prompt=f"{long}, case {n}") for n in range(30)), *GOOD]
    plain, strict = (built(rows, eval_share=0.3, gates={"contamination": action}) for action in ("warn", "exclude"))
    found = {one.hash for one in plain.findings["contamination"]}
    assert found
    assert {row for row in plain.rows if row.hash not in found} == set(strict.rows)
    assert {row.split for row in plain.rows if row.hash in found} == {"train"}


def test_an_eval_file_is_checked_without_keeping_its_text() -> None:
    text = "A train leaves the harbour at seven with twelve wagons and reaches the border after five long hours"
    eval_set = EvalSet("test.jsonl", "0" * 64, lambda: iter([Asking(text)]))
    planted = trace(77, prompt=f"{text}. How fast is it?")
    made = built([*GOOD, planted], eval_set, eval_share=0, gates={"contamination": "exclude"})
    assert planted.content_hash not in {row.hash for row in made.rows}
    assert made.outcomes[0].notes["eval_rows"] == "1"
    assert "harbour" not in str((made.outcomes, made.findings))


def test_what_excludes_is_not_named_by_what_warns() -> None:
    text = "A train leaves the harbour at seven with twelve wagons and reaches the border after five long hours"
    planted = trace(77, answer="1", prompt=text)
    eval_set = EvalSet("t", "0" * 64, lambda: iter([Asking(text)]))
    made = built([*GOOD, planted], eval_set, eval_share=0, gates={"contamination": "exclude", "answer": "warn"})
    assert made.findings["answer"] == []
    assert [one.gate for one in made.outcomes] == ["answer", "contamination"]


def test_candidates_that_are_no_row_are_counted_once_by_the_reason() -> None:
    twins = [replace(trace(91), source=name) for name in "abc"]  # one prompt
    rows = [*GOOD, WRONG, LOOSE, *twins]
    made = built(rows, gates={"answer": "exclude", "tags": "exclude"}, dedupe="prompt", selection="latest", limit=2)
    assert made.left_out["gate answer"] == made.left_out["gate tags"] == 1
    assert made.left_out["same prompt"] == 2
    assert sum(made.left_out.values()) + len(made.rows) == len(rows)
    assert built(GOOD).left_out == {}


def test_gates_that_leave_nothing_are_a_sentence_with_their_counts() -> None:
    with pytest.raises(InvalidDataset, match=r"gates: leave no trace of 2 \(answer 1, tags 1\)"):
        built([WRONG, LOOSE], gates={"answer": "exclude", "tags": "exclude"})
    with pytest.raises(InvalidDataset, match="No trace matches"):
        built([], gates={"answer": "exclude"})


def test_the_same_spec_gives_the_same_version_twice() -> None:
    rows = [*GOOD, WRONG, LOOSE, trace(3, steps=("another way, 6",))]
    one, two = (built(order, gates={**EVERY_GATE, "near_duplicate": "exclude"}) for order in (rows, rows[::-1]))
    assert one == two


def test_progress_is_told_and_an_exception_from_it_ends_the_build() -> None:
    told: list[tuple[str, int, int]] = []
    spec = DatasetSpec("d", gates={"tags": "exclude", "answer": "warn"})
    build(spec, candidates(GOOD), tools(GOOD), lambda *now: told.append(now))
    assert told == [("screening", 40, 40), ("checking", 40, 40)]

    def stop(phase: str, done: int, total: int) -> None:
        raise Stopped("enough")

    with pytest.raises(Stopped):
        build(spec, candidates(GOOD), tools(GOOD), stop)


def test_a_candidate_whose_trace_went_meanwhile_costs_only_itself() -> None:
    made = build(
        DatasetSpec("d", gates={"tags": "exclude"}), candidates([*GOOD, LOOSE]), tools(GOOD), lambda *told: None
    )
    assert made.outcomes[0].rows == 0


@pytest.mark.parametrize(("split_by", "gate"), [("prompt", "contamination"), ("near_duplicate", "exact_duplicate")])
def test_a_build_that_is_too_much_for_the_memory_gives_the_same_version(
    split_by: str, gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "In the year of the great flood the miller of the valley sold ninety sacks of flour to each of three towns"
    twins = [trace(n, prompt=f"{long}, case {n}") for n in range(300, 340)]
    rows = [*(trace(n) for n in range(300)), *twins, *(replace(one, source="b") for one in twins), WRONG, LOOSE]
    gates = {**EVERY_GATE, "near_duplicate": "exclude", "exact_duplicate": "exclude"}
    more = {"gates": gates, "split_by": split_by, "eval_share": 0.3, "dedupe": "prompt"}
    held = built(rows, **more)
    monkeypatch.setattr(records, "HELD", 512)
    monkeypatch.setattr(findings, "_HELD", 3)
    monkeypatch.setattr(minhash, "_AT_ONCE", 50)
    assert built(rows, **more) == held
    assert held.findings[gate]


@pytest.mark.parametrize("selection", ["stratified", "top", "best", "shortest", "budget"])
def test_facts_that_are_too_much_for_the_memory_give_the_same_version(
    selection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [trace(n // 2, steps=(f"way {n}",), source="abc"[n % 3], meta={"quality": n % 9}) for n in range(200)]
    scores = [(one.content_hash, 9.0 - n % 4) for n, one in enumerate(rows) if n % 5 == 0]
    by = {"stratified": {"by": "source", "limit": 30}, "budget": {"budget": 400}, "shortest": {}}
    more = by.get(selection, {"by": "quality", "limit": 30})
    spec = DatasetSpec.from_dict({"name": "d", "selection": selection, **more})

    def made() -> Built:
        return build(spec, candidates(rows), tools(rows), scores=() if selection == "stratified" else scores)

    held = made()
    monkeypatch.setattr(records, "HELD", 512)
    assert made() == held
    assert 0 < len(held.rows) < len(rows)


def test_a_score_of_the_store_comes_before_that_of_the_trace() -> None:
    rows = [trace(n, meta={"quality": n}) for n in range(9)]
    spec = DatasetSpec.from_dict({"name": "d", "selection": "top", "by": "quality", "limit": 2})
    known = [(hash_of("gone"), 99.0), (rows[3].content_hash, 70.0), (rows[8].content_hash, -1.0)]
    assert numbers(build(spec, candidates(rows), tools(rows), scores=known), rows) == [3, 7]


def test_a_trace_that_is_deleted_during_the_build_is_not_selected() -> None:
    rows = [trace(n, meta={"quality": n}) for n in range(9)]
    spec = DatasetSpec.from_dict({"name": "d", "selection": "top", "by": "quality", "limit": 2})
    assert numbers(build(spec, candidates(rows), tools(rows[:8])), rows) == [6, 7]
