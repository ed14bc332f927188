"""Whether a Ray cluster has the machines for a training of several processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tunixrt_core.errors import Stopped
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus


class Machines(NamedTuple):
    """What is asked of a cluster, and what it has. `fitting` machines have enough, if all of it were free."""

    asked: int
    takes: Mapping[str, float]  # of each machine, by Ray's name of the resource
    alive: int
    fitting: int

    @classmethod
    def of(cls, nodes: Iterable[Mapping[str, Any]], takes: Mapping[str, float], asked: int) -> Machines:
        """`nodes`: as of `ray.nodes()`."""
        alive = [node["Resources"] for node in nodes if node["Alive"]]
        fitting = [has for has in alive if all(has.get(name, 0) >= number for name, number in takes.items())]
        return cls(asked, takes, len(alive), len(fitting))

    @property
    def are_enough(self) -> bool:
        """Whether they are there, free or not."""
        return self.fitting >= self.asked

    @property
    def why_it_waits(self) -> str:
        """A sentence for the run that waits."""
        each = " and ".join(f"{number:g} {name}" for name, number in self.takes.items())
        said = f"It waits for {_count(self.asked)} with {each} each."
        if self.are_enough:
            return f"{said} The Ray cluster has {self.fitting}, of which not enough are free."
        return (
            f"{said} The Ray cluster has {_count(self.alive)}, of which {self.fitting} with that. "
            "Add machines to the cluster, or stop the run and ask for less."
        )


def as_options(takes: Mapping[str, float]) -> dict[str, Any]:
    """What an actor takes of a machine, as options of Ray."""
    others = {name: number for name, number in takes.items() if name not in ("CPU", "GPU")}
    return {"num_cpus": takes.get("CPU", 0), "num_gpus": takes.get("GPU", 0), "resources": others}


def _count(machines: int) -> str:
    return f"{machines} machine{'s' if machines != 1 else ''}"


def require_wanted(spec: JobSpec) -> None:
    """Raises Stopped where a run that has not begun is to stop."""
    folder = RunDir(Path(spec.body["folder"]))
    if folder.stop_file.exists() and folder.state().status is RunStatus.QUEUED:
        raise Stopped("Stopped while it waited for machines of the Ray cluster.")
