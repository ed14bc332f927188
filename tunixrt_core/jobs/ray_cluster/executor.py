"""Jobs done by workers of a Ray cluster."""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import InvalidInput, JobFailed, NotFound, Stopped, Superseded
from tunixrt_core.evaluation.folder import EvalDir, EvalState
from tunixrt_core.jobs.ray_cluster.address import Cluster, require_entry
from tunixrt_core.jobs.ray_cluster.agent_process import AgentProcess
from tunixrt_core.jobs.spec import Executor, JobSpec, Tell, WorkerLost
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.home_id import home_id
from tunixrt_core.util.files.private import make_private
from tunixrt_core.util.owners import Heartbeat

if TYPE_CHECKING:
    from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_AGAIN_SECONDS = 3.0  # between two starts of an agent that ended
_ENDS = 3  # agents that may end before a worker has begun
_AWAY = ("train", "evaluate", "export")


class RayExecutor(Executor):
    """Trainings, evaluations and exports in detached workers; dry runs and questions in this process.

    The spec of a job is kept in `jobs/` of the home while it has a worker, so that the next server follows it.
    """

    def __init__(self, settings: Settings, cluster: Cluster, here: Executor, bucket: Bucket | None = None) -> None:
        """`bucket`: what workers without the folder of the home use in its place. Raises OutputError."""
        self._settings = settings
        self._bucket = bucket
        self._cluster = cluster
        self._here = here
        self._namespace = f"tunixrt-{home_id(settings.home)}"
        self._folder = settings.home / "jobs"
        self._lock = threading.Lock()
        self._agent: AgentProcess | None = None
        self.closing = threading.Event()  # the server ends: workers are left alone
        self.at_once = cluster.jobs
        self.several = cluster.slice is None

    def takes_accelerator(self, spec: JobSpec) -> bool:
        return spec.kind not in _AWAY

    def owner(self, spec: JobSpec) -> str:
        away = f"ray:{self._namespace}/{spec.id}#{spec.attempt}"
        return away if spec.kind in _AWAY else self._here.owner(spec)

    def processes(self, asked: int | None) -> int:
        count = self._cluster.processes(asked)
        if count > 1 and self._bucket is not None:
            raise InvalidInput(
                f"processes: {count}, which share one folder, and workers with TUNIXRT_BUCKET have none. Train in one "
                "process, or share the folder of the home."
            )
        return count

    def left(self) -> list[JobSpec]:
        """The jobs whose workers the last server of this home followed."""
        found = []
        for file in sorted(self._folder.glob("*.json")):
            try:
                found.append(JobSpec.from_json(file.read_bytes()))
            except ValueError as error:
                log.warning("%s is no job: %s", file, error)
        return found

    def close(self) -> None:
        """Leave the workers; the next server of this home follows them."""
        self.closing.set()
        with self._lock:
            if self._agent is not None:
                self._agent.end()

    def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
        """Raises WorkerLost where its worker died, JobFailed where the cluster lets nobody in."""
        if spec.kind not in _AWAY:
            self._here.run(spec, stop=stop, tell=tell)
            return
        file = self._folder / f"{spec.id}.json"
        text = spec.to_json()
        is_new = not file.exists() or file.read_bytes() != text
        if is_new:
            require_entry(self._cluster)
            make_private(self._folder)
            write_atomic(file, text)
        try:
            self._follow(spec, stop, tell, is_new=is_new)
        finally:
            if not self.closing.is_set():
                file.unlink(missing_ok=True)
                shutil.rmtree(self._folder / spec.id, ignore_errors=True)  # of Ray Train

    def _follow(self, spec: JobSpec, stop: StopRequest, tell: Tell, *, is_new: bool) -> None:
        if self._bucket is None:
            _Following(self, spec, stop, tell).to_the_end(is_new=is_new)
            return
        from tunixrt_core.jobs.ray_cluster.bucket.mirror import Mirror

        mirror = Mirror(self._bucket, spec, tell, stop=stop, closing=self.closing)
        following = _Following(self, spec, stop, mirror.tell, catch_up=mirror.catch_up)
        if is_new:
            with Heartbeat(following.beat):
                mirror.send(self._settings.models_dir)
        with mirror:
            following.to_the_end(is_new=is_new)

    def agent(self) -> AgentProcess:
        """The process that holds the driver, started if there is none."""
        with self._lock:
            if self._agent is None or not self._agent.alive:
                self._agent = AgentProcess(self._hello(), self._settings.home / "logs" / "ray-agent.log")
            return self._agent

    def _hello(self) -> dict[str, Any]:
        settings = self._settings
        place = {
            "models_dir": str(settings.models_dir),
            "compiled_dir": str(settings.compiled_dir),
            "webhook": settings.webhook,
            "bucket": self._bucket.address if self._bucket else None,
            "home": self._bucket.home if self._bucket else None,
        }
        return {**self._cluster.to_dict(str(self._folder)), "namespace": self._namespace, "place": place}


