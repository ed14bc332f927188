"""Exports: the formats, the same bytes always, and files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.errors import InvalidDataset, OutputError
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import write_export
from tunixrt_core.export.formats import (
    EXPORT_FORMATS,
    export_prompt_completion_jsonl,
    export_tunix_sft_jsonl,
    exporter_named,
)
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.traces.conversation import Call, Conversation, Message, calls_text, read_arguments
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.trace import Step, Trace

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_FILLED = _TEXT.filter(lambda text: bool(text.strip()))
TRACES = st.builds(
    lambda prompt, steps, answer, **rest: Trace(
        prompt, tuple(Step(i, content, kind) for i, (content, kind) in enumerate(steps)), answer, **rest
    ),
    _FILLED,
    st.lists(st.tuples(_FILLED, st.just("reason") | _FILLED), max_size=4),
    _FILLED,
    meta=st.dictionaries(_TEXT, st.none() | st.integers(-(2**63), 2**64 - 1) | _TEXT | st.lists(_TEXT), max_size=3),
    system=st.none() | _TEXT,
    reference_answer=st.none() | _TEXT,
    source=st.none() | _TEXT,
    model=st.none() | _TEXT,
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e300, 1e300) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_OBJECTS = st.dictionaries(_TEXT, _JSON, max_size=3)
_CALLS = st.lists(st.builds(Call, _FILLED, _OBJECTS | _FILLED.map(read_arguments), st.none() | _TEXT), max_size=2).map(
    tuple
)
_SAID = st.builds(
    Message, st.just("assistant"), _TEXT, _TEXT, _CALLS, name=st.none() | _TEXT, train=st.none() | st.booleans()
)
_RESULT = st.builds(Message, st.just("tool"), _TEXT, call_id=st.none() | _TEXT, name=st.none() | _TEXT)
_ASKED = st.builds(Message, st.sampled_from(["system", "user"]), _TEXT)
TALKS = st.builds(
    Conversation,
    st.lists(_ASKED | _SAID | _RESULT, max_size=3).map(tuple),
    st.lists(_SAID | _RESULT, max_size=3).map(tuple),
    st.lists(_OBJECTS, max_size=2).map(tuple),
    _CALLS,
)


@st.composite
def talking(draw: st.DrawFn) -> Trace:
    """A trace within a conversation. Its answer may be its calls alone, and its text of any layout."""
    trace, talk = draw(TRACES), draw(TALKS)
    answer = calls_text(talk.calls) if talk.calls and draw(st.booleans()) else trace.final_answer
    layout = draw(st.none() | st.builds(Layout, before_answer=_TEXT, after_answer=_TEXT))
    if trace.steps and draw(st.booleans()):
        last = msgspec.structs.replace(trace.steps[-1], content=f"{trace.steps[-1].content}{answer}.")
        at = len(trace.steps[-1].content)
        trace, layout = replace(trace, steps=(*trace.steps[:-1], last)), Layout(solution=1, answer_at=at)
    return replace(trace, conversation=talk, final_answer=answer, layout=layout)


PLAIN = Trace("2+3?", (Step(0, "2 and 3"), Step(1, "is 5")), "5", source="t", reference_answer="5")


def read_back(lines: Iterator[bytes], format: str) -> list[Trace]:
    rows = list(read_traces(BytesIO(b"".join(lines)), name="back", format=format))
    assert all(isinstance(row, Trace) for row in rows), rows
    return [row for row in rows if isinstance(row, Trace)]


def test_a_tunix_sft_row_has_its_four_keys_in_order() -> None:
    (line,) = export_tunix_sft_jsonl([PLAIN], split_of=lambda trace: "eval")
    row = orjson.loads(line)
    assert list(row) == ["prompt", "trace_steps", "final_answer", "metadata"]
    assert row["trace_steps"] == ["2 and 3", "is 5"]
    assert row["metadata"] == {
        "trace_id": PLAIN.content_hash,
        "split": "eval",
        "source": "t",
        "reference_answer": "5",
    }


@pytest.mark.parametrize("format", ["tunix_sft", "trace"])
@given(st.lists(TRACES | talking(), min_size=1, max_size=4))
def test_export_then_ingest_gives_the_same_traces(format: str, traces: list[Trace]) -> None:
    back = read_back(EXPORT_FORMATS[format](traces), format)
    assert [trace.content_hash for trace in back] == [trace.content_hash for trace in traces]


def test_a_line_of_the_trace_format_is_canonical_json_but_for_the_text_of_meta() -> None:
    trace = replace(PLAIN, meta={"k": [1, "é"]})
    (line,) = EXPORT_FORMATS["trace"]([trace])
    row = orjson.loads(line)
    assert row["meta"] == '{"k":[1,"é"]}'
    canonical = orjson.dumps(row | {"meta": orjson.loads(row["meta"])}, option=orjson.OPT_SORT_KEYS)
    assert sha256(canonical).hexdigest() == trace.content_hash


@pytest.mark.parametrize("style", [ReasoningStyle.TAGS, ReasoningStyle.THINK, ReasoningStyle.PLAIN])
def test_prompt_completion_keeps_the_steps_in_every_style(style: ReasoningStyle) -> None:
    (back,) = read_back(
        export_prompt_completion_jsonl([PLAIN], options=ExportOptions(style=style)), "prompt_completion"
    )
    assert (back.prompt, back.steps, back.final_answer) == (PLAIN.prompt, PLAIN.steps, PLAIN.final_answer)


def test_prompt_completion_with_a_system_text_is_messages() -> None:
    asked = Trace("2+3?", (Step(0, "add"),), "5", system="Be brief.")
    (line,) = export_prompt_completion_jsonl([asked], split_of=lambda trace: "train")
    row = orjson.loads(line)
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
    assert row["completion"][0]["content"] == "<reasoning>\nadd\n</reasoning>\n<answer>5</answer>"
    assert row["split"] == "train"
    (back,) = read_back(iter([line]), "prompt_completion")
    assert (back.system, back.prompt, back.final_answer) == ("Be brief.", "2+3?", "5")


def test_an_unknown_format_lists_the_known_ones() -> None:
    assert exporter_named("tunix_sft") is export_tunix_sft_jsonl
    with pytest.raises(InvalidDataset, match="tunix_sft, trace, prompt_completion"):
        exporter_named("csv")


def test_a_written_export_matches_its_sidecar_and_holds_no_clock(tmp_path: Path) -> None:
    first = write_export(export_tunix_sft_jsonl([PLAIN]), tmp_path / "a" / "x.jsonl", dataset={"name": "d"})
    again = write_export(export_tunix_sft_jsonl([PLAIN]), tmp_path / "b" / "x.jsonl", dataset={"name": "d"})
    assert first.path.read_bytes() == again.path.read_bytes()
    assert first.meta_path.read_bytes() == again.meta_path.read_bytes()
    assert orjson.loads(first.meta_path.read_bytes()) == {
        "format": "tunix_sft",
        "rows": 1,
        "sha256": sha256(first.path.read_bytes()).hexdigest(),
        "bytes": first.path.stat().st_size,
        "dataset": {"name": "d"},
    }
    assert sorted(os.listdir(tmp_path / "a")) == ["x.jsonl", "x.jsonl.meta.json"]


def test_a_failed_export_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write_export([b"old\n"], path)

    def broken() -> Iterator[bytes]:
        yield b"new\n"
        raise RuntimeError("the store went away")

    with pytest.raises(RuntimeError):
        write_export(broken(), path)
    assert path.read_bytes() == b"old\n"
    assert sorted(os.listdir(tmp_path)) == ["x.jsonl", "x.jsonl.meta.json"]


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot be written \(.*\)\. Choose another place"):
        write_export([b"x\n"], tmp_path / "file" / "x.jsonl")
    with pytest.raises(OutputError, match="cannot be written"):
        write_export([b"x\n"], tmp_path / ("n" * 300))
