"""Traces as the dashboard reads them: one in reading order, and listings of one line per trace."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import trace
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Step, Trace


def stored(api: TestClient, number: int, **more: Any) -> str:
    return str(api.post("/traces", json=trace(number, **more)).json()["id"])


def test_a_conversation_is_read_around_its_prompt(api: TestClient, pipeline: Pipeline) -> None:
    call = Call("weather", {"city": "Köln"}, "c1")
    talk = Conversation(
        messages=(Message("user", "Hi"), Message("assistant", "<b>Hello</b>", reasoning="Be polite.", train=False)),
        turns=(Message("assistant", calls=(call,)), Message("tool", "sunny", call_id="c1", name="weather")),
        tools=({"type": "function", "function": {"name": "weather"}},),
        calls=(Call("say", {"text": "sun"}),),
    )
    made = Trace("Which weather?", (Step(0, "Look.", "plan"),), "sun", system="Be brief.", conversation=talk)
    pipeline.traces.add(made)
    read = api.get(f"/traces/{made.content_hash}/reading").json()
    assert (read["system"], read["prompt"], read["answer"]) == ("Be brief.", "Which weather?", "sun")
    assert [tool["name"] for tool in read["tools"]] == ["weather"]
    assert [(turn["role"], turn["text"], turn["reasoning"], turn["note"]) for turn in read["before"]] == [
        ("user", "Hi", "", ""),
        ("assistant", "<b>Hello</b>", "Be polite.", "not trained"),
    ]
    assert read["turns"][0]["calls"] == [{"name": "weather", "arguments": '{\n  "city": "Köln"\n}', "id": "c1"}]
    assert read["turns"][1]["note"] == "weather · for call c1"
    assert read["steps"] == [{"type": "plan", "text": "Look."}]
    assert [one["name"] for one in read["calls"]] == ["say"]


def test_a_reading_has_the_verdict_the_scores_and_the_doubts(api: TestClient, pipeline: Pipeline) -> None:
    wrong = Trace("2 + 2?", (), "5", reference_answer="4")
    pipeline.traces.add(wrong)
    given = [
        GivenScore(name="quality", value=0.0, step=None, scorer="ann", version="", kind="human"),
        GivenScore(name="length", value=3.0, step=None, scorer="ruler", version="2", kind="automatic"),
    ]
    pipeline.traces.score(wrong.content_hash, given)
    read = api.get(f"/traces/{wrong.content_hash[:8]}/reading").json()
    assert (read["verdict"], read["reference"]) == ("differs", "4")
    assert [(one["name"], one["by"], one["human"]) for one in read["scores"]] == [
        ("length", "ruler 2", False),
        ("quality", "ann", True),
    ]
    assert any("no reasoning steps" in doubt for doubt in read["doubts"])


def test_a_reading_of_a_missing_trace_says_so(api: TestClient) -> None:
    answer = api.get("/traces/00000000/reading")
    assert answer.status_code == 404
    assert "There is no trace" in answer.json()["error"]["message"]


def test_summaries_are_pages_of_one_line_per_trace(api: TestClient, pipeline: Pipeline) -> None:
    ids = [stored(api, n, reference_answer=str(2 * n)) for n in range(5)]
    first = api.get("/traces/summaries", params={"limit": 2}).json()
    assert [one["id"] for one in first["traces"]] == [ids[4], ids[3]]
    assert first["traces"][0]["prompt"] == "What is 4 + 4?"
    assert first["traces"][0]["verdict"] == "right"
    second = api.get("/traces/summaries", params={"limit": 3, "after": first["next"]}).json()
    assert [one["id"] for one in second["traces"]] == [ids[2], ids[1], ids[0]]
    assert second["next"] is None


def test_summaries_can_begin_with_a_trace_that_matches(api: TestClient) -> None:
    ids = [stored(api, n, source="odd" if n % 2 else "even") for n in range(6)]
    here = api.get("/traces/summaries", params={"start": ids[3][:12]}).json()["traces"]
    assert [one["id"] for one in here] == [ids[3], ids[2], ids[1], ids[0]]
    others = api.get("/traces/summaries", params={"start": ids[3], "source": "even"}).json()["traces"]
    assert [one["id"] for one in others] == [ids[2], ids[0]]
    assert api.get("/traces/summaries", params={"start": "0" * 64}).status_code == 404


def test_a_summary_holds_the_newest_score_by_a_person_and_one_line_of_the_prompt(
    api: TestClient, pipeline: Pipeline
) -> None:
    one = stored(api, 1, prompt="What\nis " + "so " * 200 + "long?", reference_answer=None)
    for step, value in ((0, 0.0), (None, 1.0)):
        pipeline.traces.score(
            one, [GivenScore(name="quality", value=value, step=step, scorer="ann", version="", kind="human")]
        )
    (summary,) = api.get("/traces/summaries").json()["traces"]
    assert (summary["judged"], summary["verdict"]) == (1.0, None)
    assert len(summary["prompt"]) <= 160
    assert summary["prompt"].startswith("What is so")
