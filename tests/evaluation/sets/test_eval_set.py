"""The eval split of a data file asks what it knows a right answer to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.conversations import CALL, called, calling, talk
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.evaluation.answering import prompt_of
from tunixrt_core.evaluation.sets.eval_set import eval_rows, rows_hash
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.traces.conversation import calls_text
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.hashing import content_hash

REJECTED = GivenScore(name="label", value=0, scorer="trl", version="given")


def test_the_answer_of_a_negative_example_is_never_a_reference(tmp_path: Path) -> None:
    good, bad = Trace("2+2?", (), "4"), Trace("3+3?", (), "7")
    told = Trace("4+4?", (), "9", reference_answer="8")
    scores = {bad.content_hash: (REJECTED,), told.content_hash: (REJECTED,)}
    manifest = make_manifest(tmp_path, train_steps=1)

    def write(*traces: Trace) -> None:
        lines = EXPORT_FORMATS["tunix_sft"](
            traces, split_of=lambda trace: "eval", scores_of=lambda trace_hash: scores.get(trace_hash, ())
        )
        Path(manifest.data.path).write_bytes(b"".join(lines))

    write(good, bad, told)
    assert [row.reference for row in eval_rows(manifest)] == ["4", "8"]
    write(bad)
    with pytest.raises(InvalidDataset, match="no rows of the eval split"):
        eval_rows(manifest)


def test_a_row_asks_with_its_conversation_and_expects_the_calls_of_its_final_turn(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=1)
    traces = (talk(), called(), calling())
    lines = EXPORT_FORMATS["tunix_sft"](traces, split_of=lambda trace: "eval")
    Path(manifest.data.path).write_bytes(b"".join(lines))
    rows = eval_rows(manifest)
    assert [prompt_of(manifest, row) for row in rows] == [manifest.rendering.asked(trace) for trace in traces]
    assert [row.reference for row in rows] == ["3", "1 degrees", calls_text([CALL])]
    assert [row.conversation.calls for row in rows] == [(), (), ()]
    assert "What is 1 and 1?" in prompt_of(manifest, rows[0])
    assert "<tool_response>" in prompt_of(manifest, rows[1])


def test_only_rows_with_a_conversation_have_it_in_their_hash(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=1)
    rows = eval_rows(manifest)
    assert rows_hash(rows) == content_hash([[row.id, row.prompt, row.reference, row.system] for row in rows])
    asked = [replace(rows[0], conversation=trace.conversation) for trace in (talk(1), talk(2))]
    assert len({rows_hash([row]) for row in (rows[0], *asked)}) == 3
