"""Every error has one shape and a status that tells whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.api import errors as api_errors
from tests.api.conftest import trace
from tunixrt_core import errors
from tunixrt_core.pipeline.pipeline import Pipeline


def error_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"error"}
    assert {"code", "message", "retryable"} <= set(body["error"]) <= {"code", "message", "retryable", "details"}
    assert body["error"]["message"]
    return dict(body["error"])


def subclasses(cls: type[errors.TunixRTError]) -> Iterator[type[errors.TunixRTError]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_what_can_be_retried_says_so_and_when() -> None:
    api = FastAPI()
    api_errors.add_error_handlers(api)

    @api.get("/{code}")
    def fail(code: str) -> None:
        raise next(cls for cls in subclasses(errors.TunixRTError) if cls.code == code)("It is so.")

    client = TestClient(api)
    for code, status in (("busy", 409), ("shutting_down", 503), ("store_busy", 503)):
        answer = client.get(f"/{code}")
        assert error_of(answer, status)["retryable"] is True
        assert int(answer.headers["retry-after"]) > 0
    for code, status in (("conflict", 409), ("stopped", 409), ("store_error", 503), ("export_error", 422)):
        answer = client.get(f"/{code}")
        assert error_of(answer, status)["retryable"] is False
        assert "retry-after" not in answer.headers


def test_an_unknown_address_is_404(api: TestClient) -> None:
    assert error_of(api.get("/nothing"), 404)["code"] == "not_found"
    assert error_of(api.get("/traces/"), 404)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/traces", "GET, HEAD, POST"),
        ("POST", "/tunix/status", "GET, HEAD"),
        ("GET", "/tunix/sft/export", "POST"),
        ("PATCH", f"/traces/{'0' * 64}", "DELETE, GET, HEAD"),
        ("DELETE", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_and_names_all_that_are_right(
    api: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = api.request(method, path)
    assert error_of(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == allowed


def test_a_body_above_the_limit_is_413_with_and_without_its_length(api: TestClient) -> None:
    big = b" " * (1 << 20) + b"{}"
    kind = {"content-type": "application/json"}
    assert error_of(api.post("/traces", content=big, headers=kind), 413)["code"] == "too_large"
    assert error_of(api.post("/traces", content=iter([big]), headers=kind), 413)["code"] == "too_large"
    assert error_of(api.post("/traces/batch", content=iter([big[:9]] * 200_000), headers=kind), 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("path", ["/traces", "/traces/batch", "/datasets", "/runs"])
def test_a_body_of_another_type_is_415(api: TestClient, path: str, kind: str) -> None:
    error = error_of(api.post(path, content=b"{}", headers={"content-type": kind}), 415)
    assert "application/json" in error["message"]


def test_a_body_that_is_not_json_is_422(api: TestClient) -> None:
    answer = api.post("/traces", content=b"{", headers={"content-type": "application/json"})
    assert error_of(answer, 422)["code"] == "invalid_json"


def test_a_missing_body_is_422(api: TestClient) -> None:
    assert "JSON body" in error_of(api.post("/traces"), 422)["message"]


def test_wrong_fields_are_422_and_all_of_them_named(api: TestClient) -> None:
    error = error_of(api.post("/traces", json={"prompt": 1, "steps": [], "answer": "2"}), 422)
    assert error["message"].startswith("prompt: ")
    fields = {item["field"] for item in error["details"]["errors"]}
    assert fields == {"prompt", "final_answer", "answer"}


def test_values_that_the_core_refuses_are_422_with_its_sentence(api: TestClient) -> None:
    error = error_of(api.post("/traces", json=trace(1, meta={"n": 10**30})), 422)
    assert error["code"] == "invalid_trace"
    assert error["details"] == {"field": "meta.n", "reason": "integer does not fit in 64 bits. Write it as text"}


def test_a_bug_is_500_without_its_inside(api: TestClient, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(pipeline.home, "tunix_status", broken)
    answer = api.get("/tunix/status")
    assert error_of(answer, 500)["code"] == "internal"
    assert "secret" not in answer.text
