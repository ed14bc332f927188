"""The playground through the API: asked, watched, stopped, kept; and the right answers of an evaluation kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import state
from tests.helpers.conversations import TOOL, talk
from tests.helpers.fakes import _FakeGenerator
from tests.helpers.homes import fake_home
from tests.pages.conftest import evaluate, make_run
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with fake_home(tmp_path / "home") as opened:
        opened.traces.ingest_examples(60)
        opened.datasets.build(DatasetSpec("examples"))
        state.set_pipeline(opened)
        yield opened
        state.set_pipeline(None)


@pytest.fixture
def client(rt: Pipeline, application: FastAPI) -> TestClient:
    return TestClient(application, raise_server_exceptions=False)


@pytest.fixture
def run(rt: Pipeline) -> Run:
    return make_run(rt, RunStatus.SUCCEEDED)


def ask(client: TestClient, rt: Pipeline, run: Run, **more: Any) -> dict[str, Any]:
    prompt = rt.traces.page(limit=1).items[0].trace.prompt
    answer = client.post("/playground", json={"run_id": run.id, "prompt": prompt, **more})
    assert answer.status_code == 202, answer.text
    assert rt.queue.wait(30)
    found: dict[str, Any] = client.get(f"/playground/{answer.json()['id']}").json()
    return found


def test_both_models_answer_and_an_answer_is_kept_once(client: TestClient, rt: Pipeline, run: Run) -> None:
    found = ask(client, rt, run)
    assert (found["status"], found["message"]) == ("succeeded", "")
    assert [(a["target"], a["model"]) for a in found["answers"]] == [
        ("base", "tiny"),
        ("tuned", f"{run.id} tuned, train step 30"),
    ]
    body = {"target": "tuned", "reference_answer": "4"}
    kept = client.post(f"/playground/{found['id']}/keep", json=body)
    assert (kept.status_code, kept.json()["new"]) == (201, True)
    assert client.post(f"/playground/{found['id']}/keep", json=body).json() == {**kept.json(), "new": False}
    trace = rt.traces.get(kept.json()["id"]).trace
    assert (trace.source, trace.model, trace.reference_answer) == ("playground", f"{run.id} tuned, train step 30", "4")
    assert trace.meta["sampling"] == {"temperature": 0.0, "top_p": 1.0, "top_k": None, "seed": 0}


def test_only_the_model_that_is_asked_answers_and_can_be_kept(client: TestClient, rt: Pipeline, run: Run) -> None:
    found = ask(client, rt, run, targets=["base"], temperature=0.5, seed=3, system="", begun="It ends")
    assert [a["target"] for a in found["answers"]] == ["base"]
    assert (found["question"]["sampling"]["seed"], found["question"]["system"]) == (3, "")
    assert found["answers"][0]["output"].startswith("It ends<reasoning>")
    refused = client.post(f"/playground/{found['id']}/keep", json={"target": "tuned"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


def test_a_question_is_asked_and_kept_with_its_conversation(client: TestClient, rt: Pipeline, run: Run) -> None:
    told = talk().conversation
    found = ask(client, rt, run, targets=["tuned"], conversation=told.to_dict())
    assert found["question"]["conversation"]["messages"] == list(told.to_dict()["messages"])
    kept = client.post(f"/playground/{found['id']}/keep", json={"target": "tuned"}).json()
    assert rt.traces.get(kept["id"]).trace.conversation == told


def test_a_question_may_be_chat_messages_with_tools(client: TestClient, rt: Pipeline, run: Run) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    ]
    body = {"run_id": run.id, "targets": ["tuned"], "messages": messages, "tools": [TOOL]}
    answer = client.post("/playground", json=body)
    assert answer.status_code == 202, answer.text
    asked = answer.json()["question"]
    assert (asked["prompt"], asked["system"]) == ("Weather?", "Be short.")
    assert [turn["role"] for turn in asked["conversation"]["turns"]] == ["assistant", "tool"]
    assert rt.queue.wait(30)
    more = client.post("/playground", json={**body, "prompt": "And then?"}).json()["question"]
    assert (more["prompt"], len(more["conversation"]["messages"])) == ("And then?", 3)
    assert rt.queue.wait(30)
    for wrong in ({"messages": [{"role": "assistant", "content": "a"}]}, {"conversation": {"messages": messages[1:2]}}):
        answer = client.post("/playground", json={**body, **wrong})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_evaluation")


def test_what_stays_loaded_is_given_back_on_request(client: TestClient, rt: Pipeline, run: Run) -> None:
    ask(client, rt, run)
    assert rt.playground.loaded == ("base", "tuned")
    assert client.post("/playground/release").status_code == 204
    assert rt.playground.loaded == ()


def test_what_cannot_be_asked_says_why(client: TestClient, rt: Pipeline, run: Run) -> None:
    def code(**body: Any) -> tuple[int, str]:
        answer = client.post("/playground", json={"run_id": run.id, "prompt": "a", **body})
        return answer.status_code, answer.json()["error"]["code"]

    assert code(prompt=" ") == (422, "invalid_evaluation")
    assert code(run_id="r-9999") == (404, "not_found")
    assert code(checkpoint="7") == (404, "not_found")
    assert code(targets=["base", "base"]) == (422, "invalid_evaluation")
    assert code(conversation={"messages": [{"role": "robot"}]}) == (422, "invalid_trace")
    assert code(conversation={"turns": [{"role": "user", "content": "a"}]}) == (422, "invalid_evaluation")
    queued = make_run(rt, RunStatus.QUEUED)
    assert code(run_id=queued.id) == (409, "busy")
    assert client.get("/playground/q-00000000").status_code == 404
    over = ask(client, rt, run)
    assert client.post(f"/playground/{over['id']}/stop").status_code == 409


def test_the_right_answers_of_an_evaluation_are_kept_with_their_score(
    client: TestClient, rt: Pipeline, run: Run
) -> None:
    evaluate(rt, run)
    rows = rt.datasets.get("examples").eval_rows
    by_target = {str(record.target): record.id for record in rt.evaluations.records(run.id)}
    report = client.post(f"/evaluations/{by_target['tuned']}/keep").json()
    assert (report["read"], report["inserted"], report["rejected"], report["scores"]) == (rows, rows, 0, rows)
    again = client.post(f"/evaluations/{by_target['tuned']}/keep", json={"only_correct": True}).json()
    assert (again["read"], again["inserted"], again["duplicate"]) == (rows, 0, rows)
    assert client.post(f"/evaluations/{by_target['base']}/keep").json()["read"] == 0
    (kept, *_) = [item for item in rt.traces.page(limit=50).items if item.trace.source == "evaluation"]
    assert (kept.scores[0].given.name, kept.scores[0].given.value) == ("exact_match", 1.0)
    other = client.post(f"/evaluations/{by_target['tuned']}/keep", json={"scorer": "taste"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "invalid_evaluation")
    assert client.post("/evaluations/none/keep").status_code == 404


@pytest.mark.skipif(is_tunix_available(), reason="Tunix is installed")
def test_without_tunix_it_says_what_to_install(api: TestClient) -> None:
    answer = api.post("/playground", json={"run_id": "r-0001", "prompt": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "tunix_missing")


def test_what_a_model_writes_can_be_read_while_it_writes(
    client: TestClient, rt: Pipeline, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, seen = threading.Event(), threading.Event()
    answer = _FakeGenerator.generate

    def slowly(self: _FakeGenerator, prompts: Any, *, on_text: Any, **asked: Any) -> Any:
        for text in ("so", "so 4", "thus 4"):
            on_text({0: text})
            if text == "so 4":
                seen.set()
                assert go_on.wait(20)
        time.sleep(0.2)
        return answer(self, prompts, on_text=None, **asked)

    monkeypatch.setattr(_FakeGenerator, "generate", slowly)
    asked = client.post("/playground", json={"run_id": run.id, "prompt": "2 + 2?", "targets": ["tuned"]}).json()["id"]
    assert seen.wait(20)
    assert client.get(f"/playground/{asked}").json()["written"] == "so 4"
    threading.Timer(0.3, go_on.set).start()
    events = client.get(f"/playground/{asked}/text", params={"target": "tuned"})
    assert events.headers["content-type"].startswith("text/event-stream")
    assert [json.loads(line.removeprefix("data: ")) for line in events.text.split("\n\n") if line] == [
        {"more": "so 4"},
        {"text": "thus 4"},
        {"text": client.get(f"/playground/{asked}").json()["answers"][0]["output"]},
    ]
    assert rt.queue.wait(30)
    assert client.get(f"/playground/{asked}").json()["written"] == ""
    assert client.get("/playground/q-00000000/text", params={"target": "base"}).status_code == 404


@pytest.mark.tunix
def test_the_answers_of_two_evaluations_are_one_line_per_row(client: TestClient, rt: Pipeline, run: Run) -> None:
    evaluate(rt, run)
    by_side = {one.side: one.id for one in rt.evaluations.records(run.id)}
    asked = {"first": by_side["base"], "second": by_side["tuned"]}
    found = client.get("/evaluations/pairs", params=asked).json()
    told = rt.evaluations.get(asked["second"]).predictions
    assert [(one["id"], one["row"]) for one in found["pairs"]] == [(p.id, p.row) for p in told]
    assert {(one["verdict"], one["second"]) for one in found["pairs"]} == {("Fixed", p.answer) for p in told}
    assert (found["two"], found["samples"]) == (True, False)
    assert client.get("/evaluations/pairs", params={**asked, "show": "Broken"}).json()["pairs"] == []
    alone = client.get("/evaluations/pairs", params={"second": asked["second"]}).json()
    assert (alone["two"], alone["pairs"][0]["first"]) == (False, None)
    assert client.get("/evaluations/pairs", params={"second": "none"}).status_code == 404
