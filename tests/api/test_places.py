"""Where the dashboard can go to by name."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.api.conftest import trace
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.traces.trace import Trace


def test_versions_of_datasets_are_places(api: TestClient, pipeline: Pipeline) -> None:
    pipeline.traces.ingest_examples(10)
    pipeline.datasets.build(DatasetSpec("sums"))
    places = [place for place in api.get("/places").json()["places"] if place["kind"] != "setting"]
    assert [(place["kind"], place["name"], place["address"]) for place in places] == [
        ("dataset", "sums v1", "/datasets?dataset=sums%3A1")
    ]


def test_runs_are_places_where_they_have_a_page(api: TestClient, trains: Pipeline) -> None:
    run = trains.runs.start(trains.manifests.build("mine", model_id="tiny"))
    trains.queue.wait()
    places = [place for place in api.get("/places").json()["places"] if place["kind"] == "run"]
    if not trains.home.tunix_status().available:
        assert places == []
    else:
        detail = f"succeeded · {run.id}"
        assert places == [{"kind": "run", "name": run.name, "detail": detail, "address": f"/run?run={run.id}"}]


def test_settings_are_places_that_lead_to_their_field_or_to_the_system(api: TestClient, pipeline: Pipeline) -> None:
    places = {place["detail"]: place for place in api.get("/places").json()["places"] if place["kind"] == "setting"}
    page = "new-run" if pipeline.home.tunix_status().available else "tunix"
    rate = places["optimizer.learning_rate"]
    assert (rate["name"], rate["address"]) == ("Learning rate", f"/{page}?find=Learning+rate")
    token = places["TUNIXRT_TOKEN"]
    assert (token["name"], token["address"]) == ("Token", "/system")


def test_traces_are_found_by_their_words(api: TestClient, pipeline: Pipeline) -> None:
    wanted = Trace.from_dict(trace(21))
    pipeline.traces.add(wanted)
    pipeline.traces.add(Trace.from_dict(trace(7)))
    (place,) = api.get("/places", params={"q": "What is 21"}).json()["places"]
    assert place["name"] == "What is 21 + 21?"
    assert place["address"] == f"/traces?trace={wanted.content_hash}"


def test_a_long_prompt_is_shortened(api: TestClient, pipeline: Pipeline) -> None:
    pipeline.traces.add(Trace.from_dict({**trace(1), "prompt": "word " * 100}))
    (place,) = api.get("/places", params={"q": "word"}).json()["places"]
    assert len(place["name"]) == 90
    assert place["name"].endswith("…")
