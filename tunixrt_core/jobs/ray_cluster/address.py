"""The address of a Ray cluster, and whether it lets us in."""

from __future__ import annotations

import importlib.util
import math
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tunixrt_core.errors import InvalidSettings, JobFailed

_SECONDS = 10.0  # that the head has for an answer
_NUMBERS = {"cpus": 1.0, "gpus": 0.0, "tpus": 0.0, "jobs": 1.0, "samplers": 1.0, "builders": 4.0, "dashboard": 8265.0}


@dataclass(frozen=True, slots=True)
class Cluster:
    """`ray://head:6379?cpus=4&gpus=1&jobs=2`: where the head is, what one job takes, and how many are done at a time.

    `samplers` are the workers of one evaluation, each of which takes as much as a job. `builders` are the CPUs that
    check the traces of one dataset build; with 0 it stays in its own process.
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

    @classmethod
    def parse(cls, address: str) -> Cluster:
        """Raises InvalidSettings."""
        found = urlsplit(address)
        given = dict(parse_qsl(found.query, keep_blank_values=True))
        numbers = {name: _number(name, given.pop(name, default)) for name, default in _NUMBERS.items()}
        try:
            port = found.port
        except ValueError as error:
            raise InvalidSettings(f"TUNIXRT_EXECUTOR: {error}. {_EXAMPLE}") from None
        if found.scheme != "ray" or not found.hostname or port is None or given:
            raise InvalidSettings(f"TUNIXRT_EXECUTOR: {address!r} is not the address of a Ray cluster. {_EXAMPLE}")
        jobs, samplers = (max(1, int(numbers.pop(name))) for name in ("jobs", "samplers"))
        builders, dashboard = (int(numbers.pop(name)) for name in ("builders", "dashboard"))
        return cls(
            found.hostname, port, **numbers, jobs=jobs, samplers=samplers, builders=builders, dashboard=dashboard
        )

    @property
    def is_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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
