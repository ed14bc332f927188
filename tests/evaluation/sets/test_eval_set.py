"""The eval split of a data file asks what it knows a right answer to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.evaluation.sets.eval_set import eval_rows
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Trace

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
