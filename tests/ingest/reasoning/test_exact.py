"""What a file says is what a model is trained on: the reasoning is rendered byte for byte, whatever format held it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.ingest.reasoning.test_blocks import MARKDOWN
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.ingest.formats.detect import FORMATS
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.reasoning.steps import RULES, Rule, RuleName
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

GSM8K = Path(__file__).parents[3] / "../shared/data/gsm8k_train.jsonl"

# each way in which a format holds reasoning and an answer
ROWS: dict[str, Callable[[str], dict[str, Any]]] = {
    "prompt_completion": lambda text: {"prompt": "q", "completion": f"<think>\n{text}\n</think>\n\n42"},
    "messages": lambda text: {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": f"<reasoning>\n{text}\n</reasoning>\n<answer>42</answer>"},
        ]
    },
    "sharegpt": lambda text: {
        "conversations": [
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": f"<|channel|>analysis<|message|>{text}<|end|><|channel|>final<|message|>42"},
        ]
    },
    "alpaca": lambda text: {"instruction": "q", "output": f"{text}\n#### 42"},
    "openthoughts": lambda text: {"problem": "q", "deepseek_reasoning": text, "deepseek_solution": "42"},
    "openr1_math": lambda text: {"problem": "q", "generations": [f"{text}\n</think>\n\n42"]},
    "openmathreasoning": lambda text: {"problem": "q", "generated_solution": f"<think>\n{text}\n</think>42"},
    "s1k": lambda text: {"question": "q", "thinking_trajectories": [text], "attempt": "42"},
    "preference": lambda text: {"prompt": "q", "chosen": f"[THINK]\n{text}\n[/THINK]\n42", "rejected": "41"},
    "question_answer": lambda text: {"question": "q", "reasoning": text, "answer": "42"},
}


def rendered(trace: Trace, style: str) -> str:
    contents = [step.content for step in trace.steps]
    return render_completion(contents, trace.final_answer, ReasoningStyle(style), trace.layout)


def read(format: str, row: dict[str, Any], rule: RuleName = "auto") -> Trace:
    item = FORMATS[format].read(row, Options(rule=Rule(rule)))[0]
    assert isinstance(item, Trace | ScoredTrace), item
    return item.trace if isinstance(item, ScoredTrace) else item


@pytest.mark.parametrize("format", ROWS)
@settings(max_examples=examples(40), deadline=None)
@given(text=MARKDOWN, rule=st.sampled_from(RULES))
def test_the_reasoning_of_every_format_is_rendered_as_it_was_written(format: str, text: str, rule: RuleName) -> None:
    trace = read(format, ROWS[format](text), rule)
    assert rendered(trace, "think") == f"<think>\n{text}\n</think>\n\n42"
    assert rendered(trace, "plain") == f"{text}\n#### 42"
    assert rendered(trace, "tags") == f"<reasoning>\n{text}\n</reasoning>\n<answer>42</answer>"
    # numbered joins the steps its own way, and alters none
    assert all(step.content in rendered(trace, "numbered") for step in trace.steps)


@pytest.mark.parametrize(
    "answer",
    [
        "It is $\\boxed{42}$.",
        "\\boxed{42}",
        "**Answer**\n\n$$\\boxed{42}$$\n\nDone.",
        "So it is.\n#### 42",
        "#### 42",
        "Two lines:\n\n    code = 42",
    ],
)
@pytest.mark.parametrize("thought", ["one", "one\n\n    two\n\n", "- a\n- b"])
def test_what_a_model_wrote_around_its_answer_stays_behind_the_reasoning(thought: str, answer: str) -> None:
    text = f"<think>\n{thought}\n</think>\n\n{answer}"
    trace = read("prompt_completion", {"prompt": "q", "completion": text})
    assert rendered(trace, "think") == text
    assert trace.final_answer == ("42" if "#" in answer or "box" in answer else answer)


@pytest.mark.parametrize("format", ["prompt_completion", "messages", "tunix_sft", "trace"])
@pytest.mark.parametrize("style", ReasoningStyle)
@settings(max_examples=examples(15), deadline=None)
@given(text=MARKDOWN, answer=st.sampled_from(["42", "So it is $\\boxed{42}$.", "\\boxed{42}", "Yes.\n#### 42"]))
def test_an_export_of_such_a_trace_comes_back_as_that_trace(
    format: str, style: ReasoningStyle, text: str, answer: str
) -> None:
    trace = read("prompt_completion", {"prompt": "q", "completion": f"<think>\n{text}\n</think>\n\n{answer}"})
    for reasoning in ("content", "field"):
        options = ExportOptions.of(style=style, reasoning=reasoning)
        lines = b"".join(EXPORT_FORMATS[format]([trace], options=options))
        (back,) = read_traces(io.BytesIO(lines), name="f")
        assert back == trace
        if (format, reasoning) == ("messages", "field"):
            said = orjson.loads(lines)["messages"][-1]
            assert (said["reasoning_content"], said["content"]) == (text, answer)


@pytest.mark.parametrize(
    ("completion", "begins"),
    [
        ("<think>\none\ntwo\n</think>\n\n42", "a2fe49c294774a60"),
        ("<think>one\ntwo</think>42\n", "2d010f181daf26d2"),
        ("<reasoning>\none\ntwo\n</reasoning>\n<answer>42</answer>", "8389288ca15f9b37"),
        ("one\ntwo\n#### 42", "c0c315adde34c986"),
        ("one\nso \\boxed{42}", "2b1623ac628f4ae5"),
        ("one\ntwo\n</think>42", "f54c5861a4c19f75"),
        ("just 42", "2299445ee513f85a"),
    ],
)
def test_a_trace_whose_steps_stand_one_a_line_has_the_hash_of_the_first_version(completion: str, begins: str) -> None:
    trace = read("prompt_completion", {"prompt": "q", "completion": completion})
    assert (trace.layout, trace.content_hash[:16]) == (None, begins)


@pytest.mark.skipif(not GSM8K.exists(), reason="the sample of GSM8K is not here")
def test_gsm8k_is_rendered_as_it_stands_in_the_file_but_for_its_calculator_marks() -> None:
    texts = [orjson.loads(line)["answer"] for line in GSM8K.read_bytes().splitlines()]
    plain = []
    with_layout = 0
    for trace in read_traces(GSM8K, name="gsm8k"):
        assert isinstance(trace, Trace)
        plain.append(rendered(trace, "plain"))
        with_layout += trace.layout is not None
    assert plain == [re.sub(r"<<[^<>\n]*>>", "", text) for text in texts]
    assert with_layout < 10, "steps with a line each need no layout"
