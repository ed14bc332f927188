"""Every export comes back as the traces it was made of, from JSONL and from Parquet."""

from __future__ import annotations

import io

import orjson
import pytest

from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import FileType, encoded
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Step, Trace

STEPS = (Step(0, "one\n\nand more", "plan"), Step(1, " 2. <think> two </think> "), Step(2, "#### 3"))
TRACES = [
    Trace("p\u2028", STEPS, "42\n", {"n": [1, None]}, "S", "42", "src", "m"),
    Trace("p\u2028", STEPS, "41", {"n": [1, None]}, "S", "42", "src", "m"),
    Trace("q", (Step(0, "s"),), "1"),
    Trace("q", (Step(0, "t"),), "2"),
    Trace("r", (), "3"),
]


def scores_of(trace_hash: str) -> tuple[GivenScore, ...]:
    trace = next(trace for trace in TRACES if trace.content_hash == trace_hash)
    whole = GivenScore(name="preferred", value=float(len(trace.final_answer)), scorer="me", version="1")
    steps = [GivenScore(name="rating", value=1.0, step=i, scorer="me", version="1") for i in range(len(trace.steps))]
    return (whole, *steps)


@pytest.mark.parametrize("file_type", [FileType.JSONL, FileType.PARQUET])
@pytest.mark.parametrize("turns", ["text", "messages"])
@pytest.mark.parametrize("style", ["tags", "think", "plain", "answer", "numbered"])
@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_an_export_is_read_back_to_the_same_traces(format: str, style: str, turns: str, file_type: FileType) -> None:
    exporter = EXPORT_FORMATS[format]
    options = ExportOptions.of(style=style, turns=turns)
    lines = list(exporter(TRACES, split_of=lambda trace: "train", options=options, scores_of=scores_of))
    data = b"".join(encoded(iter(lines), file_type, exporter.columns_with(options)))
    reader = read_traces(io.BytesIO(data), name="f")
    items = list(reader)
    assert reader.format == format
    found = {
        item.trace.content_hash if isinstance(item, ScoredTrace) else item.content_hash for item in traces_in(items)
    }
    every = {trace.content_hash for trace in TRACES}
    if format in LEAVE_OUT:
        assert len(found) >= 2
        assert found <= every
    else:
        assert found == every


def traces_in(items: list[Trace | ScoredTrace | RowError]) -> list[Trace | ScoredTrace]:
    assert not [item for item in items if isinstance(item, RowError)]
    return [item for item in items if not isinstance(item, RowError)]


@pytest.mark.parametrize("format", ["stepwise", "preference"])
def test_scores_that_an_export_carries_come_back_with_the_traces(format: str) -> None:
    lines = EXPORT_FORMATS[format](TRACES, scores_of=scores_of)
    items = list(read_traces(io.BytesIO(b"".join(lines)), name="f"))
    assert items
    for item in items:
        assert isinstance(item, ScoredTrace)
        assert set(item.scores) <= set(scores_of(item.trace.content_hash))
        assert item.scores


# no pair, no steps to score, one row per prompt
LEAVE_OUT = ("preference", "stepwise", "grpo")


TALKS = [
    Conversation(turns=(Message("assistant", calls=(Call("f", {"x": 1}, "c1"),)), Message("tool", "7", call_id="c1"))),
    Conversation((Message("user", "Hi"), Message("assistant", "Hello", train=False)), tools=({"name": "f"},)),
    Conversation(calls=(Call("f", {"x": 1}, "c1"),)),
]
TALKED = [Trace("q", (Step(0, "s"),), "a", conversation=talk) for talk in TALKS]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_conversation_is_read_back_from_a_trace(as_text: bool) -> None:
    rows = [trace.to_dict() for trace in TALKED]
    if as_text:  # as tables hold what is no text
        rows = [{k: v if isinstance(v, str) else orjson.dumps(v).decode() for k, v in row.items()} for row in rows]
    data = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    assert list(read_traces(io.BytesIO(data), name="f")) == TALKED


@pytest.mark.parametrize("file_type", [FileType.JSONL, FileType.PARQUET])
def test_a_conversation_is_read_back_from_an_export(file_type: FileType) -> None:
    exporter = EXPORT_FORMATS["tunix_sft"]
    lines = exporter(TALKED, split_of=lambda trace: "train")
    data = b"".join(encoded(iter(list(lines)), file_type, exporter.columns_with(ExportOptions.of())))
    assert list(read_traces(io.BytesIO(data), name="f")) == TALKED
