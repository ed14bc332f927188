"""The formats for other programs: what their rows hold, and that each row brings its trace back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.export.test_export import TRACES
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.traces.metadata import rebuild_completion, rebuild_reasoning, rebuild_steps
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.scores import GivenScore, scores_in
from tunixrt_core.traces.trace import Step, Trace

RIGHT = Trace("2+3?", (Step(0, "2 and 3"), Step(1, "is 5")), "5", source="t", reference_answer="5")
WRONG = Trace("2+3?", (Step(0, "guess"),), "6", source="t", reference_answer="5")
ASKED = Trace("4+4?", (Step(0, "double"),), "8", system="Be brief.")


def rows(format: str, traces: Iterable[Trace], **more: Any) -> list[dict[str, Any]]:
    return [row_of(line) for line in EXPORT_FORMATS[format](traces, **more)]


def row_of(line: bytes) -> dict[str, Any]:
    """The row of a line, with what its metadata says."""
    row: dict[str, Any] = orjson.loads(line)
    return row | {"metadata": orjson.loads(row["metadata"])}


def rated(value: float, step: int | None = None, **more: Any) -> GivenScore:
    return GivenScore(name="rating", value=value, step=step, scorer="s", version="1", **more)


class Scores(dict[str, Sequence[GivenScore]]):
    """Scores by the hash of a trace; none where there are none."""

    def __call__(self, trace_hash: str) -> Sequence[GivenScore]:
        return self.get(trace_hash, ())


def content(value: Any) -> str:
    """The text of a prompt or completion, be it text or turns."""
    return str(value if isinstance(value, str) else value[-1]["content"])


def traces_in(format: str, row: dict[str, Any]) -> list[Trace | None]:
    """The traces that a row was made of, as an import finds them."""
    carried = row["metadata"]
    if format == "prompt_completion":
        return [rebuild_completion(content(row["prompt"]), content(row["completion"]), carried)]
    if format == "messages":
        user, said = row["messages"][-2:]
        if "reasoning_content" in said:
            return [rebuild_reasoning(user["content"], said["reasoning_content"], said["content"], carried)]
        return [rebuild_completion(user["content"], said["content"], carried)]
    if format == "stepwise":
        return [rebuild_steps(row["prompt"], carried, steps=row["completions"])]
    if format == "preference":
        sides = ("chosen", "rejected")
        return [rebuild_completion(content(row["prompt"]), content(row[side]), carried[side]) for side in sides]
    return [rebuild_steps(row["question"], carried)]


OPTIONS = st.builds(
    ExportOptions,
    st.sampled_from(list(ReasoningStyle)),
    st.sampled_from(["auto", "text", "messages"]),
    st.sampled_from(["content", "field"]),
    st.none() | st.sampled_from(list(ChatFormat)),
)


@pytest.mark.parametrize("format", ["prompt_completion", "messages", "stepwise", "grpo", "preference"])
@given(traces=st.lists(TRACES, min_size=1, max_size=4), options=OPTIONS, seed=st.integers(0, 9))
def test_export_ingest_export_is_a_fixed_point(
    format: str, traces: list[Trace], options: ExportOptions, seed: int
) -> None:
    with_steps = [trace for trace in traces if trace.steps]
    # a twin of each with another answer, so that there are pairs
    twins = [Trace(t.prompt, t.steps, f"{t.final_answer}!", system=t.system) for t in with_steps]
    whole = list({trace.content_hash: trace for trace in [*with_steps, *twins]}.values())
    scores = Scores()
    for number, trace in enumerate(whole):
        steps = [rated((number + i + seed) % 3 - 1, i) for i in range(len(trace.steps))]
        scores[trace.content_hash] = [*steps, rated(float(number))]
    if not whole:
        return
    first = list(EXPORT_FORMATS[format](whole, options=options, scores_of=scores))
    back: dict[str, Trace] = {}
    known = Scores()
    for line in first:
        row = row_of(line)
        parts = [row["metadata"][side] for side in ("chosen", "rejected")] if format == "preference" else None
        for trace, carried in zip(traces_in(format, row), parts or [row["metadata"]], strict=True):
            assert trace is not None
            back[trace.content_hash] = trace
            known[trace.content_hash] = scores_in(carried)
    assert list(EXPORT_FORMATS[format](back.values(), options=options, scores_of=known)) == first


def test_messages_hold_the_reasoning_in_the_content_or_in_a_field_of_its_own() -> None:
    (inside,) = rows("messages", [ASKED], split_of=lambda trace: "eval")
    assert inside["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "4+4?"},
        {"role": "assistant", "content": "<reasoning>\ndouble\n</reasoning>\n<answer>8</answer>"},
    ]
    assert inside["split"] == "eval"
    (apart,) = rows("messages", [RIGHT], options=ExportOptions(reasoning="field"))
    assert apart["messages"][-1] == {"role": "assistant", "reasoning_content": "2 and 3\nis 5", "content": "5"}
    assert "split" not in apart


def test_a_step_is_right_where_its_score_is_above_nought() -> None:
    scores = Scores({RIGHT.content_hash: [rated(1, 0), rated(0, 1), rated(9)]})
    (row,) = rows("stepwise", [RIGHT], scores_of=scores)
    assert (row["prompt"], row["completions"], row["labels"]) == ("2+3?", ["2 and 3", "is 5"], [True, False])
    assert [score["step"] for score in row["metadata"]["scores"]] == [0, 1]


def test_a_human_outweighs_every_automatic_score_of_a_step() -> None:
    seen = [rated(1, 0), rated(1, 0), rated(-1, 0, kind="human"), rated(1, 1)]
    (row,) = rows("stepwise", [RIGHT], scores_of=Scores({RIGHT.content_hash: seen}))
    assert row["labels"] == [False, True]


def test_a_trace_with_an_unscored_step_is_no_stepwise_row() -> None:
    scores = Scores({RIGHT.content_hash: [rated(1, 0)], WRONG.content_hash: [rated(0, 0)]})
    assert [row["labels"] for row in rows("stepwise", [RIGHT, WRONG], scores_of=scores)] == [[False]]
    with pytest.raises(InvalidDataset, match="needs a score on every step"):
        rows("stepwise", [RIGHT], scores_of=scores)


def test_a_right_answer_is_chosen_and_a_wrong_one_rejected() -> None:
    text = ExportOptions(turns="text")
    (row,) = rows("preference", [WRONG, RIGHT, ASKED], split_of=lambda trace: "train", options=text)
    assert row["prompt"] == "2+3?"
    assert row["chosen"] == "<reasoning>\n2 and 3\nis 5\n</reasoning>\n<answer>5</answer>"
    assert row["rejected"] == "<reasoning>\nguess\n</reasoning>\n<answer>6</answer>"
    assert row["split"] == "train"
    assert {side: row["metadata"][side]["trace_id"] for side in ("chosen", "rejected")} == {
        "chosen": RIGHT.content_hash,
        "rejected": WRONG.content_hash,
    }


def test_without_right_and_wrong_the_higher_score_is_chosen() -> None:
    traces = [Trace("2+3?", (Step(0, f"way {i}"),), "5", reference_answer="5") for i in range(5)]
    scores = Scores({trace.content_hash: [rated(float(i))] for i, trace in enumerate(traces[:4])})
    pairs = rows("preference", traces, scores_of=scores, options=ExportOptions(ReasoningStyle.PLAIN))
    # the best with the worst; no trace stands in two pairs
    assert [(row["chosen"], row["rejected"]) for row in pairs] == [
        ("way 3\n#### 5", "way 0\n#### 5"),
        ("way 2\n#### 5", "way 1\n#### 5"),
    ]
    level = Scores({trace.content_hash: [rated(1.0)] for trace in traces})
    with pytest.raises(InvalidDataset, match="two traces of one prompt"):
        rows("preference", traces, scores_of=level)


def test_a_pair_is_of_one_prompt_one_system_text_and_one_side_of_the_split() -> None:
    told = Trace("2+3?", WRONG.steps, "6", reference_answer="5", system="Guess.")
    spaced = Trace("2+3? ", WRONG.steps, "6", reference_answer="5")  # the same group, another text
    with pytest.raises(InvalidDataset):
        rows("preference", [RIGHT, told, spaced])
    sides: dict[str, Split] = {RIGHT.content_hash: "train", WRONG.content_hash: "eval"}
    with pytest.raises(InvalidDataset):
        rows("preference", [RIGHT, WRONG], split_of=lambda trace: sides[trace.content_hash])


def test_pairs_do_not_depend_on_the_order_that_traces_come_in() -> None:
    traces = [Trace("2+3?", (Step(0, f"way {i}"),), str(4 + i % 2), reference_answer="5") for i in range(6)]
    assert rows("preference", traces) == rows("preference", traces[::-1])


def test_a_grpo_row_is_a_prompt_and_the_answer_that_is_expected() -> None:
    row, other = rows("grpo", [WRONG, RIGHT, ASKED])
    if row["question"] != "2+3?":
        row, other = other, row
    assert {key: row[key] for key in ("prompts", "question", "answer")} == {
        "prompts": "2+3?",
        "question": "2+3?",
        "answer": "5",
    }
    assert other["answer"] == "8", "without a reference the trace's own answer is expected"


def test_the_prompts_of_grpo_can_be_in_a_chat_format() -> None:
    (row,) = rows("grpo", [ASKED], options=ExportOptions(chat=ChatFormat.GEMMA3))
    assert row["prompts"] == "<bos><start_of_turn>user\nBe brief.\n\n4+4?<end_of_turn>\n<start_of_turn>model\n"
    assert row["question"] == "4+4?"


def test_prompt_and_completion_are_text_or_turns_as_asked() -> None:
    (turns,) = rows("prompt_completion", [RIGHT], options=ExportOptions(turns="messages"))
    assert turns["prompt"] == [{"role": "user", "content": "2+3?"}]
    (text,) = rows("prompt_completion", [ASKED], options=ExportOptions(turns="text"))
    assert text["prompt"] == "4+4?"
    assert text["metadata"]["system"] == "Be brief."


@pytest.mark.parametrize("format", ["prompt_completion", "preference"])
def test_by_default_all_rows_are_turns_where_one_has_a_system_text(format: str) -> None:
    told = [Trace("4+4?", (Step(0, way),), way, system="Be brief.", reference_answer="8") for way in ("8", "9")]
    assert all(isinstance(row["prompt"], list) for row in rows(format, [RIGHT, WRONG, *told]))
    assert all(isinstance(row["prompt"], str) for row in rows(format, [RIGHT, WRONG]))


@pytest.mark.parametrize("name", ["style", "turns", "reasoning", "chat"])
def test_an_option_that_is_not_there_names_the_ones_that_are(name: str) -> None:
    with pytest.raises(InvalidDataset, match=f"{name}: 'odd' is not one of"):
        ExportOptions.of(**{name: "odd"})
