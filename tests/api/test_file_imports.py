"""What the Import page reads in the background is seen and stopped through the API."""

from __future__ import annotations

import io
import threading

from starlette.testclient import TestClient

from tunixrt_core.errors import Stopped
from tunixrt_core.jobs.imports import FileRead
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.util.tasks import Progress

LINES = b'{"prompt": "2 + 2?", "steps": ["two and two"], "final_answer": "4"}\n{broken\n'


def test_an_import_is_listed_with_its_report(api: TestClient, pipeline: Pipeline) -> None:
    assert api.get("/imports").json() == {"imports": []}
    for kind in ("import", "check"):
        task = pipeline.traces.imports.begin(kind, io.BytesIO(LINES), name="some.jsonl")  # type: ignore[arg-type]
        pipeline.traces.imports.wait(task.id, 30)
    check, done = api.get("/imports").json()["imports"]
    assert (done["id"], done["kind"], done["name"], done["status"]) == ("i-0001", "import", "some.jsonl", "succeeded")
    assert (done["report"]["inserted"], done["report"]["rejected"], done["done"]) == (1, 1, 2)
    assert (check["kind"], check["report"]["unique"]) == ("check", 1)
    assert api.get("/imports/i-0001").json() == done
    assert api.post("/imports/i-0001/stop").json()["status"] == "succeeded"
    assert api.get("/imports/i-9999").status_code == 404


def test_an_import_under_way_is_stopped(api: TestClient, pipeline: Pipeline) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> FileRead:
        on_progress("reading", 500, 5000)
        assert stop.wait(30)
        raise Stopped("big.jsonl was stopped after 500 traces; none of them was stored.")

    task = pipeline.traces.imports.start(work, kind="import", title="big.jsonl")
    assert api.post(f"/imports/{task.id}/stop").status_code == 200
    pipeline.traces.imports.wait(task.id, 30)
    found = api.get(f"/imports/{task.id}").json()
    assert (found["status"], found["report"]) == ("stopped", None)
    assert "none of them was stored" in found["message"]
