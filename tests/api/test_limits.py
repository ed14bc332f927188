"""What is read is made JSON once, and is still what the description says."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from app.api.limits import JsonRoute
from app.api.models.runs import Queue, RunDetail
from tests.api.test_runs import start
from tunixrt_core.pipeline.pipeline import Pipeline


class Answer(BaseModel):
    number: int
    other: str | None = Field(None, alias="as")


class Longer(Answer):
    secret: str = "not described"


def test_a_run_and_the_queue_are_answered_as_described(trains: Pipeline, application: FastAPI) -> None:
    api = TestClient(application, raise_server_exceptions=False)
    run = start(api, trains)
    assert trains.queue.wait(20)
    for path, described in ((f"/runs/{run['id']}", RunDetail), ("/queue", Queue)):
        answer = api.get(path)
        assert answer.headers["content-type"] == "application/json"
        told = described.model_validate_json(answer.content)
        assert told.model_dump(mode="json") == answer.json()


@pytest.mark.parametrize("path", ["/model", "/subclass", "/coroutine", "/without"])
def test_the_answer_has_the_fields_that_are_described_and_their_names(path: str) -> None:
    router = APIRouter(route_class=JsonRoute)

    @router.get("/model")
    def model() -> Answer:
        return Answer(number=1)

    @router.get("/subclass")
    def subclass() -> Answer:
        return Longer(number=1)

    @router.get("/coroutine")
    async def coroutine() -> Answer:
        return Answer(number=1)

    @router.get("/without", response_model_exclude_none=True)
    def without() -> Answer:
        return Answer(number=1)

    api = FastAPI()
    api.include_router(router)
    found = {"number": 1} if path == "/without" else {"number": 1, "as": None}
    assert TestClient(api).get(path).json() == found
    schema = api.openapi()["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Answer"}
