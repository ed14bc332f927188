"""Format detection, by the content of the first rows."""

from __future__ import annotations

from typing import Any

import pytest

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.detect import FORMATS, detect_format, format_named

ROWS: dict[str, dict[str, Any]] = {
    "trace": {"prompt": "p", "steps": [], "final_answer": "a"},
    "tunix_sft": {"prompt": "p", "trace_steps": [], "final_answer": "a", "metadata": {}},
    "prompt_completion": {"prompt": "p", "completion": "c"},
    "gsm8k": {"question": "q", "answer": "x\n#### 1"},
    "question_answer": {"question": "q", "answer": "1"},
}


@pytest.mark.parametrize("format", ROWS)
def test_each_format_is_known_by_its_own_row(format: str) -> None:
    assert detect_format([ROWS[format]]) == format
    assert format_named(format) is FORMATS[format]


def test_most_rows_decide() -> None:
    assert detect_format([{"odd": 1}, ROWS["trace"], ROWS["gsm8k"], ROWS["gsm8k"]]) == "gsm8k"


def test_a_row_that_lacks_a_field_is_still_of_its_format() -> None:
    assert detect_format([{"prompt": "p", "steps": []}]) == "trace"


def test_an_unknown_format_names_the_keys_seen_and_the_formats_known() -> None:
    with pytest.raises(
        UnreadableFile, match=r"Keys seen: height, width\. .* trace, tunix_sft, prompt_completion, gsm8k"
    ):
        detect_format([{"width": 1}, {"height": 2}])
    with pytest.raises(UnreadableFile, match="There is no format 'csv'"):
        format_named("csv")
