"""The address of a Ray cluster, and whether it lets us in."""

from __future__ import annotations

import importlib.util
import math
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tunixrt_core.errors import InvalidInput, InvalidSettings, InvalidSlice, JobFailed
from tunixrt_core.training.ahead.slices import Slice, find_slice

_SECONDS = 10.0  # that the head has for an answer
_ACCELERATORS = {  # Ray's names of the chips: ray.util.accelerators
    "v4": "TPU-V4",
    "v5e": "TPU-V5LITEPOD",
    "v5p": "TPU-V5P",
    "v6e": "TPU-V6E",
    "7x": "TPU-V7X",
}
_NUMBERS = {"cpus": 1.0, "gpus": 0.0, "tpus": 0.0, "jobs": 1.0, "samplers": 1.0, "builders": 4.0, "dashboard": 8265.0}


@dataclass(frozen=True, slots=True)
class Cluster:
    """`ray://head:6379?cpus=4&gpus=1&jobs=2`: where the head is, what one job takes, and how many are done at a time.

    `samplers` are the workers of one evaluation, each of which takes as much as a job, as do the processes that do one
    training together. `slice` is a TPU slice, such as `v6e-16`, of which a job takes a host and a training of several
    processes all; with `train` "jax" Ray Train's JaxTrainer starts the processes, as it does in such a slice.
    `builders` are the CPUs that check the traces of one dataset build; with 0 it stays in its own process.
    `dashboard` is the port of Ray's own dashboard, which is asked whether the token is right.
    """

    host: str
    port: int
    cpus: float
    gpus: float
    tpus: float
    jobs: int
    samplers: int
    builders: int
    dashboard: int
    slice: Slice | None = None
    train: str = "actors"

    @classmethod
    def parse(cls, address: str) -> Cluster:
        """Raises InvalidSettings."""
        found = urlsplit(address)
        given = dict(parse_qsl(found.query, keep_blank_values=True))
        slice_ = _slice(given)
        train = given.pop("train", "actors" if slice_ is None or slice_.hosts == 1 else "jax")
        numbers = {name: _number(name, given.pop(name, default)) for name, default in _NUMBERS.items()}
        try:
            port = found.port
        except ValueError as error:
            raise InvalidSettings(f"TUNIXRT_EXECUTOR: {error}. {_EXAMPLE}") from None
        if found.scheme != "ray" or not found.hostname or port is None or given:
            raise InvalidSettings(f"TUNIXRT_EXECUTOR: {address!r} is not the address of a Ray cluster. {_EXAMPLE}")
        jobs, samplers = (max(1, int(numbers.pop(name))) for name in ("jobs", "samplers"))
        builders, dashboard = (int(numbers.pop(name)) for name in ("builders", "dashboard"))
        if train not in ("actors", "jax") or (train == "jax" and numbers["gpus"]):
            raise InvalidSettings(f"TUNIXRT_EXECUTOR: train={train} is not actors, or jax without gpus. {_EXAMPLE}")
        return cls(
            found.hostname,
            port,
            **numbers,
            jobs=jobs,
            samplers=samplers,
            builders=builders,
            dashboard=dashboard,
            slice=slice_,
            train=train,
        )

    @property
    def is_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost")

    @property
    def takes(self) -> dict[str, float]:
        """What one process takes of a machine, as of Ray's resources."""
        given = {"CPU": self.cpus, "GPU": self.gpus, "TPU": self.tpus}
        return {name: number for name, number in given.items() if number}

    def processes(self, asked: int | None) -> int:
        """How many processes train a run that requests `asked`: by default one, or one per host of the slice.

        Raises InvalidInput for another number than that of the hosts.
        """
        if self.slice is None:
            return asked or 1
        if asked not in (None, self.slice.hosts):
            raise InvalidInput(f"processes: {asked}, and {self.slice.name} has {self.slice.hosts} hosts. Leave it out.")
        return self.slice.hosts

    def to_dict(self, storage: str) -> dict[str, Any]:
        """What the agent needs, for JSON. `storage`: the folder for what Ray Train writes."""
        return {
            "host": self.host,
            "port": self.port,
            "takes": self.takes,
            "samplers": self.samplers,
            "jax_trainer": {**self._topology(), "storage_path": storage} if self.train == "jax" else None,
        }

    def _topology(self) -> dict[str, str | None]:
        """The slice, as Ray's JaxTrainer is told of it; its values are None without one."""
        if self.slice is None:
            return {"topology": None, "accelerator_type": None}
        topology = self.slice.topology.partition(":")[2]
        return {"topology": topology, "accelerator_type": _ACCELERATORS[self.slice.chip.name]}


