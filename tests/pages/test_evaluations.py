"""Evaluations: who leads, what one has right that the other has not, every answer; and a start that is one click."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import orjson
import pytest

from tests.helpers.component import parts, readings
from tests.helpers.fakes import FakeBackend
from tests.pages.conftest import checked, evaluate, keys, make_run, open_page, press, words
from tunixrt_core.evaluation.folder import EvalDir, EvalState
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.tunix_backend.availability import is_tunix_available


@pytest.fixture
def run(filled: Pipeline) -> Run:
    made = make_run(filled, RunStatus.SUCCEEDED)
    evaluate(filled, made)
    return made


def test_without_runs_it_says_what_an_evaluation_is(rt: Pipeline) -> None:
    assert "No evaluations yet" in words(open_page("evaluations.py"))


@pytest.mark.tunix
@pytest.mark.parametrize("asked", [{}, {"new": "1"}])
def test_while_the_first_run_trains_it_leads_to_that_run(filled: Pipeline, asked: dict[str, str]) -> None:
    backend = filled.jobs.backend
    assert isinstance(backend, FakeBackend)
    backend.step_seconds = 0.05
    run = filled.runs.start(filled.manifests.build("examples", model_id="tiny", hyperparams={"train_steps": 2000}))
    app = open_page("evaluations.py", **asked)
    assert f"{run.name} ({run.id}) is not over yet" in words(app).replace("\\", "")
    assert "go-new-run" not in keys(app)
    assert press(app, "go-run").query_params["run"] == run.id
    filled.runs.stop(run.id)
    assert filled.queue.wait(30)


def test_base_and_tuned_are_compared_on_the_same_rows(filled: Pipeline, run: Run) -> None:
    n = filled.datasets.get("examples").eval_rows
    text = words(open_page("evaluations.py", run=run.id))
    assert "100.0%" in text
    assert f"({n} fixed, 0 broken)" in text
    assert "+100.0 points" in text
    assert "Over the base in its own prompt" in text
    assert "against the base asked in its own chat template: no significant difference" in text


def test_every_score_stands_in_one_chart_with_its_interval(filled: Pipeline, run: Run) -> None:
    app = open_page("evaluations.py", run=run.id)
    assert "Every score" in words(app)
    [chart] = app.get("plotly_chart")
    assert "Exact match" in chart.proto.spec
    assert "Difference (points)" in chart.proto.spec


def test_the_leaderboard_ranks_all_models_of_one_eval_set(filled: Pipeline, run: Run) -> None:
    second = make_run(filled, RunStatus.SUCCEEDED)
    evaluate(filled, second)
    text = words(open_page("evaluations.py"))
    board = text[text.index("<table class='iv board'>") :]
    places = [board.index(f"{name} · train step") for name in (second.id, run.id)]
    assert places == sorted(places), "at equal scores the newer is listed first"
    assert board.index("base · evaluated for") > max(places)
    assert board.count("base · evaluated for") == 1, "the same base model is listed once"
    assert board.count("base, own prompt · evaluated for") == 1


def test_another_score_gives_another_board(filled: Pipeline, run: Run) -> None:
    app = open_page("evaluations.py", run=run.id)
    app.get_by_key("metric").set_value("repetition")
    text = words(checked(app.run()))
    assert "Repetition</th>" in text
    assert "Lower is better" in text


def test_every_answer_can_be_filtered_and_read(filled: Pipeline, run: Run) -> None:
    n = filled.datasets.get("examples").eval_rows
    app = open_page("evaluations.py", run=run.id)
    (listing,) = parts(app, "listing")
    assert (listing["shown"], listing["label"]) == ("0.0", f"{n} answers with the reference")
    titles = [expander.label for expander in app.expander]
    assert any("The answers diverge" in title or "All steps are the same" in title for title in titles)
    question, base, tuned = readings(app)
    assert question["reference"]
    assert all("<answer>" in side["output"] for side in (base, tuned))
    app.get_by_key("show").set_value("Fixed")
    (fixed,) = parts(checked(app.run()), "listing")
    assert fixed["url"] == listing["url"].replace("show=All", "show=Fixed")
    record = filled.evaluations.records(run.id)[0]
    third = filled.evaluations.get(record.id).predictions[2]
    assert parts(open_page("evaluations.py", run=run.id, row=third.id), "listing")[0]["shown"] == "2.0"


def test_results_are_broken_down_by_the_columns_of_the_eval_file(filled: Pipeline, run: Run, tmp_path: Path) -> None:
    traces = [item.trace for item in filled.traces.page(limit=20).items]
    rows = [
        {"id": str(i), "prompt": t.prompt, "expected_answer": t.final_answer, "level": ["easy", "hard"][i % 2]}
        for i, t in enumerate(traces)
    ]
    file = tmp_path / "home" / "asked.jsonl"
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    records = filled.evaluations.start(run.id, request=EvalRequest(eval_file=file))
    assert filled.queue.wait(30)
    app = open_page("evaluations.py", set=records[0].setup["eval_set"]["sha256"][:8])
    groups = app.dataframe[0].value
    assert list(groups["value"]) == ["easy", "hard"]
    assert list(groups["second"]) == [100.0, 100.0]
    assert any("was trained on" in warning.value for warning in app.warning), "most of these are train prompts"


def test_a_failed_evaluation_says_why(filled: Pipeline, run: Run) -> None:
    (record, *_) = filled.evaluations.records(run.id)
    EvalDir.of(record).write_state(EvalState(status=RunStatus.FAILED, message="Out of memory."))
    assert "Out of memory." in words(open_page("evaluations.py", run=run.id))


def test_evaluating_is_offered_only_with_tunix_and_says_why(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    button = open_page("evaluations.py", new="1", run=run.id).button(key="start-evaluation")
    assert button.disabled is not is_tunix_available()


def test_a_form_that_cannot_be_says_why_beside_the_field(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    app = open_page("evaluations.py", new="1", run=run.id)
    app.number_input(key="eval-samples").set_value(4)
    assert "temperature above 0" in words(checked(app.run()))
    app.number_input(key="eval-samples").set_value(1)
    app.get_by_key("eval-kind").set_value("A file")
    assert "No eval file" in words(checked(app.run()))


@pytest.mark.tunix
def test_one_press_evaluates_both_models(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    press(open_page("evaluations.py", new="1", run=run.id), "start-evaluation")
    assert filled.queue.wait(30)
    assert {record.target for record in filled.evaluations.records(run.id)} == {"base", "tuned"}
    assert "McNemar p" in words(open_page("evaluations.py", run=run.id))


def test_what_is_under_way_can_be_stopped(filled: Pipeline, run: Run) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    (record, *_) = filled.evaluations.records(run.id)
    EvalDir.of(record).write_state(EvalState(status=RunStatus.RUNNING, total=6))
    app = open_page("evaluations.py", run=run.id)
    assert f"stop-{record.id}" in keys(app)


def test_right_answers_are_kept_as_traces_of_the_model(filled: Pipeline, run: Run) -> None:
    before = filled.traces.count()
    app = press(open_page("evaluations.py", run=run.id), "keep-predictions")
    assert any("new" in success.value for success in app.success)
    kept = filled.traces.page(TraceQuery(source="evaluation")).items
    assert len(kept) == filled.traces.count() - before == filled.datasets.get("examples").eval_rows
    assert {item.trace.model for item in kept} == {f"{run.id} tuned, train step 30"}


def test_the_leaderboard_can_be_narrowed_and_says_so_where_nothing_is_left(filled: Pipeline, run: Run) -> None:
    app = open_page("evaluations.py", run=run.id)
    app.date_input(key="board-until").set_value(date(2020, 1, 1))
    text = words(checked(app.run()))
    assert "passes the filters" in text
    assert "McNemar p" in text, "what is compared stays"
