"""Format detection, by the content of the first rows."""

from __future__ import annotations

from typing import Any

import pytest

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.formats.detect import FORMATS, detect_format, format_named

ROWS: dict[str, dict[str, Any]] = {
    "trace": {"prompt": "p", "steps": [], "final_answer": "a"},
    "tunix_sft": {"prompt": "p", "trace_steps": [], "final_answer": "a", "metadata": {}},
    "atif": {"schema_version": "ATIF-v1.7", "steps": [], "agent": {}},
    "inspect": {"id": 1, "epoch": 1, "input": "q", "target": "a", "messages": []},
    "otel": {"traceId": "t", "spanId": "s", "attributes": []},
    "langfuse": {"id": "o", "traceId": "t", "input": [], "output": {}},
    "llm_calls": {"request": [{"role": "user", "content": "q"}], "response": "a"},
    "verifiers": {"prompt": [], "completion": [], "reward": 1.0, "info": {}},
    "chatgpt": {"title": "t", "mapping": {"a": {"message": None, "parent": None, "children": []}}, "current_node": "a"},
    "oasst": {"message_tree_id": "a", "prompt": {"message_id": "a", "text": "q", "role": "prompter", "replies": []}},
    "harmony": {"text": "<|start|>user<|message|>q<|end|>"},
    "chat_text": {"text": "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>"},
    "prm800k": {"labeler": "x", "question": {"problem": "p"}, "label": {"steps": []}},
    "openr1_math": {"problem": "p", "generations": ["g"], "answer": "a", "messages": []},
    "openthoughts": {"problem": "p", "deepseek_reasoning": "r", "deepseek_solution": "s"},
    "openmathreasoning": {"problem": "p", "generated_solution": "s", "expected_answer": "a"},
    "s1k": {"question": "q", "thinking_trajectories": ["t"], "attempt": "a", "solution": "s"},
    "stepwise": {"prompt": "p", "completions": ["c"], "labels": [True]},
    "preference": {"prompt": "p", "chosen": "c", "rejected": "r"},
    "ultrafeedback": {"instruction": "q", "completions": [{"response": "a", "overall_score": 1.0}]},
    "nectar": {"prompt": "\n\nHuman: q\n\nAssistant: ", "answers": [{"answer": "a", "rank": 1.0}]},
    "grpo": {"prompts": "p", "question": "q", "answer": "a"},
    "prompt_completion": {"prompt": "p", "completion": "c"},
    "asked_chat": {"messages": [{"role": "user", "content": "q"}], "answer": "a"},
    "toolace": {"system": 'Format: [func1(a=1)]\n[{"name": "f", "parameters": {}}]', "conversations": []},
    "sharegpt": {"conversations": [], "system": ""},
    "messages": {"messages": [], "num_tokens": 3},
    "alpaca": {"instruction": "i", "input": "", "output": "o"},
    "gsm8k": {"question": "q", "answer": "x\n#### 1"},
    "bfcl": {"id": "simple_0", "question": [[{"role": "user", "content": "q"}]], "function": [{"name": "f"}]},
    "question_answer": {"question": "q", "answer": "1"},
}


def test_there_is_a_row_here_for_every_format() -> None:
    assert list(ROWS) == list(FORMATS)


@pytest.mark.parametrize("format", ROWS)
def test_each_format_is_known_by_its_own_row(format: str) -> None:
    assert detect_format([ROWS[format]]).format == format
    assert format_named(format) is FORMATS[format]


def test_most_rows_decide() -> None:
    found = detect_format([{"odd": 1}, ROWS["trace"], ROWS["gsm8k"], ROWS["gsm8k"]])
    assert (found.format, found.sure) == ("gsm8k", "low")
    assert detect_format([ROWS["gsm8k"]]).sure == "high"
    assert detect_format([ROWS["question_answer"]]).sure == "medium"  # its names are common


def test_a_row_that_lacks_a_field_is_still_of_its_format() -> None:
    assert detect_format([{"prompt": "p", "steps": []}]).format == "trace"


def test_an_unknown_format_names_the_keys_seen_and_the_formats_known() -> None:
    with pytest.raises(
        UnreadableFile, match=r"Keys seen: height, width\. .* trace, tunix_sft, atif, .* --map prompt=COLUMN"
    ):
        detect_format([{"width": 1}, {"height": 2}])
    with pytest.raises(UnreadableFile, match="There is no format 'csv'"):
        format_named("csv")