class _Following:
    """One job, from the start of its worker to its end, over agents that come and go."""

    def __init__(
        self,
        executor: RayExecutor,
        spec: JobSpec,
        stop: StopRequest,
        tell: Tell,
        catch_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`catch_up`: brings what the worker wrote into the home; nothing where they share the folder."""
        self._executor, self._spec, self._stop, self._tell = executor, spec, stop, tell
        self._catch_up = catch_up
        self._seen = 0
        self._ends = 0  # of agents
        self._asked_to_stop = False
        self._writing = threading.Lock()  # news and the sign of life both write the state of a run that waits

    def to_the_end(self, *, is_new: bool) -> None:
        """Returns also where the server ends first."""
        agent = self._executor.agent()
        lines = agent.start(self._spec, seen=0, is_new=is_new)
        with Heartbeat(self.beat):
            while not self._executor.closing.is_set():
                if self._stop.is_set():
                    self._pass_on_stop(agent)
                try:
                    line = lines.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    continue
                if line is None:
                    if self._executor.closing.is_set():
                        return  # it was ended with the server
                    self._require_connection()
                    if self._is_over_without_agent():
                        return
                    agent = self._executor.agent()
                    lines = agent.start(self._spec, seen=self._seen, is_new=is_new and not self._has_begun())
                elif self._take(line):
                    return

    def _take(self, line: Mapping[str, Any]) -> bool:
        """Whether the job has ended. Raises its error."""
        for news in line.get("news", ()):
            self._seen += 1
            with self._writing:
                self._tell(news)
        if "lost" in line:
            if self._is_over():
                return True
            raise WorkerLost(line["lost"])
        if (ended := line.get("ended")) is None:
            return False
        how, why = ended
        if how == "superseded":
            raise Superseded(self._spec.id, self._spec.attempt, self._spec.attempt + 1)
        if how == "stopped":
            raise Stopped(why)
        if how == "failed":
            raise JobFailed(why)
        return True

    def _require_connection(self) -> None:
        """Raises JobFailed for a worker that has not begun, of which agent after agent ended."""
        self._ends += 1
        if self._ends >= _ENDS and not self._has_begun():
            raise JobFailed(
                "The process that talks to the Ray cluster ended again and again. See logs/ray-agent.log in the home, "
                "and whether the port of TUNIXRT_EXECUTOR is that of the head."
            )

    def _is_over_without_agent(self) -> bool:
        """Whether the folder says so, after the agent ended. Raises WorkerLost where it shows no life of the worker."""
        log.warning("%s: the agent of the Ray cluster ended; it is started again.", self._spec.id)
        self._executor.closing.wait(_AGAIN_SECONDS)
        self._tell({}) if self._spec.kind != "export" else None
        if self._is_over():
            return True
        state = self._state()
        if state is None or state.status is RunStatus.INTERRUPTED:
            raise WorkerLost("The Ray cluster was lost, and with it its worker.")
        return False

    def _is_over(self) -> bool:
        """Whether the folder shows that the job ended by itself. Raises Superseded where it was started again."""
        self._catch_up()
        state = self._state()
        if state is not None and state.attempt > self._spec.attempt:
            raise Superseded(self._spec.id, self._spec.attempt, state.attempt)
        return state is not None and state.status.over and state.status is not RunStatus.INTERRUPTED

    def _has_begun(self) -> bool:
        state = self._state()
        return state is not None and state.owner == self._executor.owner(self._spec)

    def _state(self) -> RunState | EvalState | None:
        folder = Path(self._spec.body["folder"])
        try:
            if self._spec.kind == "train":
                return RunDir(folder).state()
            return EvalDir(folder).state() if self._spec.kind == "evaluate" else None
        except NotFound:
            return None

    def _pass_on_stop(self, agent: AgentProcess) -> None:
        """By the stop file, which a worker that has begun notices. An export cannot be stopped. Raises Stopped."""
        if self._asked_to_stop or self._spec.kind == "export":
            return
        if not self._has_begun():
            agent.drop(self._spec)
            raise Stopped("Stopped before a worker of the Ray cluster had begun.")
        (Path(self._spec.body["folder"]) / "stop").touch()
        self._asked_to_stop = True

    def beat(self) -> None:
        """Nothing once the worker has begun, which shows its own life."""
        folder = Path(self._spec.body["folder"])
        with self._writing:
            if self._spec.kind == "train":
                RunDir(folder).beat()
            elif self._spec.kind == "evaluate":
                EvalDir(folder).beat()
