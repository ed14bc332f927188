"""The playground: both answers side by side, kept as traces; who holds the accelerator; where a prompt came from."""

from __future__ import annotations

import threading

import pytest
from streamlit.testing.v1 import AppTest

from tests.helpers.component import readings
from tests.helpers.conversations import talk
from tests.helpers.fakes import FakeBackend
from tests.pages.conftest import checked, evaluate, keys, make_run, open_page, press, words
from tunixrt_core.evaluation.questions.question import Question
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.kinds.questions import Questions
from tunixrt_core.jobs.spec import Executor, JobSpec, Tell
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.training.trainer import Generation, LoadGenerator, Sampling

pytestmark = pytest.mark.tunix


@pytest.fixture
def run(filled: Pipeline) -> Run:
    return make_run(filled, RunStatus.SUCCEEDED)


def ask(rt: Pipeline, app: AppTest) -> AppTest:
    """Click Ask and wait for the answers."""
    press(app, "ask")
    assert rt.queue.wait(30)
    return checked(app.run())


def asked_of(rt: Pipeline, app: AppTest) -> list[Question]:
    """The questions of the columns, in their order."""
    return [rt.playground.get(id).question for id in app.query_params["question"].split(",")]


def test_without_a_finished_run_it_says_what_it_is_for(filled: Pipeline) -> None:
    app = open_page("playground.py")
    assert "No runs yet" in words(app)
    assert "go-new-run" in keys(app)
    make_run(filled, RunStatus.RUNNING)
    app = open_page("playground.py")
    assert "No finished run yet" in words(app)
    assert app.button(key="go-run").label == "Watch r-0001"


def test_both_models_answer_the_prompt_of_a_trace_and_the_right_one_is_told(filled: Pipeline, run: Run) -> None:
    trace = filled.traces.page(limit=1).items[0]
    app = ask(filled, open_page("playground.py", trace=trace.id))
    text = words(app)
    assert app.text_area(key="play-prompt").value == trace.trace.prompt
    assert app.text_area(key="play-reference").value == trace.trace.final_answer
    assert f"{run.id} tuned, train step 30" in text
    # the base model's "wrong" is a word that is no number, and so neither right nor wrong
    assert [reading["verdict"] for reading in readings(app)] == [None, "same"]
    assert "5 tokens · 0.00 s" in text


def test_a_question_is_asked_in_the_conversation_of_its_trace_and_continued(filled: Pipeline, run: Run) -> None:
    filled.traces.add(told := talk())
    app = open_page("playground.py", trace=told.content_hash)
    assert readings(app)[0]["before"][0]["text"] == told.conversation.messages[0].content
    app.text_area(key="play-turn-text").set_value("By the way.")
    app = press(app, "play-turn-add")
    app = press(ask(filled, app), "play-1-continue")
    asked = asked_of(filled, app)[1]
    assert [turn.content for turn in asked.conversation.messages][2:] == ["By the way."]
    talk_now = app.session_state["play-talk"].messages
    assert [turn.role for turn in talk_now][-2:] == ["user", "assistant"]
    assert app.text_area(key="play-prompt").value == ""
    app = press(press(app, "play-turn-remove"), "play-turns-clear")
    assert app.session_state["play-talk"].messages == ()


def test_an_answer_is_kept_as_a_trace_that_names_its_model(filled: Pipeline, run: Run) -> None:
    trace = filled.traces.page(limit=1).items[0]
    app = ask(filled, open_page("playground.py", trace=trace.id))
    app = press(app, "play-1-keep-trace")
    assert "Kept as trace" in words(app)
    assert {"play-1-see", "play-0-keep-trace"} <= keys(app)
    (kept,) = filled.traces.page(TraceQuery(source="playground")).items
    assert (kept.trace.prompt, kept.trace.model) == (trace.trace.prompt, f"{run.id} tuned, train step 30")
    assert (kept.trace.final_answer, kept.trace.reference_answer) == (trace.trace.final_answer,) * 2


