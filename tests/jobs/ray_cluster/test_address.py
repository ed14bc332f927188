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
from tests.helpers.machines.s3_server import needs_fsspec
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidInput, InvalidSettings, JobFailed
from tunixrt_core.evaluation.questions.execution import LoadedModels
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.ray_cluster.address import Cluster, require_entry, require_token_mode
from tunixrt_core.jobs.ray_cluster.bucket.store import bucket_of
from tunixrt_core.jobs.ray_cluster.executor import RayExecutor
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.jobs.work import Local
from tunixrt_core.pipeline.pipeline import Pipeline, open_home
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.store import open_store
from tunixrt_core.training.ahead.slices import Slice, known_slices
from tunixrt_core.util.files.home_id import home_id


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


def test_a_job_takes_of_a_machine_what_the_address_says() -> None:
    assert Cluster.parse("ray://head:1").takes == {"CPU": 1}
    assert Cluster.parse("ray://head:1?cpus=0&gpus=0.5&tpus=4").takes == {"GPU": 0.5, "TPU": 4}


def test_a_slice_says_how_many_processes_train_and_what_each_takes() -> None:
    found = Cluster.parse("ray://head:1?slice=v6e-16&cpus=8")
    assert (found.takes, found.train) == ({"CPU": 8, "TPU": 4}, "jax")
    assert (found.processes(None), found.processes(4)) == (4, 4)
    with pytest.raises(InvalidInput, match="processes: 2, and v6e-16 has 4 hosts"):
        found.processes(2)
    jax_trainer = found.to_dict("/home/jobs")["jax_trainer"]
    assert jax_trainer == {"topology": "4x4", "accelerator_type": "TPU-V6E", "storage_path": "/home/jobs"}
    single = Cluster.parse("ray://head:1?slice=v5e-8")
    assert (single.takes["TPU"], single.train, single.processes(None)) == (8, "actors", 1)


def test_without_a_slice_a_run_says_how_many_processes_train() -> None:
    plain, jax = (Cluster.parse(f"ray://head:1?train={train}") for train in ("actors", "jax"))
    assert [plain.processes(None), plain.processes(1), plain.processes(3)] == [1, 1, 3]
    assert plain.to_dict("jobs")["jax_trainer"] is None
    assert jax.to_dict("jobs")["jax_trainer"] == {"topology": None, "accelerator_type": None, "storage_path": "jobs"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("slice=v6e-7", "v6e-7"),
        ("slice=v6e-16&tpus=4", "Leave tpus out"),
        ("train=torch", "train=torch"),
        ("train=jax&gpus=1", "jax without gpus"),
    ],
)
def test_a_slice_or_a_way_to_train_that_there_is_none_is_refused(asked: str, said: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"^TUNIXRT_EXECUTOR: .*{said}"):
        Cluster.parse(f"ray://head:1?{asked}")


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.parametrize("slice_", [each for each in known_slices() if each.hosts > 1], ids=lambda each: each.name)
def test_ray_knows_each_slice_by_chip_and_topology_with_as_many_hosts(slice_: Slice) -> None:
    from ray.train import ScalingConfig
    from ray.util.tpu import get_tpu_worker_resources

    found = Cluster.parse(f"ray://head:1?slice={slice_.name}")
    told = found.to_dict("")["jax_trainer"]
    hosts, _ = get_tpu_worker_resources(told["topology"], told["accelerator_type"], found.takes, 1)
    assert hosts == slice_.hosts
    ScalingConfig(
        num_workers=found.processes(None),
        use_tpu=True,
        topology=told["topology"],
        accelerator_type=told["accelerator_type"],
        resources_per_worker=found.takes,
    )


@needs_fsspec
def test_processes_that_train_together_share_a_folder_and_no_bucket(tmp_path: Path) -> None:
    environ = {"TUNIXRT_EXECUTOR": "ray://head:1", "TUNIXRT_BUCKET": f"file://{tmp_path}/bucket"}
    settings = empty_home(tmp_path / "home", **environ)
    backend = FakeBackend()
    here = Local(backend, LoadedModels(backend), None)
    cluster = Cluster.parse("ray://head:1")
    by_bucket = RayExecutor(settings, cluster, here, bucket_of(settings, samplers=1))
    assert by_bucket.processes(None) == 1
    with pytest.raises(InvalidInput, match="processes: 2, which share one folder"):
        by_bucket.processes(2)
    assert RayExecutor(settings, cluster, here).processes(2) == 2


def test_homes_under_one_path_are_two_to_a_cluster_and_a_moved_one_is_the_same(tmp_path: Path) -> None:
    backend = FakeBackend()
    here = Local(backend, LoadedModels(backend), None)
    spec = JobSpec("r-0001", "r-0001", "train", {}, 1)

    def owner(home: Path) -> str:
        return RayExecutor(empty_home(home), Cluster.parse("ray://head:1"), here).owner(spec)

    first = owner(tmp_path / "home")
    assert owner(tmp_path / "home") == first == f"ray:tunixrt-{home_id(tmp_path / 'home')}/r-0001#1"
    (tmp_path / "home").rename(tmp_path / "moved")
    assert owner(tmp_path / "home") != first, "as on another machine"
    assert owner(tmp_path / "moved") == first


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