def _slice(given: dict[str, str]) -> Slice | None:
    """The slice of an address, which says in its place how many chips a process takes. Raises InvalidSettings."""
    if (name := given.pop("slice", None)) is None:
        return None
    if "tpus" in given:
        raise InvalidSettings("TUNIXRT_EXECUTOR: slice and tpus. Leave tpus out: the slice says how many.")
    try:
        found = find_slice(name)
    except InvalidSlice as error:
        raise InvalidSettings(f"TUNIXRT_EXECUTOR: {error}") from None
    given["tpus"] = str(found.chips // found.hosts)
    return found


_EXAMPLE = "Write one such as ray://10.0.0.2:6379?gpus=1."


def _number(name: str, text: str | float) -> float:
    """What an address says of one name. Raises InvalidSettings."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:  # also false for nan
        raise InvalidSettings(f"TUNIXRT_EXECUTOR: {name}={text} is not a number of at least 0. {_EXAMPLE}")
    return number


def require_token_mode(environ: Mapping[str, str]) -> None:
    """Raises InvalidSettings where the processes of Ray would not ask for a token."""
    if environ.get("RAY_AUTH_MODE") != "token":
        raise InvalidSettings(
            "TUNIXRT_EXECUTOR: a Ray cluster without a token runs the code of anyone who reaches its ports. Start its "
            "nodes and this server with RAY_AUTH_MODE=token, and with the token of `ray get-auth-token --generate` in "
            "RAY_AUTH_TOKEN_PATH."
        )


def require_ray() -> None:
    """Raises InvalidSettings where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise InvalidSettings("TUNIXRT_EXECUTOR: Ray is not installed. Install it with: pip install 'tunix-rt[ray]'")


def require_entry(cluster: Cluster, environ: Mapping[str, str] = os.environ) -> None:
    """Ask the head whether it lets us in, as a driver with a wrong token waits without saying why. Raises JobFailed."""
    request = urllib.request.Request(f"http://{cluster.host}:{cluster.dashboard}/api/jobs/")
    if token := _token(environ):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=_SECONDS):
            return
    except urllib.error.HTTPError as error:
        raise JobFailed(_refusal(cluster, error.code)) from None
    except OSError as error:
        raise JobFailed(
            f"The Ray cluster at {cluster.host}:{cluster.dashboard} does not answer ({error}). Start its head with "
            "`ray start --head`, or correct TUNIXRT_EXECUTOR."
        ) from None


def _refusal(cluster: Cluster, status: int) -> str:
    if status == 401:
        return (
            f"The Ray cluster at {cluster.host} requests a token, and this server has none. Set RAY_AUTH_TOKEN_PATH to "
            "the file with the token of the cluster."
        )
    if status == 403:
        return (
            f"The Ray cluster at {cluster.host} refuses the token of this server. Put the token of the cluster into "
            "the file of RAY_AUTH_TOKEN_PATH."
        )
    return f"The Ray cluster at {cluster.host} answers with HTTP status {status}. See the logs of its head."


def _token(environ: Mapping[str, str]) -> str:
    """As Ray finds it: the variable, the file of the other one, or that of the user."""
    if found := environ.get("RAY_AUTH_TOKEN"):
        return found
    path = environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return (Path(path) if path else Path.home() / ".ray" / "auth_token").read_text().strip()
    except OSError:
        return ""
