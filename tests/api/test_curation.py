"""Filters, tags, notes, scores, groups and differences through the API."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import trace


def test_filters_and_counts_agree(api: TestClient, ids: list[str]) -> None:
    api.post("/traces", json=trace(3, reference_answer="7", source="odd"))
    for query, number in (
        ("correct=false", 1),
        ("judged=false", 10),
        ("min_steps=1&max_steps=1", 11),
        ("min_length=100000", 0),
        ("stored_before=2020-01-01T00:00:00", 0),
        ("stored_after=2020-01-01T00:00:00Z&source=doubles", 10),
        ("noted=true", 0),
    ):
        assert len(api.get(f"/traces?{query}").json()["traces"]) == number, query
        assert api.get(f"/traces/count?{query}").json() == {"count": number, "exact": True}, query


def test_tags_a_note_and_scores_come_back_with_the_trace(api: TestClient, ids: list[str]) -> None:
    api.post(f"/traces/{ids[0]}/tags", json={"add": ["good", "hard"]})
    assert api.post(f"/traces/{ids[0]}/tags", json={"remove": ["hard"]}).json()["tags"] == ["good"]
    api.put(f"/traces/{ids[0]}/note", json={"text": "look again"})
    scores = [
        {"name": "quality", "value": 0.5, "step": 0, "scorer": "ann"},
        {"name": "prm", "value": 0.9, "scorer": "prm", "version": "2", "kind": "automatic"},
    ]
    stored = api.post(f"/traces/{ids[0]}/scores", json={"scores": scores}).json()
    assert stored["note"]["text"] == "look again"
    assert [(s["name"], s["step"], s["kind"], s["version"]) for s in stored["scores"]] == [
        ("prm", None, "automatic", "2"),
        ("quality", 0, "human", ""),
    ]
    for query in ("tag=good", "score=prm&min_score=0.9", "score_kind=human", "noted=true"):
        assert [t["id"] for t in api.get(f"/traces?{query}").json()["traces"]] == [ids[0]], query
    facets = api.get("/traces/facets").json()
    assert facets["tags"] == [{"value": "good", "traces": 1}]
    assert [one["name"] for one in facets["scores"]] == ["prm", "quality"]
    assert api.delete(f"/traces/{ids[0]}/scores?name=quality&scorer=ann&step=0").status_code == 204
    assert api.delete(f"/traces/{ids[0]}/scores?name=quality&scorer=ann&step=0").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tags", {"add": ["a\nb"]}),
        ("scores", {"scores": [{"name": "q", "value": 1.0, "scorer": "a", "step": 7}]}),
        ("scores", {"scores": []}),
    ],
)
def test_what_cannot_be_said_of_a_trace_is_422(api: TestClient, ids: list[str], path: str, body: object) -> None:
    assert api.post(f"/traces/{ids[0]}/{path}", json=body).status_code == 422


def test_a_range_without_the_name_of_a_score_is_422(api: TestClient) -> None:
    answer = api.get("/traces?min_score=0.5")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_query")


def test_groups_and_differences(api: TestClient) -> None:
    a = api.post("/traces", json=trace(3, reference_answer="6")).json()["id"]
    b = api.post("/traces", json=trace(3, reference_answer="6", final_answer="7")).json()["id"]
    (group,) = api.get("/traces/groups").json()["groups"]
    assert (group["traces"], group["pass_rate"], group["answers"], group["shortest_right"]) == (2, 0.5, 2, a)
    assert {t["id"] for t in api.get(f"/traces?group={group['key']}").json()["traces"]} == {a, b}
    found = api.get(f"/traces/diff?a={a}&b={b}").json()
    assert (found["divergence"], found["same_prompt"], found["same_answer"]) == (None, True, False)


def test_deletion_by_filters_counts_first_and_never_takes_everything(api: TestClient, ids: list[str]) -> None:
    api.post("/traces", json=trace(77, source="other"))
    wanted = {"source": "doubles", "dry_run": True}
    assert api.post("/traces/delete", json=wanted).json() == {"count": 10, "exact": True, "deleted": False}
    assert api.post("/traces/delete", json={}).status_code == 422
    assert api.post("/traces/delete", json={"source": "doubles"}).json()["deleted"] is True
    assert api.get("/traces/count").json()["count"] == 1
