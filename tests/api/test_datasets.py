"""Dataset versions through the API; their export needs no Tunix."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import trace
from tunixrt_core.pipeline.pipeline import Pipeline


def test_a_version_is_built_and_counted(api: TestClient, dataset: str) -> None:
    version = api.get(f"/datasets/{dataset}/1").json()
    assert version["train_rows"] + version["eval_rows"] == 10
    assert version["eval_rows"] > 0
    assert len(version["content_hash"]) == 64
    assert version["spec"]["eval_share"] == 0.3


def test_the_same_content_again_is_the_same_version(api: TestClient, dataset: str) -> None:
    again = api.post("/datasets", json={"name": dataset, "eval_share": 0.3})
    assert again.json()["version"] == 1
    api.post("/traces", json=trace(99))
    assert api.post("/datasets", json={"name": dataset, "eval_share": 0.3}).json()["version"] == 2
    assert [v["version"] for v in api.get(f"/datasets/{dataset}").json()["versions"]] == [2, 1]
    listing = api.get("/datasets").json()["datasets"]
    assert [(entry["name"], entry["versions"], entry["latest"]["version"]) for entry in listing] == [(dataset, 2, 2)]


def test_the_reply_of_a_build_counts_what_was_left_out(api: TestClient, ids: list[str]) -> None:
    asked = {"name": "few", "selection": "latest", "limit": 3}
    headers = {"Idempotency-Key": "few-1"}
    first, again = (api.post("/datasets", json=asked, headers=headers).json() for _ in range(2))
    assert first["left_out"] == again["left_out"] == {"selection": len(ids) - 3}
    assert api.get(f"/datasets/few/{first['version']}").json()["left_out"] is None


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"name": "../x"},
        {"name": "Upper"},
        {"name": "x", "eval_share": 1},
        {"name": "x", "selection": "some"},
        {"name": "x", "selection": "latest"},
        {"name": "x", "limit": 0},
        {"name": "x", "sauce": "doubles"},
        {"name": "x", "source": "nowhere"},
    ],
)
def test_a_spec_that_cannot_be_built_is_422(api: TestClient, ids: list[str], spec: dict[str, object]) -> None:
    answer = api.post("/datasets", json=spec)
    assert answer.status_code == 422
    assert api.get("/datasets").json() == {"datasets": []}


def test_the_export_is_a_download_with_a_row_for_every_trace(api: TestClient, dataset: str) -> None:
    answer = api.get(f"/datasets/{dataset}/1/export.jsonl")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == 'attachment; filename="doubles-v1.jsonl"'
    rows = [json.loads(line) for line in answer.content.splitlines()]
    assert len(rows) == 10
    assert list(rows[0]) == ["prompt", "trace_steps", "final_answer", "metadata"]
    assert {row["metadata"]["split"] for row in rows} == {"train", "eval"}


def test_one_side_of_the_split_is_a_download_of_its_own(api: TestClient, dataset: str) -> None:
    whole = api.get(f"/datasets/{dataset}/1/export.jsonl").content.splitlines()
    sides = {side: api.get(f"/datasets/{dataset}/1/export.jsonl?split={side}") for side in ("train", "eval")}
    assert sorted(line for answer in sides.values() for line in answer.content.splitlines()) == sorted(whole)
    assert sides["eval"].headers["content-disposition"] == 'attachment; filename="doubles-v1.eval.jsonl"'
    packed = api.get(f"/datasets/{dataset}/1/export.jsonl.gz?split=eval")
    assert packed.headers["content-disposition"] == 'attachment; filename="doubles-v1.eval.jsonl.gz"'
    assert gzip.decompress(packed.content) == sides["eval"].content
    card = api.get(f"/datasets/{dataset}/1/card.md?split_files=true").text
    assert 'data_files={"train": "doubles-v1.train.jsonl", "eval": "doubles-v1.eval.jsonl"}' in card
    assert api.get(f"/datasets/{dataset}/1/export.jsonl?split=test").status_code == 422


def test_the_export_is_the_same_bytes_every_time(api: TestClient, dataset: str) -> None:
    first, second = (api.get(f"/datasets/{dataset}/1/export.jsonl").content for _ in range(2))
    assert first == second


def test_a_long_export_is_whole(api: TestClient) -> None:
    rows = [trace(i, meta={"note": "x" * 600}) for i in range(800)]
    assert api.post("/traces/batch", json=rows).json()["inserted"] == 800
    api.post("/datasets", json={"name": "many"})
    exported = api.get("/datasets/many/1/export.jsonl").content
    assert exported.count(b"\n") == 800
    assert len(exported) > 5 * (64 << 10)


@pytest.mark.parametrize("format", ["trace", "prompt_completion", "messages", "grpo"])
def test_the_export_has_other_formats(api: TestClient, dataset: str, format: str) -> None:
    answer = api.get(f"/datasets/{dataset}/1/export.jsonl?format={format}")
    assert answer.content.count(b"\n") == 10
    assert f"doubles-v1.{format}.jsonl" in answer.headers["content-disposition"]


def test_traces_that_an_export_leaves_out_are_counted_by_the_reason(api: TestClient, dataset: str) -> None:
    found = api.get(f"/datasets/{dataset}/1/export.json?format=prompt_completion&turns=text")
    assert found.json() == {"rows": 10, "left_out": {}}
    talk = trace(99) | {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    assert api.post("/traces/batch", json=[talk]).json()["inserted"] == 1
    api.post("/datasets", json={"name": "talks"})
    found = api.get("/datasets/talks/1/export.json?format=prompt_completion&turns=text")
    assert found.json() == {
        "rows": 10,
        "left_out": {"with a conversation, which a prompt of text cannot hold": 1},
    }
    assert api.get("/datasets/talks/1/export.json?format=stepwise").status_code == 422


def test_the_export_is_written_as_asked(api: TestClient, dataset: str) -> None:
    asked = "format=messages&style=numbered"
    (row, *_) = api.get(f"/datasets/{dataset}/1/export.jsonl?{asked}").content.splitlines()
    assert json.loads(row)["messages"][-1]["content"].startswith("1. ")
    packed = api.get(f"/datasets/{dataset}/1/export.jsonl.gz?{asked}")
    assert packed.headers["content-type"] == "application/gzip"
    assert gzip.decompress(packed.content) == api.get(f"/datasets/{dataset}/1/export.jsonl?{asked}").content


def test_the_export_as_parquet_has_a_row_for_every_trace(api: TestClient, dataset: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    answer = api.get(f"/datasets/{dataset}/1/export.parquet")
    assert parquet.read_table(io.BytesIO(answer.content)).num_rows == 10
    assert 'filename="doubles-v1.parquet"' in answer.headers["content-disposition"]


def test_the_card_is_markdown_about_the_version(api: TestClient, dataset: str) -> None:
    answer = api.get(f"/datasets/{dataset}/1/card.md?format=grpo&as=parquet")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "# doubles v1" in answer.text
    assert "doubles-v1.grpo.parquet" in answer.text


def test_an_exported_trace_file_comes_back_as_duplicates_only(api: TestClient, dataset: str) -> None:
    exported = api.get(f"/datasets/{dataset}/1/export.jsonl?format=trace").content
    report = api.post("/traces/batch", content=exported, headers={"content-type": "application/x-ndjson"}).json()
    assert (report["inserted"], report["duplicate"], report["rejected"]) == (0, 10, 0)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/datasets/none", 404),
        ("/datasets/none/1", 404),
        ("/datasets/none/1/export.jsonl", 404),
        ("/datasets/doubles/2", 404),
        ("/datasets/doubles/2/export.jsonl", 404),
        ("/datasets/doubles/0", 422),
        ("/datasets/doubles/x", 422),
        ("/datasets/doubles/99999999999999999999", 422),
        ("/datasets/Doubles", 422),
        ("/datasets/doubles/1/export.jsonl?format=parquet", 422),
        ("/datasets/doubles/1/export.parquet?format=csv", 422),
        ("/datasets/doubles/1/export.csv", 422),
        ("/datasets/none/1/export.parquet", 404),
        ("/datasets/doubles/1/export.jsonl?style=verse", 422),
        ("/datasets/doubles/1/export.jsonl?format=stepwise", 422),
        ("/datasets/doubles/1/export.jsonl.gz?format=preference", 422),
        ("/datasets/none/1/card.md", 404),
        ("/datasets/doubles/1/card.md?as=csv", 422),
    ],
)
def test_what_is_not_there_is_told(api: TestClient, dataset: str, path: str, status: int) -> None:
    answer = api.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


WRONG = trace(50, final_answer="1", reference_answer="100")


def test_gates_are_told_with_their_counts_and_the_rows_behind_them(api: TestClient, ids: list[str]) -> None:
    wrong = api.post("/traces", json=WRONG).json()["id"]
    gates = {"answer": "warn", "tags": {"action": "exclude"}}
    assert api.post("/datasets", json={"name": "checked", "gates": gates}).status_code == 201
    outcomes = {one["gate"]: one for one in api.get("/datasets/checked/1/gates").json()["gates"]}
    assert outcomes["answer"]["counts"] == {"no_reference": 10, "wrong": 1}
    assert (outcomes["tags"]["action"], outcomes["tags"]["rows"]) == ("exclude", 0)
    page = api.get("/datasets/checked/1/gates/answer").json()
    assert [(one["id"], one["reason"]) for one in page["findings"]] == [(wrong, "wrong")]
    assert "reference '100'" in page["findings"][0]["words"]
    assert page["next"] is None
    assert api.get("/datasets/checked/1/gates/answer?reason=timeout").json()["findings"] == []
    assert api.get("/datasets/checked/1/gates/near_duplicate").status_code == 404


def test_findings_come_in_pages(api: TestClient) -> None:
    rows = [trace(i, steps=[f"<think>{2 * i}"]) for i in range(5)]
    api.post("/traces/batch", json=rows)
    api.post("/datasets", json={"name": "loose", "gates": {"tags": "warn"}})
    seen, after = [], -1
    while after is not None:
        page = api.get(f"/datasets/loose/1/gates/tags?limit=2&after={after}").json()
        seen += [one["span"] for one in page["findings"]]
        after = page["next"]
    assert seen == ["<think>"] * 5


def test_two_versions_differ_by_named_rows(api: TestClient, dataset: str) -> None:
    added = api.post("/traces", json=trace(77)).json()["id"]
    api.post("/datasets", json={"name": dataset, "eval_share": 0.3})
    found = api.get(f"/datasets/{dataset}/2/diff?against=1").json()
    assert (found["added"], found["removed"], found["moved"], found["changed"], found["kept"]) == (
        [added],
        [],
        [],
        [],
        10,
    )
    assert api.get(f"/datasets/{dataset}/2/diff?against=9").status_code == 404


def test_an_eval_file_of_the_home_is_compared_with(api: TestClient, pipeline: Pipeline, ids: list[str]) -> None:
    long = "In the year of the great flood the miller of the valley sold ninety sacks to three towns"
    api.post("/traces", json=trace(1, prompt=long))
    pipeline.settings.exports_dir.mkdir(exist_ok=True)
    (pipeline.settings.exports_dir / "test.jsonl").write_text(json.dumps({"question": long, "answer": "270"}) + "\n")
    body = {"name": "clean", "eval_share": 0, "gates": {"contamination": "exclude"}, "eval_file": "test.jsonl"}
    version = api.post("/datasets", json=body).json()
    assert version["train_rows"] == 10
    assert len(version["spec"]["gates"]["contamination"]["eval_sha256"]) == 64
    assert api.post("/datasets", json={**body, "eval_file": "other.jsonl"}).status_code == 422


def test_a_build_in_the_background_is_watched_and_ends(api: TestClient, pipeline: Pipeline, ids: list[str]) -> None:
    started = api.post("/dataset-builds", json={"name": "later", "gates": {"answer": "warn"}})
    assert started.status_code == 202
    pipeline.datasets.builds.wait(started.json()["id"], 30)
    found = api.get(f"/dataset-builds/{started.json()['id']}").json()
    assert (found["status"], found["version"]) == ("succeeded", 1)
    assert [one["id"] for one in api.get("/dataset-builds").json()["builds"]] == [started.json()["id"]]
    assert api.post(f"/dataset-builds/{started.json()['id']}/stop").json()["status"] == "succeeded"
    assert api.get("/dataset-builds/b-9999").status_code == 404
    failed = api.post("/dataset-builds", json={"name": "never", "source": "nowhere"}).json()["id"]
    assert "No trace matches" in pipeline.datasets.builds.wait(failed, 30).message


@pytest.mark.parametrize(
    "spec",
    [
        {"gates": {"beauty": "warn"}},
        {"gates": {"answer": "maybe"}},
        {"selection": "top", "limit": 5},
        {"selection": "budget"},
        {"after": "soon"},
        {"min_steps": -1},
    ],
)
def test_fields_that_cannot_be_used_are_422(api: TestClient, ids: list[str], spec: dict[str, object]) -> None:
    answer = api.post("/datasets", json={"name": "x", **spec})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]
