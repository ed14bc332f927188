"""Every format: a row of it, what happens to it, and how its errors are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.detect import FORMATS, detect_format
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace


def read(format: str, row: dict[str, Any], source: str | None = None) -> list[Trace | ScoredTrace | InvalidTrace]:
    return FORMATS[format].read(row, Options(source))


def convert(format: str, row: dict[str, Any], source: str | None = None) -> Trace:
    """The one trace of a row."""
    (item,) = read(format, row, source)
    if isinstance(item, InvalidTrace):
        raise item
    return item.trace if isinstance(item, ScoredTrace) else item


def scores(item: Trace | ScoredTrace | InvalidTrace) -> dict[tuple[str, int | None], float]:
    assert isinstance(item, ScoredTrace)
    return {(score.name, score.step): score.value for score in item.scores}


def meta(trace: Trace) -> dict[str, Any]:
    """Without the layout, which test_split looks at."""
    return {key: value for key, value in trace.meta.items() if key != "splitting"}


def contents(trace: Trace) -> list[str]:
    return [step.content for step in trace.steps]


def test_trace_keeps_everything_and_takes_a_source_only_where_it_has_none() -> None:
    row = {"prompt": "p", "steps": [{"content": "s", "type": "plan"}], "final_answer": "a", "meta": {"k": 1}}
    assert convert("trace", row).to_dict()["meta"] == {"k": 1}
    assert convert("trace", row, "mine").source == "mine"
    assert convert("trace", row | {"source": "theirs"}, "mine").source == "theirs"


def test_tunix_sft_takes_back_what_its_metadata_carries() -> None:
    metadata = {"trace_id": "x", "split": "eval", "step_types": ["plan"], "source": "s", "meta": {"k": 1}, "extra": 2}
    trace = convert("tunix_sft", {"prompt": "p", "trace_steps": ["s"], "final_answer": "a", "metadata": metadata}, "l")
    assert trace.steps[0].type == "plan"
    assert trace.source == "s"
    assert trace.meta == {"k": 1, "extra": 2}
    bare = convert("tunix_sft", {"prompt": "p", "trace_steps": [], "final_answer": "a"}, "l")
    assert (bare.source, bare.meta) == ("l", {})


def test_gsm8k_strips_calculator_marks_and_blank_lines() -> None:
    answer = "Half is 48/2 = <<48/2=24>>24.\n\nAll is 48+24 = <<48+24=72>>72.\n#### 1,072"
    trace = convert("gsm8k", {"question": "How many?", "answer": answer})
    assert contents(trace) == ["Half is 48/2 = 24.", "All is 48+24 = 72."]
    assert trace.final_answer == trace.reference_answer == "1,072"
    assert trace.source == "gsm8k"
    assert convert("gsm8k", {"question": "q", "answer": "#### 1"}, "mine").source == "mine"


@pytest.mark.parametrize(
    ("completion", "steps", "answer"),
    [
        ("<think>\none\ntwo\n</think>\n\n42", ["one", "two"], "42"),
        ("one\n\ntwo\nmore\n</think>42", ["one", "two\nmore"], "42"),
        ("<reasoning>\none\n</reasoning>\n<answer>42</answer>\n", ["one"], "42"),
        ("<|begin_of_thought|>one<|end_of_thought|>\n<|begin_of_solution|>42<|end_of_solution|>", ["one"], "42"),
        ("one\ntwo\n#### 42", ["one", "two"], "42"),
        ("#### 42", [], "42"),
        ("just 42", [], "just 42"),
        ("<think></think>42", [], "42"),
    ],
)
def test_prompt_completion_splits_at_the_marks(completion: str, steps: list[str], answer: str) -> None:
    trace = convert("prompt_completion", {"prompt": "p", "completion": completion, "uuid": "u"})
    assert (contents(trace), trace.final_answer) == (steps, answer)
    assert meta(trace) == {"uuid": "u"}


def test_prompt_completion_reads_messages_and_separate_reasoning() -> None:
    row = {
        "prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}],
        "completion": [{"role": "assistant", "content": "42", "reasoning_content": "one\ntwo"}],
        "model": "m",
    }
    trace = convert("prompt_completion", row)
    assert (trace.system, trace.prompt, contents(trace), trace.final_answer) == ("S", "U", ["one", "two"], "42")
    assert trace.model == "m"


@pytest.mark.parametrize(
    ("row", "question", "steps", "answer"),
    [
        ({"problem": "q", "answer": "a"}, "q", [], "a"),
        ({"instruction": "q", "output": "x\n#### a"}, "q", ["x"], "a"),
        ({"question": "q", "reasoning": "x\ny", "answer": "a"}, "q", ["x", "y"], "a"),
        ({"question": "q", "steps": ["x", "y"], "answer": "a"}, "q", ["x", "y"], "a"),
        ({"problem": "q", "solution": "x", "answer": "a"}, "q", ["x"], "a"),
        ({"problem": "q", "solution": "<think>x</think>a"}, "q", ["x"], "a"),
    ],
)
def test_question_answer_finds_the_usual_names(
    row: dict[str, Any], question: str, steps: list[str], answer: str
) -> None:
    trace = convert("question_answer", row | {"level": 3})
    assert (trace.prompt, contents(trace), trace.final_answer) == (question, steps, answer)
    assert meta(trace) == {"level": 3}


@pytest.mark.parametrize(
    ("format", "row", "field"),
    [
        ("trace", {"prompt": "p", "steps": ["s"]}, "final_answer"),
        ("tunix_sft", {"prompt": "p", "trace_steps": ["s", 1], "final_answer": "a"}, "trace_steps[1]"),
        ("tunix_sft", {"prompt": "p", "trace_steps": ["s", " "], "final_answer": "a"}, "trace_steps[1]"),
        ("tunix_sft", {"prompt": "p", "trace_steps": "s", "final_answer": "a"}, "trace_steps"),
        ("tunix_sft", {"prompt": "p", "trace_steps": [], "final_answer": "a", "metadata": 1}, "metadata"),
        ("tunix_sft", {"prompt": "p", "trace_steps": [], "final_answer": "a", "extra": 1}, "extra"),
        (
            "tunix_sft",
            {"prompt": "p", "trace_steps": ["s"], "final_answer": "a", "metadata": {"step_types": []}},
            "metadata.step_types",
        ),
        (
            "tunix_sft",
            {"prompt": "p", "trace_steps": [], "final_answer": "a", "metadata": {"source": 1}},
            "metadata.source",
        ),
        ("gsm8k", {"question": "q", "answer": "no mark"}, "answer"),
        ("gsm8k", {"question": "q", "answer": "x\n#### "}, "answer"),
        ("gsm8k", {"question": " ", "answer": "x\n#### 1"}, "question"),
        ("gsm8k", {"question": "q"}, "answer"),
        ("prompt_completion", {"prompt": "p", "completion": "<think>never closed"}, "completion"),
        ("prompt_completion", {"prompt": "p"}, "completion"),
        ("prompt_completion", {"prompt": "p", "completion": " "}, "completion"),
        ("prompt_completion", {"prompt": [{"role": "user"}], "completion": "c"}, "prompt[0]"),
        ("prompt_completion", {"prompt": [{"role": "assistant", "content": "x"}], "completion": "c"}, "prompt"),
        ("prompt_completion", {"prompt": "p", "completion": [{"role": "user", "content": "x"}]}, "completion"),
        ("question_answer", {"question": "q"}, "answer"),
        ("question_answer", {"answer": "a"}, "question"),
        ("question_answer", {"question": 1, "answer": "a"}, "question"),
        ("question_answer", {"question": "q", "steps": [1], "answer": "a"}, "steps[0]"),
    ],
)
def test_errors_name_the_field_as_the_row_does(format: str, row: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidTrace) as caught:
        convert(format, row)
    assert caught.value.field == field


def _documented() -> list[tuple[str, dict[str, Any]]]:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "data-formats.md").read_text(encoding="utf-8")
    section = page.split("## Formats in")[1].split("## How text becomes steps")[0]
    found = []
    for part in section.split("\n### `")[1:]:
        name = part.split("`", 1)[0]
        found += [(name, orjson.loads(block.split("```")[0])) for block in part.split("```json\n")[1:]]
    return found


def test_every_format_is_documented_with_a_row_that_works() -> None:
    examples = _documented()
    assert {name for name, _ in examples} == set(FORMATS)
    for name, row in examples:
        assert detect_format([row]).format == name
        items = read(name, row)
        assert not [item for item in items if isinstance(item, InvalidTrace)]
        for item in items:
            trace = item.trace if isinstance(item, ScoredTrace) else item
            assert isinstance(trace, Trace)
            calls = [call.value for call in trace.conversation.calls]
            assert trace.final_answer in ("513", "72", "512") or calls == [{"a": 27, "b": 19}]
