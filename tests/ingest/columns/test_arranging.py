"""Columns as people name them: what becomes prompt, reasoning, answer and reference, and what is said of the others."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.preview import preview_of
from tunixrt_core.ingest.reader import AnyReader, read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

CHAT = [{"role": "user", "content": "7+5?"}, {"role": "assistant", "content": "12"}]


def reader(*rows: Any, **options: Any) -> AnyReader:
    data = b"\n".join(row if isinstance(row, bytes) else orjson.dumps(row) for row in rows)
    return read_traces(io.BytesIO(data), **({"name": "f"} | options))


def read(*rows: Any, **options: Any) -> list[Any]:
    return [item.trace if isinstance(item, ScoredTrace) else item for item in reader(*rows, **options)]


def one(row: Any, **options: Any) -> Trace:
    (trace,) = read(row, **options)
    assert isinstance(trace, Trace), trace
    return trace


def told(trace: Trace) -> tuple[list[str], str, str | None]:
    return [step.content for step in trace.steps], trace.final_answer, trace.reference_answer


# --- reasoning and answer in different columns


@pytest.mark.parametrize(
    "written", ["response", "generation", "output", "model_output", "r1_solution_1", "completions"]
)
@pytest.mark.parametrize("reference", ["answer", "final_answer", "expected_answer", "solution"])
def test_what_a_model_wrote_is_trained_and_the_answer_beside_it_is_the_reference(written: str, reference: str) -> None:
    text = "<think>7 and 5</think>12"
    row = {"question": "7+5?", written: [text] if written == "completions" else text, reference: "twelve"}
    trace = one(row, format="question_answer")
    assert told(trace) == (["7 and 5"], "12", "twelve")
    assert set(trace.meta) == {"splitting"}


def test_several_texts_of_one_row_are_a_trace_each_and_a_bad_one_stops_no_other() -> None:
    row = {"question": "7+5?", "final_answer": "12", "r1_solution_1": "<think>a</think>12", "r1_solution_2": "<think>b"}
    good, bad = read(row)
    assert (told(good), good.meta["generation"]) == ((["a"], "12", "12"), "r1_solution_1")
    assert (bad.field, bad.reason.partition(".")[0]) == (
        "r1_solution_2",
        "opens <think> and does not close it before an answer",
    )
    listed = read({"problem": "7+5?", "answer": "12", "responses": ["12", "11"]}, format="question_answer")
    assert [(trace.final_answer, trace.meta["generation"]) for trace in listed] == [
        ("12", "responses[0]"),
        ("11", "responses[1]"),
    ]


def test_an_answer_that_holds_the_reasoning_stays_the_answer() -> None:
    row = {"question": "q", "answer": "<think>long enough</think>12", "response": "12"}
    assert told(one(row)) == (["long enough"], "12", None)
    assert one(row).meta["response"] == "12"


def test_rows_of_a_question_and_an_answer_alone_are_read_as_ever() -> None:
    assert told(one({"problem": "p", "solution": "a\nb", "answer": "12"})) == (["a", "b"], "12", None)
    assert told(one({"question": "p", "reasoning": "r", "response": "12"})) == (["r"], "12", None)
    assert told(one({"question": "p", "answer": "12", "reference_answer": "13"})) == ([], "12", "13")


@pytest.mark.parametrize(
    "answer", ["12", ["12"], 12, [12], {"text": ["12", "12"]}, [{"text": "12", "answer_start": 3}]]
)
def test_one_answer_is_read_in_whatever_it_stands(answer: Any) -> None:
    assert (
        one({"question": "7+5?", "answers" if isinstance(answer, dict | list) else "answer": answer}).final_answer
        == "12"
    )


def test_answers_that_differ_are_rejected_with_what_to_do() -> None:
    (error,) = read({"question": "7+5?", "answers": ["12", "twelve"]})
    assert (error.field, error.reason) == (
        "answers",
        "holds 2 different answers, such as '12' and 'twelve'. Say which one counts, as in "
        "--map final_answer=answers[0].",
    )


# --- names


@pytest.mark.parametrize(
    "row",
    [
        {"Question": "7+5?", "Complex_CoT": "7 and 5", "Response": "12"},
        {"PROBLEM": "7+5?", "chainOfThought": "7 and 5", "Final Answer": "12"},
        {"input": "7+5?", "rationale": "7 and 5", "target": "12"},
        {"inputs": "7+5?", "thoughts": "7 and 5", "targets": "12"},
    ],
)
def test_names_count_in_any_case_and_spelling(row: dict[str, str]) -> None:
    trace = one(row)
    assert (trace.prompt, *told(trace)[:2]) == ("7+5?", ["7 and 5"], "12")


def test_a_name_keeps_its_spelling_where_it_stays_in_meta_and_in_messages() -> None:
    row = {"Question": "7+5?", "Answer": "12", "Target": "t", "Source": "s", "Grade": 2}
    trace = one(row)
    assert (trace.source, trace.meta["Target"], trace.meta["Grade"]) == ("s", "t", 2)
    _, error = read(row, {"Question": 5, "Answer": "12"})
    assert str(error) == "f:2: Question: must be text, not the number 5. Write it in quotes"
    # of names that are usual already, another spelling of a weak one is left alone
    assert one({"question": "q", "answer": "a", "Source": "s"}).meta["Source"] == "s"


def test_chats_are_found_under_other_names_and_as_text() -> None:
    for name in ("conversation", "dialog", "chat_rounds", "Messages"):
        assert (one({name: CHAT}).prompt, one({name: CHAT}).final_answer) == ("7+5?", "12")
    for text in (orjson.dumps(CHAT).decode(), str(CHAT)):
        assert one({"messages": text}).final_answer == "12"
    assert (
        one(
            b"messages\n" + b'"' + orjson.dumps(CHAT).replace(b'"', b'""') + b'"', format="messages", name="f.csv"
        ).prompt
        == "7+5?"
    )
    assert one({"prompt": "[1, 2] has what sum?", "completion": "3"}).prompt == "[1, 2] has what sum?"
    by_hand = ColumnMapping({"messages[0].content": "prompt", "messages[-1].content": "final_answer"})
    assert one({"messages": orjson.dumps(CHAT).decode()}, mapping=by_hand).final_answer == "12"


# --- context and choices


@pytest.mark.parametrize("name", ["context", "Body", "passage", "theory", "article", "premises"])
def test_a_context_stands_before_the_question(name: str) -> None:
    context: Any = ["Ann has 7.", "Bob has 5."] if name == "premises" else "Ann has 7.\nBob has 5."
    trace = one({name: context, "question": "How many?", "answer": "12"})
    assert trace.prompt == "Ann has 7.\nBob has 5.\n\nHow many?"
    begins = trace.meta["prompt_from"]
    assert trace.prompt[begins["question"] :] == "How many?"
    assert set(trace.meta) == {"prompt_from", "splitting"}
    assert list(begins.values()) == [0, 23]


def test_a_context_that_is_in_the_question_already_or_of_a_known_row_is_not_added() -> None:
    trace = one({"context": "Ann has 7.", "question": "Ann has 7. How many?", "answer": "7"})
    assert (trace.prompt, trace.meta["context"]) == ("Ann has 7. How many?", "Ann has 7.")
    own = one({"prompt": "p", "steps": [], "final_answer": "1", "meta": {"context": "c"}})
    assert (own.prompt, own.meta) == ("p", {"context": "c"})


@pytest.mark.parametrize(
    ("row", "format"),
    [
        ({"instruction": "How many?", "context": "7 and 5.", "output": "12"}, "alpaca"),
        ({"prompt": "How many?", "context": "7 and 5.", "completion": "12"}, "prompt_completion"),
        ({"question": "How many?", "context": "7 and 5.", "answer": "7+5\n#### 12"}, "gsm8k"),
        ({"prompt": "How many?", "context": "7 and 5.", "chosen": "12", "rejected": "11"}, "preference"),
    ],
)
def test_every_format_with_a_prompt_of_text_takes_a_context(row: dict[str, str], format: str) -> None:
    found = reader(row)
    assert found.format == format
    assert {(item.trace if isinstance(item, ScoredTrace) else item).prompt for item in found} == {
        "7 and 5.\n\nHow many?"
    }


WRITTEN = "Which?\n\nA. red\nB. blue\nC. grey"


@pytest.mark.parametrize(
    "row",
    [
        {"choices": ["red", "blue", "grey"], "answer": 1},
        {"choices": ["red", "blue", "grey"], "answer": "1"},
        {"options": {"A": "red", "B": "blue", "C": "grey"}, "answer": "b"},
        {"choices": {"text": ["red", "blue", "grey"], "label": ["A", "B", "C"]}, "answerKey": "B"},
        {"options": [{"label": "A", "text": "red"}, {"label": "B", "text": "blue"}, {"label": "C", "text": "grey"}],
         "correct": "B"},
        {"A": "red", "B": "blue", "C": "grey", "answer": "B"},
        {"opa": "red", "opb": "blue", "opc": "grey", "cop": 1},
        {"option_1": "red", "option_2": "blue", "option_3": "grey", "answer": 1},
        {"choices": "['red', 'blue', 'grey']", "answer": "B"},
    ],
)  # fmt: skip
def test_choices_stand_behind_the_question_and_the_answer_is_the_letter(row: dict[str, Any]) -> None:
    trace = one({"question": "Which?", **row})
    assert (trace.prompt, trace.final_answer) == (WRITTEN, "B")
    assert trace.prompt[trace.meta["prompt_from"]["choices"] :] == "A. red\nB. blue\nC. grey"


def test_choices_with_their_own_letters_and_answers_in_words_stay_as_they_are() -> None:
    trace = one({"question": "Which?", "options": ["A)red", "B)blue"], "answer": "blue"})
    assert (trace.prompt, trace.final_answer) == ("Which?\n\nA)red\nB)blue", "blue")
    numbers = one({"question": "Which?", "choices": [3, 4, 5], "answer": 4})
    assert (numbers.prompt, numbers.final_answer) == ("Which?\n\nA. 3\nB. 4\nC. 5", "4")
    digits = one({"question": "Which?", "choices": ["0", "2", "1"], "answer": 1})
    assert digits.final_answer == "B"  # an index: the choices are texts


def test_an_index_that_no_choice_has_is_rejected_with_what_to_do() -> None:
    _, error = read(
        {"question": "Which?", "choices": ["red", "blue"], "answer": 1},
        {"question": "Which?", "choices": ["red", "blue"], "answer": 2},
    )
    assert isinstance(error, RowError)
    assert (error.line, error.field, error.reason) == (
        2,
        "answer",
        "is 2, but there are 2 choices, counted from 0. Write the letter or the text of the right choice.",
    )


# --- references


@pytest.mark.parametrize("name", ["reference_answer", "expected_answer", "ground_truth", "solution", "Ground Truth"])
@pytest.mark.parametrize(
    "row",
    [
        {"messages": CHAT},
        {"conversations": [{"from": "human", "value": "7+5?"}, {"from": "gpt", "value": "12"}]},
        {"prompt": "7+5?", "completion": "12"},
        {"instruction": "7+5?", "output": "12"},
        {"prompt": "7+5?", "chosen": "12", "rejected": "11"},
        {"prompt": "7+5?", "completions": ["The answer is 12"], "labels": [True]},
    ],
)
def test_a_reference_is_kept_in_every_format(name: str, row: dict[str, Any]) -> None:
    traces = read({**row, name: 12}, {**row, name: ["12"]})
    assert {trace.reference_answer for trace in traces} == {"12"}
    assert not any(name in trace.meta for trace in traces)
    (unread, *_) = read({**row, name: {"value": 12}})
    assert (unread.reference_answer, unread.meta[name]) in ((None, {"value": 12}), (None, {"value": 12.0}))


# --- what is said


def test_the_preview_says_what_became_of_each_column_with_two_values() -> None:
    rows = [
        {
            "Question": f"Which {n}?",
            "choices": ["red", "blue"],
            "answer": n,
            "context": f"c{n}",
            "level": n,
            "gold": "B",
        }
        for n in range(2)
    ]
    preview = preview_of(reader(*rows))
    assert [tuple(column) for column in preview.columns] == [
        ("Question", "prompt", ("Which 0?", "Which 1?")),
        ("choices", "prompt", ('["red","blue"]',)),
        ("answer", "final_answer (as a letter)", ("0", "1")),
        ("context", "prompt", ("c0", "c1")),
        ("level", "meta", ("0", "1")),
        ("gold", "reference_answer", ("B",)),
    ]


def test_a_column_of_text_longer_than_the_prompt_that_is_left_out_is_a_warning() -> None:
    told = "Because seven and five are twelve, as anybody can count."
    found = reader(*({"question": "7+5?", "answer": "12", "explanation": told, "sha": "a" * 64} for _ in range(3)))
    assert [trace.meta["explanation"] for trace in found if isinstance(trace, Trace)] == [told] * 3
    (warning,) = found.warnings.found
    assert warning[1:] == (3, 1)
    assert warning.text.startswith(
        "The column 'explanation' holds text that is longer than the prompt and is kept in `meta`"
    )
    assert reader({"question": "7+5?", "answer": "12", "explanation": "short"}).warnings.found == ()


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"inptu": "prompt", "target": "final_answer"},
            "there is no column 'inptu' in the first rows. Did you mean 'input'?",
        ),
        ({"Input": "prompt", "target": "final_answer"}, "Did you mean 'input'?"),
        (
            {"rows[0].input": "prompt", "rows[0].target": "final_answer"},
            "in one of 3 objects under 'rows', and the others would be left out. Read each of them as a row, with "
            "--field rows, and map 'input'.",
        ),
    ],
)  # fmt: skip
def test_a_column_that_does_not_exist_or_is_one_of_many_is_refused(mapping: dict[str, str], message: str) -> None:
    rows = [{"input": f"i{n}", "target": "t"} for n in range(3)]
    with pytest.raises(UnreadableFile) as error:
        reader({"rows": rows}, mapping=ColumnMapping(mapping))
    assert message in str(error.value)


def test_a_column_that_is_missing_but_not_needed_is_a_warning() -> None:
    found = reader({"q": "p", "a": "1"}, mapping=ColumnMapping({"q": "prompt", "a": "final_answer", "why": "steps"}))
    (warning,) = found.warnings.found
    assert warning.text == "For steps, there is no column 'why' in the first rows. Columns seen: a, q."
