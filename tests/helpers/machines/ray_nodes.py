"""A Ray cluster of two nodes on this machine, which ends with its process.

`python -m tests.helpers.machines.ray_nodes` starts one on 127.0.0.1 in a process of its own and prints its ports. Each
line of its standard input is answered: `pids` by the processes of the cluster, `head` kills the one that knows of all
others.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.conftest import REPOSITORY

STORE_BYTES = 100 << 20
PATIENCE = 600.0  # seconds; a busy machine imports JAX in a minute

needs_ray = [
    pytest.mark.long,
    pytest.mark.tunix,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install tunix-rt[ray]"
    ),
]


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class RayNodes:
    """The cluster, with a token in a file. `environ` is what a server needs to use it."""

    def __init__(self, folder: Path) -> None:
        self.token_file = folder / "token"
        self.token_file.write_text("t" * 40)
        self.token_file.chmod(0o600)
        self.environ = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_file),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # 15 by default, which other tests on this machine starve
            "RAY_gcs_rpc_server_reconnect_timeout_s": "10",  # 60 by default, until a lost head is given up
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "JAX_PLATFORMS": "cpu",
        }
        self._log = (folder / "cluster.log").open("ab")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.machines.ray_nodes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
            cwd=REPOSITORY,
            env={**os.environ, **self.environ},
        )
        ports = self._line()
        self.address = f"ray://127.0.0.1:{ports['gcs']}?dashboard={ports['dashboard']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)
        self._log.close()

    def pids(self) -> list[int]:
        """All processes of the cluster."""
        return list(self._ask("pids"))

    def processes(self, title: str) -> list[int]:
        """Those whose title begins so, as Ray names its workers."""
        return [pid for pid in self.pids() if title_of(pid).startswith(title)]

    def kill_head(self) -> None:
        """Kill the process of the head that knows of all nodes and actors."""
        self._ask("head")

    def _ask(self, what: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def listening(pid: int) -> set[str]:
    """The addresses on which a process listens, in the hexadecimal form of /proc."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            name = os.readlink(file)
        except OSError:
            continue
        inodes |= {name[8:-1]} if name.startswith("socket:[") else set()
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].partition(":")[0])
    return found


def title_of(pid: int) -> str:
    """The command line of a process; empty of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> None:
    """Serve until the end of standard input, then end every process of the cluster by its number."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster

    import psutil  # isort: skip - comes with ray

    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "node_ip_address": "127.0.0.1"}
    gcs, dashboard = _free_port(), _free_port()
    head = {**node, "include_dashboard": True, "dashboard_port": dashboard, "gcs_server_port": gcs}
    cluster = Cluster(initialize_head=True, head_node_args={**head, "dashboard_host": "127.0.0.1"})
    cluster.add_node(**node, include_dashboard=False)

    def say(value: Any) -> None:
        print(json.dumps(value), file=out, flush=True)

    def processes() -> list[Any]:
        return psutil.Process().children(recursive=True)

    say({"gcs": gcs, "dashboard": dashboard})
    for line in sys.stdin:
        if line.strip() == "head":
            cluster.head_node.kill_gcs_server()
        say([each.pid for each in processes()])
    left = processes()
    cluster.shutdown()
    until = time.monotonic() + 5
    while time.monotonic() < until and any(each.is_running() for each in left):
        time.sleep(0.1)
    for each in left:
        if each.is_running():
            each.kill()


if __name__ == "__main__":
    main()
