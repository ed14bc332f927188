"""The address of a cluster, the token that it demands, and what a wrong one is told, before Ray is imported."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidSettings, JobFailed
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.ray_cluster.address import Cluster, require_entry, require_token_mode
from tunixrt_core.jobs.ray_cluster.executor import RayExecutor
from tunixrt_core.pipeline.pipeline import Pipeline, open_home
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.store import open_store


class Head(BaseHTTPRequestHandler):
    """Answers as Ray's dashboard does to its token."""

    def do_GET(self) -> None:
        given = self.headers.get("Authorization")
        known = {None: 401, "Bearer right": 200, "Bearer broken": 500}
        self.send_response(known.get(given, 403) if self.path == "/api/jobs/" else 404)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Not to the terminal."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    server = HTTPServer(("127.0.0.1", 0), Head)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Cluster.parse(f"ray://127.0.0.1:6379?dashboard={server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_says_what_a_job_takes_and_how_many_are_done_at_once() -> None:
    plain = Cluster.parse("ray://10.0.0.2:6379")
    assert (plain.host, plain.port, plain.cpus, plain.gpus, plain.tpus) == ("10.0.0.2", 6379, 1, 0, 0)
    assert (plain.jobs, plain.builders, plain.dashboard, plain.is_loopback) == (1, 4, 8265, False)
    assert Cluster.parse("ray://head:1?builders=0").builders == 0
    large = Cluster.parse("ray://head:1?cpus=8&gpus=0.5&tpus=4&jobs=3&dashboard=80")
    assert (large.cpus, large.gpus, large.tpus, large.jobs, large.dashboard) == (8, 0.5, 4, 3, 80)


@pytest.mark.parametrize(
    "address", ["10.0.0.2:6379", "http://10.0.0.2:6379", "ray://10.0.0.2", "ray://h:1?gpu=1", "ray://h:1?gpus=many"]
)
def test_another_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^TUNIXRT_EXECUTOR: .*ray://10\.0\.0\.2:6379"):
        Cluster.parse(address)


@pytest.mark.parametrize("number", ["gpus=many", "cpus=-1", "jobs=inf", "dashboard=nan", "tpus="])
def test_a_number_that_cannot_be_used_is_named(number: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"^TUNIXRT_EXECUTOR: {number} is not a number of at least 0\. "):
        Cluster.parse(f"ray://10.0.0.2:6379?{number}")


@pytest.mark.parametrize("mode", ["", "disabled"])
def test_a_cluster_without_tokens_is_refused_when_the_home_is_opened(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNIXRT_EXECUTOR", "ray://127.0.0.1:6379")
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(InvalidSettings, match="runs the code of anyone who reaches its ports"):
        open_home(tmp_path)
    require_token_mode({"RAY_AUTH_MODE": "token"})


def test_a_bucket_without_a_cluster_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNIXRT_BUCKET", "s3://bucket/path")
    with pytest.raises(InvalidSettings, match="Set TUNIXRT_EXECUTOR too"):
        open_home(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_home_is_not_opened_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNIXRT_EXECUTOR", "ray://127.0.0.1:6379")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(InvalidSettings, match=r"pip install 'tunix-rt\[ray\]'"):
        open_home(tmp_path)


def test_an_agent_that_cannot_connect_fails_the_run_and_names_its_log(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray is not installed, which ends the agent, or nothing listens at that port, which only a limit does."""
    monkeypatch.setattr("tunixrt_core.jobs.ray_cluster.agent_process._CONNECT_SECONDS", 8.0)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "right")
    monkeypatch.setattr("tunixrt_core.jobs.ray_cluster.executor._ENDS", 1)
    settings = empty_home(tmp_path / "home", TUNIXRT_ALLOW=str(tmp_path))
    store = open_store(settings.database_url)
    jobs = JobManager(store.runs, FakeBackend(), elsewhere=lambda here: RayExecutor(settings, cluster, here))
    with Pipeline(settings, store, jobs) as rt:
        run = rt.runs.start(make_manifest(tmp_path, train_steps=6))
        assert rt.queue.wait(120)
        found = rt.runs.get(run.id)
        assert (found.status, "See logs/ray-agent.log in the home" in found.message) == (RunStatus.FAILED, True)
        assert (settings.home / "logs" / "ray-agent.log").stat().st_size
        assert not list((settings.home / "jobs").iterdir())


def test_the_right_token_is_let_in_from_the_variable_or_the_file(cluster: Cluster, tmp_path: Path) -> None:
    require_entry(cluster, {"RAY_AUTH_TOKEN": "right"})
    file = tmp_path / "token"
    file.write_text("right\n")
    require_entry(cluster, {"RAY_AUTH_TOKEN_PATH": str(file)})


def test_what_keeps_us_out_is_said_in_words(cluster: Cluster, tmp_path: Path) -> None:
    missing = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "missing")}
    for environ, words in (
        (missing, "requests a token, and this server has none"),
        ({"RAY_AUTH_TOKEN": "wrong"}, "refuses the token of this server"),
        ({"RAY_AUTH_TOKEN": "broken"}, "answers with HTTP status 500"),
    ):
        with pytest.raises(JobFailed, match=words):
            require_entry(cluster, environ)
    with pytest.raises(JobFailed, match="does not answer"):
        require_entry(Cluster.parse("ray://127.0.0.1:1?dashboard=1"), missing)
