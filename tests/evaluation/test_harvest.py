"""What a model wrote becomes a trace that names its model, and nothing that it did not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.conversations import CALL, TOOL, talk
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import Conflict, InvalidEvaluation, InvalidTrace
from tunixrt_core.evaluation.folder import EvalDir, EvalSpec
from tunixrt_core.evaluation.harvest import harvest, model_label, origin, read_output, trace_of
from tunixrt_core.evaluation.predictions import Prediction, write_predictions
from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.ingest.report import RowError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.traces.conversation import Conversation, calls_text
from tunixrt_core.traces.rendering.families.llama import LLAMA
from tunixrt_core.traces.rendering.families.qwen import HERMES
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.rendering.tool_forms import ToolForm, written_calls
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.trainer import Sampling
from tunixrt_core.util.files.atomic import write_json

WHOLE = "<reasoning>\nat 3\n2 forward is 5\n</reasoning>\n<answer>5</answer>"
CUT = "<reasoning>\nat 3\n2 forward"


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=6)


def keep(output: str, style: ReasoningStyle = ReasoningStyle.TAGS, **changes: Any) -> Trace:
    named: dict[str, Any] = {"system": None, "reference": "5", "source": "playground", "model": "tiny", **changes}
    return trace_of("Where?", output, style, meta={"run": "r-0001"}, **named)


def test_steps_and_answer_are_those_that_the_model_wrote() -> None:
    trace = keep(WHOLE)
    assert [step.content for step in trace.steps] == ["at 3", "2 forward is 5"]
    assert (trace.final_answer, trace.reference_answer) == ("5", "5")
    assert (trace.source, trace.model, trace.system) == ("playground", "tiny", None)


CODE = "First:\n\n```python\nfor i in range(3):\n\n    print(i)\n```\n\n  Then 2 of them.\n"


@pytest.mark.parametrize("style", [ReasoningStyle.TAGS, ReasoningStyle.THINK, ReasoningStyle.PLAIN])
def test_the_text_between_steps_is_that_of_the_model(style: ReasoningStyle) -> None:
    output = {
        ReasoningStyle.TAGS: f"<reasoning>\n{CODE}\n</reasoning>\n<answer>5</answer>",
        ReasoningStyle.THINK: f"<think>\n{CODE}\n</think>\n\n5",
        ReasoningStyle.PLAIN: f"{CODE}\n#### 5",
    }[style]
    trace = keep(output, style)
    assert [step.content for step in trace.steps][1] == CODE.split("\n\n", 1)[1].split("\n\n  Then")[0]
    assert render_completion([step.content for step in trace.steps], trace.final_answer, style, trace.layout) == output


def test_without_a_final_answer_there_is_no_trace_until_one_is_given() -> None:
    with pytest.raises(InvalidTrace, match="final_answer"):
        keep(CUT)
    trace = keep(CUT, final_answer="5")
    assert [step.content for step in trace.steps] == ["at 3", "2 forward"]
    assert trace.final_answer == "5"


@pytest.mark.parametrize(
    ("style", "output"),
    [
        (ReasoningStyle.TAGS, "<reasoning>\nat 3\n</reasoning>\n<answer>"),
        (ReasoningStyle.TAGS, "at 3"),
        (ReasoningStyle.THINK, "<think>\nat 3\n"),
        (ReasoningStyle.NUMBERED, "1. at 3"),
        (ReasoningStyle.PLAIN, "at 3"),
    ],
)
def test_a_broken_structure_leaves_no_tag_in_a_step(style: ReasoningStyle, output: str) -> None:
    found = read_output(output, style)
    assert (found.steps, found.answer) == (("at 3",), None)


@pytest.mark.parametrize("style", list(ReasoningStyle))
@pytest.mark.parametrize("form", [HERMES, LLAMA])
def test_calls_that_a_model_wrote_are_those_of_the_trace(style: ReasoningStyle, form: ToolForm) -> None:
    asked = Conversation(tools=(TOOL,))
    found = keep(render_completion(["so"], written_calls(form, [CALL], ""), style), style, conversation=asked)
    assert found.conversation == Conversation(tools=(TOOL,), calls=(CALL,))
    assert found.final_answer == calls_text([CALL])
    assert [step.content for step in found.steps] == ([] if style is ReasoningStyle.ANSWER else ["so"])


def test_what_is_said_before_calls_is_the_answer() -> None:
    asked = Conversation(tools=(TOOL,))
    found = keep(WHOLE + written_calls(HERMES, [CALL], "x"), conversation=asked)
    assert (found.final_answer, found.conversation.calls) == ("5", (CALL,))
    assert keep(WHOLE + written_calls(HERMES, [CALL], "x")).conversation.calls == ()
    given = keep(written_calls(HERMES, [CALL], ""), final_answer="7", conversation=asked)
    assert (given.final_answer, given.conversation) == ("7", asked)


def test_the_same_answer_kept_twice_is_the_same_trace() -> None:
    assert keep(WHOLE).content_hash == keep(WHOLE).content_hash


def test_a_label_names_a_run_or_a_base_model_and_no_path(manifest: RunManifest) -> None:
    assert model_label(manifest, "r-0003", 1040) == "r-0003 tuned, train step 1,040"
    assert model_label(manifest, "r-0003", None) == "tiny"
    local = manifest.model_copy(update={"model": manifest.model.model_copy(update={"id": "/data/models/qwen"})})
    assert model_label(local, "r-0003", None) == origin(local, "r-0003", None, Sampling())["base_model"] == "qwen"


def record_of(tmp_path: Path, *predictions: Prediction, finished: bool = True) -> EvalRecord:
    setup = EvalSetup(eval_set=EvalSetRef("split", "mine v1", "ab", 3), max_new_tokens=8)
    spec = EvalSpec(target="tuned", train_step=6, setup=setup, scorers=("exact_match",))
    folder = EvalDir(tmp_path / "eval")
    folder.path.mkdir()
    write_json(folder.spec_file, spec.to_dict())
    write_predictions(folder.predictions_file, predictions)
    if finished:
        write_json(folder.summary_file, {"scorers": {"exact_match": 3}})
    return EvalRecord("r-0001-e", "r-0001", "tuned", RunStatus.SUCCEEDED, str(folder.path), datetime.now(UTC))


def predicted(row: int, output: str, score: float | None) -> Prediction:
    return Prediction(f"id{row}", f"Task {row}", "5", output, None, {"exact_match": score}, 4, False, row=row)


RIGHT, WRONG, BROKEN = predicted(0, WHOLE, 1.0), predicted(1, WHOLE, 0.0), predicted(2, CUT, None)


def test_the_right_answers_become_traces_with_their_score(tmp_path: Path, manifest: RunManifest) -> None:
    asked = talk().conversation
    record = record_of(tmp_path, replace(RIGHT, system="Be brief.", conversation=asked.to_dict()), WRONG, BROKEN)
    (found,) = harvest(record, manifest, scorer="exact_match", only_correct=True)
    assert isinstance(found, ScoredTrace)
    assert (found.trace.prompt, found.trace.system, found.trace.reference_answer) == ("Task 0", "Be brief.", "5")
    assert (found.trace.source, found.trace.model) == ("evaluation", "r-0001 tuned, train step 6")
    assert (found.trace.meta["row"], found.trace.conversation) == ("id0", asked)
    (score,) = found.scores
    assert (score.name, score.value, score.version, score.kind) == ("exact_match", 1.0, "3", "automatic")


def test_of_all_answers_one_without_a_final_answer_is_rejected_by_its_row(
    tmp_path: Path, manifest: RunManifest
) -> None:
    found = list(harvest(record_of(tmp_path, RIGHT, WRONG, BROKEN), manifest, scorer="exact_match", only_correct=False))
    assert [type(one) for one in found] == [ScoredTrace, ScoredTrace, RowError]
    assert isinstance(found[2], RowError)
    assert (found[2].line, found[2].field) == (3, "final_answer")


def test_what_is_not_finished_or_not_scored_says_so_before_anything_is_read(
    tmp_path: Path, manifest: RunManifest
) -> None:
    with pytest.raises(InvalidEvaluation, match="Choose one of exact_match"):
        harvest(record_of(tmp_path), manifest, scorer="taste", only_correct=True)
    (tmp_path / "b").mkdir()
    with pytest.raises(Conflict, match="not finished"):
        harvest(record_of(tmp_path / "b", finished=False), manifest, scorer="exact_match", only_correct=True)
