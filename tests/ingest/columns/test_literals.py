"""Answers that are numbers, true or false: the text of the file, in every format and kind of file."""

from __future__ import annotations

import io
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace


def read(data: bytes, **options: Any) -> list[Trace | RowError]:
    items = read_traces(io.BytesIO(data), name="f", **options)
    return [item.trace if isinstance(item, ScoredTrace) else item for item in items]


def answers(data: bytes, **options: Any) -> list[tuple[str, str | None] | str]:
    return [
        str(item) if isinstance(item, RowError) else (item.final_answer, item.reference_answer)
        for item in read(data, **options)
    ]


@pytest.mark.parametrize(
    "written",
    ["42", "-7", "0", "-0", "1.50", "1e3", "1E-2", "1e400", "0.1", "true", "false", "18446744073709551616", "9" * 400],
)
def test_an_answer_is_kept_digit_for_digit(written: str) -> None:
    line = f'{{"question": "q", "answer": {written}, "reference_answer": {written} }}'.encode()
    for data in (line, b"[" + line + b"]"):
        assert answers(data, format="question_answer") == [(written, written)]


@pytest.mark.parametrize(
    ("format", "row", "expected"),
    [
        ("trace", '{"prompt": "p", "steps": [], "final_answer": 4.0, "reference_answer": 4}', ("4.0", "4")),
        (
            "tunix_sft",
            '{"prompt": "p", "trace_steps": [], "final_answer": 4.0, "metadata": {"reference_answer": 4}}',
            ("4.0", "4"),
        ),
        ("prompt_completion", '{"prompt": "p", "completion": 4.0}', ("4.0", None)),
        ("alpaca", '{"instruction": "i", "output": 4.0}', ("4.0", None)),
        ("grpo", '{"prompts": "q", "question": "q", "answer": 4.0}', ("4.0", "4.0")),
        ("openr1_math", '{"problem": "p", "generations": ["4"], "answer": 4.0}', ("4", "4.0")),
        ("openmathreasoning", '{"problem": "p", "generated_solution": "4", "expected_answer": 4.0}', ("4", "4.0")),
        (
            "openthoughts",
            '{"problem": "p", "deepseek_reasoning": "r", "deepseek_solution": 4.0, "ground_truth_solution": 4}',
            ("4.0", "4"),
        ),
        ("s1k", '{"question": "q", "thinking_trajectories": ["r"], "attempt": 4.0, "solution": 4}', ("4.0", "4")),
        (
            "prm800k",
            '{"question": {"problem": "p", "ground_truth_answer": 4, "pre_generated_answer": 4.0}, "label": {"steps": '
            '[{"completions": [{"text": "s"}]}]}}',
            ("4.0", "4"),
        ),
    ],
)
def test_every_format_takes_a_number_for_an_answer(format: str, row: str, expected: tuple[str, str | None]) -> None:
    assert answers(row.encode(), format=format) == [expected]


def test_numbers_elsewhere_stay_numbers_and_prompts_and_steps_stay_text() -> None:
    data = b'{"question": "q", "answer": 1.50, "level": 1.50, "output": 2.0}\n'
    (trace,) = read(data)
    assert isinstance(trace, Trace)
    assert {key: trace.meta[key] for key in ("level", "output")} == {"level": 1.5, "output": 2.0}
    assert answers(data + b'{"question": 5, "answer": 1}\n{"question": "q", "answer": 1, "steps": [2]}') == [
        ("1.50", None),
        "f:2: question: must be text, not the number 5. Write it in quotes",
        "f:3: steps[0]: must be text or an object with `content`, not the number 2. Write the step as text",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"question": "q", "answer": NaN}', "answer: nan is not a JSON number"),
        ('{"question": "q", "answer": 1, "n": Infinity}', "n: inf is not a JSON number"),
        ('{"question": "q", "answer": 1, "n": 18446744073709551616}', "n: integer does not fit in 64 bits"),
        ('{"question": "q", "answer": 1, "answer": 2}', "answer: the key occurs twice in one object"),
        ('{"question": "q", "answer": {"value": 1}}', "answer: must be text, a number, true or false, not an object"),
    ],
)
def test_what_was_refused_before_still_is(row: str, message: str) -> None:
    (found,) = answers(row.encode(), format="question_answer")
    assert str(found).startswith(f"f:1: {message}")


def test_a_reference_that_is_a_list_is_refused_and_not_lost() -> None:
    data = b'{"problem": "p", "generated_solution": "4", "expected_answer": [4, 5]}'
    message = "f:1: expected_answer: must be text, a number, true or false, not the number 4. Write it as one text"
    assert answers(data, format="openmathreasoning") == [message]


def test_parquet_gives_numbers_in_their_shortest_form_and_no_value_for_nan() -> None:
    def table(values: list[Any]) -> bytes:
        sink = io.BytesIO()
        pq.write_table(pa.table({"question": ["q"] * len(values), "answer": values}), sink)
        return sink.getvalue()

    assert answers(table([42, 2**63 - 1, None]), format="question_answer") == [
        ("42", None),
        (str(2**63 - 1), None),
        "f:row 3: answer: is missing; it may also be called final_answer, answer, response, output, solution. "
        "Rename a column, or map it by hand.",
    ]
    assert answers(table([True, False])) == [("true", None), ("false", None)]
    # pandas makes whole numbers floating-point ones where one of them is missing
    assert answers(table([42.0, 0.5, 1e300, math.inf])) == [
        ("42", None),
        ("0.5", None),
        ("1e+300", None),
        "f:row 4: answer: is inf, which is no answer. Leave the row out",
    ]
    assert str(answers(table([math.nan, 1.0]), format="question_answer")[0]).startswith("f:row 1: answer: is missing")


def test_a_column_named_by_hand_takes_a_number_wherever_it_stands() -> None:
    mapping = ColumnMapping({"q": "prompt", "rows[-1].a": "final_answer", "x.ref": "reference_answer"})
    data = b'{"q": "q", "rows": [{"a": 1}, {"a": 2.50}], "x": {"ref": true}}'
    assert answers(data, mapping=mapping) == [("2.50", "true")]
