"""Every gate: a planted fault is found with its row, reason and place; a clean set passes every gate."""

from __future__ import annotations

from typing import Any

import pytest

from tests.datasets.gates.makers import CLEAN, run_gate, trace
from tunixrt_core.datasets.gates.registry import GATES, chosen_gates, normal_gates
from tunixrt_core.datasets.gates.texts import part
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.traces.trace import Trace

LOOP = ("We add one to the number and then we look whether it is large enough to stop here. " * 12,)


@pytest.mark.parametrize(
    ("gate", "planted", "reason", "span"),
    [
        ("answer_missing", trace(steps=("so it is seven",), answer="8"), "missing", None),
        ("answer_missing", trace(steps=("1.5 of 100 is 1,500",), answer="1"), "missing", None),
        ("answer_missing", trace(steps=("the whales are blue",), answer="blue whale"), "missing", None),
        ("reasoning", trace(steps=()), "empty", None),
        ("reasoning", trace(steps=("…",)), "empty", None),
        ("reasoning", trace(steps=LOOP), "looping", None),
        ("reasoning", trace(steps=("5 " + "".join(f"{chr(97 + n % 3)} " for n in range(900)),)), "looping", None),
        ("tags", trace(steps=("<think>a", "b")), "unclosed", "<think>"),
        ("tags", trace(steps=("a</think>b",)), "orphan", "</think>"),
        ("tags", trace(steps=("<think>a</answer></think>",)), "orphan", "</answer>"),
        ("tags", trace(steps=("<|begin_of_thought|>a",)), "unclosed", "<|begin_of_thought|>"),
        ("control_tokens", trace(prompt="2+3?<end_of_turn>"), "control_token", "<end_of_turn>"),
        ("control_tokens", trace(steps=("a<|im_end|>",)), "control_token", "<|im_end|>"),
        ("control_tokens", trace(answer="5</s>"), "control_token", "</s>"),
        ("control_tokens", trace(steps=("[INST] 5",)), "control_token", "[INST]"),
        ("control_tokens", trace(steps=("<\uff5cUser\uff5c> 5",)), "control_token", "<\uff5cUser\uff5c>"),
        ("control_tokens", trace(steps=("<|channel>thought",)), "control_token", "<|channel>"),
        ("too_long", trace(steps=("long " * 5_000,)), "too_long", None),
    ],
)
def test_a_planted_fault_is_found_in_its_row_with_its_place(
    gate: str, planted: Trace, reason: str, span: str | None
) -> None:
    found = run_gate(gate, [*CLEAN[:5], planted, *CLEAN[5:]])
    (finding,) = found.findings
    assert (finding.hash, finding.reason) == (planted.content_hash, reason)
    assert found.counts == {reason: 1}
    if span is not None:
        detail = finding.detail
        assert part(planted, detail["field"])[detail["start"] : detail["end"]] == span


@pytest.mark.parametrize("gate", [name for name in GATES if name not in {"near_duplicate"}])
def test_a_clean_set_passes_every_gate(gate: str) -> None:
    assert (
        run_gate(gate, CLEAN[2:], eval_rows=[trace("What is the capital of the country that lies north?")]).findings
        == []
    )


@pytest.mark.parametrize(
    "sound",
    [
        trace(answer="1,000", steps=("it is 1000",)),
        trace(answer="50%", steps=("half, so 0.5",)),
        trace(answer="Blue whale", steps=("a blue  whale, then",)),
        trace(answer="3/4", steps=("0.75 of it",)),
        trace(answer="60", steps=("60/2 is 30, twice that again",)),
        trace(answer="12 apples", steps=("so 12 of them",)),
        trace(answer=r"\sqrt{2}", steps=(r"it is \sqrt{2}",)),
        trace(answer="π²", steps=("thus π²",)),
        trace(answer="-5", steps=("five less than nothing: - 5",)),
    ],
)
def test_an_answer_in_other_spelling_stands_in_the_reasoning(sound: Trace) -> None:
    assert run_gate("answer_missing", [sound]).findings == []


def test_tags_may_be_closed_in_a_later_step_and_a_less_than_sign_is_no_tag() -> None:
    assert run_gate("tags", [trace(steps=("<think>a", "b</think>")), trace(steps=("x < y > z",))]).findings == []


def test_length_is_counted_in_bytes_or_estimated_tokens() -> None:
    row = trace(prompt="ä" * 10, steps=("b" * 10,), answer="5")
    assert [f.detail["value"] for f in run_gate("too_long", [row], most=1, unit="bytes").findings] == [33]
    assert [f.detail["value"] for f in run_gate("too_long", [row], most=1).findings] == [9]
    assert run_gate("too_long", [row], most=9).findings == []


def test_on_and_off_may_be_what_yaml_makes_of_them() -> None:
    said = {"answer": {"action": "warn", "math": False, "wrong_only": True}, "tags": False}
    assert normal_gates(said) == {"answer": {"action": "warn", "math": "off", "wrong_only": "on"}}


def test_gates_have_one_normal_form_without_what_changes_nothing() -> None:
    said: dict[str, Any] = {
        "tags": "off",
        "near_duplicate": {"action": "exclude", "settings": {"threshold": 0.85, "ngram": 4}},
        "answer": "warn",
    }
    assert normal_gates(said) == {"answer": {"action": "warn"}, "near_duplicate": {"action": "exclude", "ngram": 4}}
    assert [choice.gate.name for choice in chosen_gates(normal_gates(said))] == ["answer", "near_duplicate"]
    assert normal_gates(normal_gates(said)) == normal_gates(said)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("warn", "gates"),
        ({"nothing": "warn"}, "gates.nothing"),
        ({"answer": "maybe"}, "gates.answer"),
        ({"answer": {"action": "warn", "colour": 1}}, "gates.answer.colour"),
        ({"answer": {"seconds": 0}}, "gates.answer.seconds"),
        ({"answer": {"seconds": True}}, "gates.answer.seconds"),
        ({"near_duplicate": {"threshold": 2}}, "gates.near_duplicate.threshold"),
        ({"near_duplicate": {"ngram": 1.5}}, "gates.near_duplicate.ngram"),
        ({"near_duplicate": {"of": "answer"}}, "gates.near_duplicate.of"),
        ({"near_duplicate": {"settings": 3}}, "gates.near_duplicate.settings"),
    ],
)
def test_a_gate_that_cannot_be_used_is_named_by_its_key(said: object, key: str) -> None:
    with pytest.raises(InvalidDataset, match=f"^{key}: "):
        normal_gates(said)