def test_a_prompt_of_an_evaluation_comes_with_its_reference(filled: Pipeline, run: Run) -> None:
    evaluate(filled, run)
    record = filled.evaluations.records(run.id)[0]
    told = filled.evaluations.get(record.id).predictions[1]
    app = open_page("playground.py", run=run.id, eval=record.id, row=told.id)
    assert app.text_area(key="play-prompt").value == told.prompt
    assert app.text_area(key="play-reference").value == told.reference
    assert "There is no row" in open_page("playground.py", eval=record.id, row="none").error[0].value


def test_a_question_outlives_a_reload_and_one_that_was_forgotten_says_so(filled: Pipeline, run: Run) -> None:
    state = filled.playground.ask(Question(run_id=run.id, prompt="<b>Where?</b>", targets=("tuned",)))
    assert filled.queue.wait(30)
    app = open_page("playground.py", question=state.id)
    assert app.text_area(key="play-prompt").value == "<b>Where?</b>"
    assert f"{run.id} tuned" in words(app)
    assert "no longer kept" in words(open_page("playground.py", question="q-00000000"))


def test_an_empty_prompt_is_not_asked(filled: Pipeline, run: Run) -> None:
    assert "The prompt is empty" in press(open_page("playground.py"), "ask").error[0].value


def test_columns_are_models_with_settings_of_their_own(filled: Pipeline, run: Run) -> None:
    app = open_page("playground.py", run=run.id)
    assert [app.selectbox(key=f"play-{n}-model").value for n in (0, 1)] == ["base", "last"]
    app.text_area(key="play-prompt").set_value("Where?")
    app.number_input(key="play-1-temperature").set_value(0.5)
    app = press(press(app, "play-0-remove"), "play-add")
    app.number_input(key="play-2-seed").set_value(7)
    app = press(app, "play-add")
    assert app.button(key="play-add").disabled, "three are the most"
    app.selectbox(key="play-3-model").set_value("base")
    app = checked(app.run())
    assert app.button(key="ask").label == "Ask 3 models"
    assert app.query_params["models"] == f"{run.id}:last,{run.id}:last,{run.id}:base"
    asked = asked_of(filled, ask(filled, app))
    assert [(one.targets[0], one.sampling.temperature, one.sampling.seed) for one in asked] == [
        ("tuned", 0.5, 0),
        ("tuned", 0.5, 7),
        ("base", 0.5, 7),
    ]


def test_the_columns_of_an_address_are_those_of_its_questions(filled: Pipeline, run: Run) -> None:
    question = Question(run_id=run.id, prompt="Where?", targets=("tuned",), sampling=Sampling(temperature=0.5, seed=3))
    ids = [filled.playground.ask(question).id for _ in range(2)]
    assert filled.queue.wait(30)
    app = open_page("playground.py", question=",".join(ids))
    assert [app.number_input(key=f"play-{n}-seed").value for n in (0, 1)] == [3, 3]
    assert len(readings(app)) == 2
    app = press(app, "play-0-remove")
    assert app.query_params["question"] == ids[1]
    assert "There is no run" in open_page("playground.py", models="zzz:last").warning[0].value


def test_the_system_prompt_is_that_of_the_field(filled: Pipeline, run: Run) -> None:
    app = open_page("playground.py", run=run.id)
    app.text_area(key="play-prompt").set_value("Where?")
    app.text_area(key="play-system").set_value("Be short.")
    assert {one.system for one in asked_of(filled, ask(filled, app))} == {"Be short."}


