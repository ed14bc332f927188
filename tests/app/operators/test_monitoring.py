"""A real server as a monitor sees it: metrics behind the gate, readiness, and a Grafana dashboard of what there is."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from pathlib import Path

import httpx
import pytest

from app.operators import figures
from app.operators.exposition import text_of
from app.operators.requests import Requests
from tests.app.conftest import Server
from tests.conftest import REPOSITORY
from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home, fake_home
from tests.helpers.servers import start_server
from tests.pipeline.test_pipeline import manifest_of
from tunixrt_core.jobs.accelerator import Accelerator, Holder
from tunixrt_core.jobs.holding import DeviceMemory, Holding
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.pipeline.namespaces.watch import Figures, Training
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.store import open_store
from tunixrt_core.util.host import MemoryUse

GRAFANA = REPOSITORY / "docs" / "deploy" / "grafana-dashboard.json"
SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? (-?\d+(\.\d+)?(e[-+]?\d+)?)')


def names(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}


def test_metrics_need_the_token_and_are_what_prometheus_reads(server: Server) -> None:
    assert httpx.get(f"{server.url}/metrics", headers={"accept": "text/html"}).status_code == 401
    httpx.get(f"{server.url}/api/runs")
    answer = httpx.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {server.token}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for line in answer.text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or SAMPLE.fullmatch(line), line
    assert 'tunixrt_runs{status="running"} 0' in answer.text
    assert "tunixrt_queue_waiting 0" in answer.text
    assert 'tunixrt_http_requests_total{part="api",method="GET",status="4xx"}' in answer.text
    if parser := pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed"):
        parsed = {family.name: family for family in parser.text_string_to_metric_families(answer.text)}
        assert parsed["tunixrt_http_request_seconds"].type == "histogram"
        assert parsed["process_start_time_seconds"].samples[0].value > 1.7e9


def test_a_server_is_ready_until_its_database_does_not_answer(server: Server) -> None:
    answer = httpx.get(f"{server.url}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_what_a_server_cannot_work_without_is_named(tmp_path: Path) -> None:
    with fake_home(tmp_path / "home") as rt:
        assert rt.watch.not_ready() == []
        with sqlite3.connect(tmp_path / "home" / "tunixrt.db") as database:
            database.execute("DROP TABLE runs")
        database.close()
        assert rt.watch.not_ready() == ["the database does not answer"]


def test_open_metrics_and_structured_logs_are_settings(tmp_path: Path) -> None:
    server = start_server(tmp_path / "home", "--metrics", "open", "--log", "json", "--log-level", "info")
    try:
        assert httpx.get(f"{server.url}/metrics").status_code == 200
        assert httpx.post(f"{server.url}/metrics").status_code == 401
        assert httpx.get(f"{server.url}/api/runs").status_code == 401
        assert httpx.get(f"{server.url}/", headers={"authorization": "Bearer wrong"}).status_code == 401
    finally:
        _, log = server.end()
    told = [json.loads(line) for line in log.splitlines()]
    assert any(each["logger"] == "app.server.gate.attempts" for each in told), log


def test_the_figures_of_a_run_that_trains_name_it(tmp_path: Path) -> None:
    settings = empty_home(tmp_path / "home")
    store = open_store(settings.database_url)
    backend = FakeBackend(step_seconds=0.02)
    jobs = JobManager(store.runs, backend, Accelerator(settings.accelerator_lock))
    with Pipeline(settings, store, jobs) as rt:
        run = rt.runs.start(manifest_of(rt, 10_000))
        while rt.runs.state(run.id).train_step < 3:
            threading.Event().wait(0.02)
        text = text_of(figures.families(rt.watch.figures()))
        rt.runs.stop(run.id)
        assert rt.queue.wait(20)
        after = text_of(figures.families(rt.watch.figures()))
    assert f'tunixrt_device_busy{{job="train",run="{run.id}"}} 1' in text
    assert re.search(rf'tunixrt_train_step{{run="{run.id}"}} \d', text)
    assert f'tunixrt_train_steps_planned{{run="{run.id}"}} 10000' in text
    assert re.search(rf'tunixrt_train_loss{{run="{run.id}"}} 0\.\d', text)
    assert "tunixrt_device_busy 0" in after
    assert 'tunixrt_runs{status="stopped"} 1' in after
    assert "tunixrt_train_step" not in names(after)


def test_the_grafana_dashboard_asks_for_metrics_that_there_are() -> None:
    holder = Holder("r-0001", "train", 0.0, "1:1:1")
    holding = Holding(holder, 60.0, DeviceMemory(1, 2), MemoryUse(1, 2, 3))
    now = Figures({}, 0, holding, Training("r-0001", 1, 2, 0.5, 0.4, 1000.0), 1)
    requests = Requests()
    requests.ended("api", "GET", 200, 0.1)
    shown = names(text_of([*figures.families(now), *requests.families()]))
    queries = re.findall(r'"expr": "((?:[^"\\]|\\.)*)"', GRAFANA.read_text(encoding="utf-8"))
    asked = {name for query in queries for name in re.findall(r"\b(?:tunixrt|process)_\w+", query)}
    assert len(asked) >= 15
    assert {name.removesuffix("_bucket") for name in asked} <= shown
    described = (REPOSITORY / "docs" / "how-to" / "monitor.md").read_text(encoding="utf-8")
    assert {name for name in shown if name.startswith("tunixrt_") and name not in described} == {"tunixrt_info"}
