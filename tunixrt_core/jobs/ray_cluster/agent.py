"""The process that holds the driver of Ray, for a server that must outlive it.

`python -m tunixrt_core.jobs.ray_cluster.agent` reads JSON lines and writes JSON lines. A driver ends with the head of
its cluster, and with it this process, of which the server starts another one: workers are detached and found by name.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from tunixrt_core.jobs.ray_cluster.several.machines import as_options
from tunixrt_core.jobs.ray_cluster.worker import Worker
from tunixrt_core.jobs.spec import JobSpec

_LOOK_SECONDS = 0.2


class Agent:
    """Starts, finds and follows the workers of one home. Made once the driver is connected."""

    def __init__(self, ray: Any, hello: Mapping[str, Any], out: TextIO) -> None:
        self._ray, self._hello, self._out = ray, hello, out
        self._jobs: dict[str, tuple[Any, int]] = {}  # id -> its actor, and how many news of it were sent
        self._asked: dict[Any, str] = {}  # a question for news that is not answered -> id

    def start(self, text: str, *, seen: int, is_new: bool) -> None:
        """Follow the worker of a job from its news number `seen`. One that is new gets a worker, unless it has one."""
        spec = JobSpec.from_json(text.encode())
        actor = self._find(spec, is_new)
        if actor is None and not is_new:
            self._say(id=spec.id, lost="Its worker on the Ray cluster is gone.")
            return
        self._jobs[spec.id] = actor or self._make(spec, text), seen
        self._ask(spec.id)

    def drop(self, job_id: str) -> None:
        """End the worker of a job that has ended, or is not to begin."""
        if found := self._jobs.pop(job_id, None):
            self._ray.kill(found[0])

    def look(self) -> None:
        """Send what workers have answered."""
        if not self._asked:
            return
        for ref in self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=_LOOK_SECONDS)[0]:
            job_id = self._asked.pop(ref)
            if job_id in self._jobs:
                self._take(job_id, ref)

    def _take(self, job_id: str, ref: Any) -> None:
        actor, seen = self._jobs[job_id]
        try:
            news, ended = self._ray.get(ref)
        except self._ray.exceptions.RayActorError as error:
            del self._jobs[job_id]
            self._say(id=job_id, lost=f"Its worker on the Ray cluster was lost ({str(error).splitlines()[0]}).")
            return
        self._jobs[job_id] = actor, seen + len(news)
        if news:
            self._say(id=job_id, news=news)
        if ended is None:
            self._ask(job_id)
            return
        how, why = ended
        self._say(id=job_id, **({"lost": why} if how == "lost" else {"ended": ended}))
        self.drop(job_id)  # here, as the server may end before it could ask for it

    def _ask(self, job_id: str) -> None:
        actor, seen = self._jobs[job_id]
        self._asked[actor.follow.remote(seen)] = job_id

    def _find(self, spec: JobSpec, is_new: bool) -> Any:
        """The actor of a job; of one that is new, another attempt's is ended."""
        try:
            actor = self._ray.get_actor(spec.id)
        except ValueError:
            return None
        if not is_new:
            return actor
        try:
            if self._ray.get(actor.attempt.remote(), timeout=5) == spec.attempt:
                return actor
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.GetTimeoutError):
            pass  # dead, or not begun: that of an earlier attempt
        self._ray.kill(actor)
        return None

    def _make(self, spec: JobSpec, text: str) -> Any:
        hello = self._hello
        owner = f"ray:{hello['namespace']}/{spec.id}#{spec.attempt}"
        # then its processes, or its samplers, take what a job takes
        is_apart = spec.processes > 1 or (spec.kind == "evaluate" and hello["samplers"] > 1)
        parts = {"takes": hello["takes"], "samplers": hello["samplers"], "jax_trainer": hello["jax_trainer"]}
        remote = self._ray.remote(Worker).options(
            name=spec.id,
            lifetime="detached",
            max_restarts=0,  # the queue decides on a resume
            max_concurrency=8,
            **({"num_cpus": 0} if is_apart else as_options(hello["takes"])),
        )
        return remote.remote(text.encode(), owner, hello["place"], parts if is_apart else None)

    def _say(self, **line: Any) -> None:
        print(json.dumps(line), file=self._out, flush=True)


def connect(hello: Mapping[str, Any]) -> Any:
    """The module of Ray, with a driver in the namespace of the home. Raises ConnectionError."""
    given: dict[str, Any] = {}
    if hello["host"] in ("127.0.0.1", "localhost"):
        # without it Ray replaces a loopback address by that of the network, where nothing listens
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        given["_node_ip_address"] = "127.0.0.1"
    import ray

    address = f"{hello['host']}:{hello['port']}"
    ray.init(address=address, namespace=hello["namespace"], log_to_driver=False, include_dashboard=False, **given)
    return ray


def main() -> None:
    """Connect, then do each line of standard input until its end; workers outlive this process."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no line for the server
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    hello = json.loads(sys.stdin.readline())
    agent = Agent(connect(hello), hello, out)
    print(json.dumps({"connected": True}), file=out, flush=True)

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        agent.look()
        try:
            line = lines.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            os._exit(0)  # the server has ended; nothing of Ray's is to be waited for
        told = json.loads(line)
        if "start" in told:
            agent.start(told["start"], seen=told["seen"], is_new=told["new"])
        else:
            agent.drop(told["drop"])


if __name__ == "__main__":
    main()