def test_an_answer_is_edited_and_the_model_goes_on_from_there(filled: Pipeline, run: Run) -> None:
    app = open_page("playground.py", run=run.id)
    app.text_area(key="play-prompt").set_value("Where?")
    app = press(ask(filled, app), "play-1-edit")
    assert app.text_area(key="play-1-begun").value == "<reasoning>\nso\n", "the steps, without what follows them"
    app.text_area(key="play-1-begun").set_value("<reasoning>\nfirst\n")
    app = press(app, "play-1-on")
    assert filled.queue.wait(30)
    app = checked(app.run())
    base, tuned = asked_of(filled, app)
    assert (base.begun, tuned.begun) == ("", "<reasoning>\nfirst\n")
    assert readings(app)[1]["output"].startswith("<reasoning>\nfirst\n<reasoning>")
    assert "play-1-begun" not in keys(app)
    app = press(app, "play-1-keep-trace")
    (kept,) = filled.traces.page(TraceQuery(source="playground")).items
    assert kept.trace.meta["begun"] == len("<reasoning>\nfirst\n"), "a kept trace tells what a person wrote"


def test_memory_is_freed_on_request(filled: Pipeline, run: Run) -> None:
    app = open_page("playground.py", run=run.id)
    app.text_area(key="play-prompt").set_value("Where?")
    app = press(ask(filled, app), "release-playground")
    assert filled.playground.loaded == ()
    assert "release-playground" not in keys(app)


def test_while_the_accelerator_is_held_it_says_by_whom_and_asks_nothing(
    filled: Pipeline, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator = Accelerator(filled.settings.accelerator_lock)
    monkeypatch.setattr(filled.jobs, "_accelerator", accelerator)
    held = accelerator.take("r-0007", "train")
    assert held is not None
    app = open_page("playground.py", run=run.id)
    assert app.button(key="ask").disabled
    assert "trains r-0007" in words(app)
    held.release()
    assert not checked(app.run()).button(key="ask").disabled


def test_a_job_of_the_playground_has_its_words_in_the_queue(
    filled: Pipeline, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    class Held(Executor):
        def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
            go.wait(30)

    monkeypatch.setattr(filled.jobs, "executor", Held())
    for number in range(2):
        filled.jobs.submit(JobSpec(f"q-{number}", run.id, "playground"), Questions(filled.jobs))
    try:
        text = words(open_page("run.py"))
    finally:
        go.set()
    assert f"**{run.id}** has been answering" in text
    assert f"**{run.id}** waits to answer a question" in text
    assert f"Asks {run.name} ({run.id})" in text


class Cut(FakeBackend):
    """Its answers end at the limit, before there is a final one, and hold markup."""

    def load_generator(self) -> LoadGenerator:
        class Generates:
            compiles = 0

            def close(self) -> None: ...

            def generate(self, prompts: object, **asked: object) -> dict[int, Generation]:
                return {0: Generation("<reasoning>\n<img src=x onerror=alert(1)>", 9, True, 4)}

        return lambda manifest, checkpoints, *, on_phase: Generates()


def test_an_answer_without_an_end_is_text_and_needs_a_final_answer_to_be_kept(
    filled: Pipeline, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filled.jobs.models, "_backend", Cut())
    app = open_page("playground.py", run=run.id)
    app.text_area(key="play-prompt").set_value("Where?")
    app = ask(filled, press(app, "play-1-remove"))
    text = words(app)
    assert "4 prompt tokens · 9 tokens · 0.00 s · cut at the limit" in text
    assert "alert(1)" not in text, "the text of a model is not part of what Python writes"
    assert readings(app)[0]["doubts"] == ["No final answer can be read from the output."]
    assert "<img src=x onerror=alert(1)>" in readings(app)[0]["output"]
    app = press(app, "play-0-keep-trace")
    assert "cannot be read from the model's output" in app.error[0].value
    field = next(one for one in app.text_input if str(one.key).startswith("keep-final-"))
    field.set_value("7")
    app = press(app, "play-0-keep-trace")
    (kept,) = filled.traces.page(TraceQuery(source="playground")).items
    assert (kept.trace.final_answer, len(kept.trace.steps)) == ("7", 1)


def test_a_trace_leads_to_the_playground(filled: Pipeline) -> None:
    assert "to-playground" in keys(open_page("traces.py"))
