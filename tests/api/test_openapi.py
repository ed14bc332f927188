"""The published description is true: whatever it allows is answered as it says, and nothing breaks the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app import state
from app.api.application import build_api
from app.server.gate.gate import Gate
from tests.api.conftest import trace
from tests.conftest import examples
from tests.helpers.fakes import FakeBackend
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.manifest.manifest import HYPERPARAMETERS
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.tunix_backend.availability import is_tunix_available

server = Gate(Starlette(routes=[Mount("/api", app=build_api(1))]), token=None, hosts={"testserver"})


@pytest.fixture(scope="module")
def description(request: pytest.FixtureRequest) -> BaseSchema:
    """Made when it is tested: schemathesis computes most examples beforehand, which each worker would do to collect."""
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", server)
    # 501 is an answer here, not a failure: Tunix may be missing; 507 is for an output_dir that cannot be written
    schema.config.checks.not_a_server_error.expected_statuses = ["2xx", "4xx", "501", "507"]
    # the five thousand requests with a limit of a value or a missing part are made where Tunix is not, `make test-free`
    schema.config.phases.coverage.enabled = request.config.getoption("--all") or not is_tunix_available()
    return schema


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("openapi") / "home"
    configured = Settings.from_env({"TUNIXRT_HOME": str(path)})
    store = open_store(configured.database_url)
    with Pipeline(configured, store, JobManager(store.runs, FakeBackend())) as pipeline:
        state.set_pipeline(pipeline)
        visitor = TestClient(server)
        for i in range(5):
            assert visitor.post("/api/traces", json=trace(i)).status_code == 201
        assert visitor.post("/api/datasets", json={"name": "a"}).status_code == 201
        yield path
        state.set_pipeline(None)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("home")
@schemathesis.pytest.from_fixture("description").parametrize()
@settings(max_examples=examples(12), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_request_that_is_described_gets_an_answer_that_is_described(case: schemathesis.Case) -> None:
    case.call_and_validate(
        checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    )


def test_hyperparameters_are_described_where_a_body_takes_them() -> None:
    schemas = build_api(1).openapi()["components"]["schemas"]
    for body in ("ManifestBody", "CloneBody"):
        described = schemas[body]["properties"]["hyperparameters"]["properties"]
        assert {name: value["description"] for name, value in described.items()} == {
            name: row.help for name, row in HYPERPARAMETERS.items()
        }


def test_every_address_of_the_issue_is_published() -> None:
    paths = build_api(1).openapi()["paths"]
    assert {path: sorted(paths[path]) for path in paths} == {
        "/tunix/status": ["get"],
        "/tunix/sft/export": ["post"],
        "/tunix/sft/manifest": ["post"],
        "/traces": ["get", "post"],
        "/traces/batch": ["post"],
        "/traces/preview": ["post"],
        "/traces/doctor": ["post"],
        "/traces/rejects/{id}": ["get"],
        "/traces/count": ["get"],
        "/traces/delete": ["post"],
        "/traces/facets": ["get"],
        "/traces/groups": ["get"],
        "/traces/diff": ["get"],
        "/places": ["get"],
        "/imports": ["get"],
        "/imports/{id}": ["get"],
        "/imports/{id}/stop": ["post"],
        "/traces/{id}": ["delete", "get"],
        "/traces/summaries": ["get"],
        "/traces/{id}/reading": ["get"],
        "/traces/{id}/tags": ["post"],
        "/traces/{id}/note": ["put"],
        "/traces/{id}/scores": ["delete", "post"],
        "/datasets": ["get", "post"],
        "/datasets/{name}": ["get"],
        "/datasets/{name}/{version}": ["get"],
        "/datasets/{name}/{version}/export.jsonl": ["get"],
        "/datasets/{name}/{version}/export.json": ["get"],
        "/datasets/{name}/{version}/gates": ["get"],
        "/datasets/{name}/{version}/gates/{gate}": ["get"],
        "/datasets/{name}/{version}/diff": ["get"],
        "/dataset-builds": ["get", "post"],
        "/dataset-builds/{id}": ["get"],
        "/dataset-builds/{id}/stop": ["post"],
        "/datasets/{name}/{version}/export.{file_type}": ["get"],
        "/datasets/{name}/{version}/card.md": ["get"],
        "/diagnostics": ["get"],
        "/me": ["get"],
        "/audit": ["get"],
        "/preflight": ["post"],
        "/dry-runs": ["post"],
        "/dry-runs/{id}": ["get"],
        "/dry-runs/{id}/stop": ["post"],
        "/slice-reports": ["get", "post"],
        "/slice-reports/{id}": ["get"],
        "/slice-reports/{id}/stop": ["post"],
        "/runs/{id}/exports": ["get", "post"],
        "/runs/{id}/exports/{format}": ["get"],
        "/runs/{id}/exports/{format}/{file}": ["get"],
        "/exports/{id}": ["get"],
        "/runs": ["get", "post"],
        "/runs/table": ["get"],
        "/runs/recent": ["get"],
        "/runs/series": ["get"],
        "/runs/curves.csv": ["get"],
        "/runs/compare": ["get"],
        "/runs/{id}": ["get", "patch"],
        "/runs/{id}/problems": ["get"],
        "/runs/{id}/aside": ["post"],
        "/runs/{id}/metrics": ["get"],
        "/runs/{id}/stop": ["post"],
        "/runs/{id}/save": ["post"],
        "/runs/{id}/base": ["get"],
        "/runs/{id}/base/accept": ["post"],
        "/runs/{id}/resume": ["post"],
        "/runs/{id}/clone": ["post"],
        "/queue": ["get"],
        "/queue/{id}/remove": ["post"],
        "/queue/{id}/move": ["post"],
        "/runs/{id}/evaluations": ["get", "post"],
        "/evaluations/compare": ["get"],
        "/evaluations/leaderboard": ["get"],
        "/evaluations/pairs": ["get"],
        "/scorers": ["get"],
        "/evaluations/{id}": ["get"],
        "/evaluations/{id}/stop": ["post"],
        "/evaluations/{id}/keep": ["post"],
        "/playground": ["post"],
        "/playground/release": ["post"],
        "/playground/{id}": ["get"],
        "/playground/{id}/stop": ["post"],
        "/playground/{id}/text": ["get"],
        "/playground/{id}/keep": ["post"],
    }
