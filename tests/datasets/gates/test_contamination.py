"""Contamination: a stretch of an eval prompt in a train row is found with its words and its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.datasets.gates.makers import CLEAN, run_gate, trace
from tunixrt_core.datasets.gates.check import Asking, EvalSet
from tunixrt_core.traces.conversation import Message
from tunixrt_core.traces.trace import Trace

QUESTION = "A farmer keeps forty two sheep in a barn with seven doors and twelve windows; how many legs are there?"
EVAL = trace(QUESTION, "168")


@pytest.mark.parametrize(
    ("planted", "field"),
    [
        (trace(f"Hello! {QUESTION.upper()} Thanks.", "168"), "prompt"),
        (trace("other", "168", None, ("first", f"Recall:\n{QUESTION}", "so 168")), "steps[1]"),
    ],
)
def test_an_eval_prompt_in_a_train_row_is_found_with_its_place(planted: Trace, field: str) -> None:
    found = run_gate("contamination", [*CLEAN, planted], eval_rows=[EVAL])
    (finding,) = found.findings
    assert (finding.hash, finding.reason) == (planted.content_hash, "overlap_split")
    assert finding.detail["field"] == field
    assert finding.detail["eval"] == EVAL.group_key
    assert finding.detail["words"] == 20
    text = planted.prompt if field == "prompt" else planted.steps[1].content
    assert text[finding.detail["start"] : finding.detail["end"]].casefold() == QUESTION.removesuffix("?").casefold()
    assert found.counts == {"train": len(CLEAN) + 1, "eval": 1, "overlap": 1}


def test_a_stretch_must_be_as_long_as_asked() -> None:
    part = trace("Remember: a farmer keeps forty two sheep in a barn, always.")
    assert run_gate("contamination", [part], eval_rows=[EVAL]).findings == []
    (finding,) = run_gate("contamination", [part], eval_rows=[EVAL], ngram=8).findings
    assert finding.detail["words"] == 9


def test_the_longest_stretch_is_the_one_that_is_shown() -> None:
    row = trace("sheep in a barn with seven - no - a farmer keeps forty two sheep in a barn with seven cats")
    (finding,) = run_gate("contamination", [row], eval_rows=[EVAL], ngram=6).findings
    assert row.prompt[finding.detail["start"] : finding.detail["end"]].startswith("a farmer keeps")
    assert finding.detail["words"] == 11


def test_rows_of_the_eval_split_are_no_finding_and_short_prompts_have_no_stretch() -> None:
    assert run_gate("contamination", CLEAN, eval_rows=[EVAL, trace(f"Again: {QUESTION}")]).findings == []
    assert run_gate("contamination", [trace("a b c d")], eval_rows=[trace("a b c d", "6")], ngram=5).findings == []


def test_an_eval_file_is_compared_too_and_only_its_hashes_are_kept() -> None:
    given = EvalSet("test.jsonl", "ab" * 32, lambda: iter([Asking(EVAL.prompt)]))
    planted = trace(QUESTION, "1", None, ("1",))
    found = run_gate("contamination", [*CLEAN, planted], eval_set=given)
    (finding,) = found.findings
    assert (finding.reason, finding.detail["eval"]) == ("overlap_file", EVAL.group_key)
    assert found.notes == {"eval_file": "test.jsonl", "eval_sha256": "ab" * 32, "eval_rows": "1"}
    assert "farmer" not in str(found)
    assert run_gate("contamination", [planted], eval_set=given, against="split").findings == []
    assert run_gate("contamination", [planted], eval_rows=[EVAL], against="file").findings == []


def test_a_message_before_an_eval_prompt_is_compared_too() -> None:
    told = EVAL.prompt
    given = EvalSet("test.jsonl", "ab" * 32, lambda: iter([Asking("And then?", (Message("user", told),))]))
    planted = replace(EVAL, final_answer="another")
    (finding,) = run_gate("contamination", [planted], eval_set=given).findings
    assert (finding.hash, finding.detail["field"]) == (planted.content_hash, "prompt")
