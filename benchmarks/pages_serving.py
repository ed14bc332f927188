"""A dashboard process for the page benchmarks that records each script run's time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.first_page import cpu_seconds, wait_for  # noqa: E402


@dataclass
class Server:
    """A running server and its records."""

    process: subprocess.Popen[bytes]
    url: str
    times: Path

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process.pid)

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * 4096 / 1e6

    def runs(self) -> list[dict[str, Any]]:
        """One entry per script run: whether it was a fragment only, wall and CPU milliseconds of its thread."""
        return [json.loads(line) for line in self.times.read_text().splitlines()] if self.times.exists() else []


@contextlib.contextmanager
def serving(
    folder: Path, *, home: Path | None = None, script: Path | None = None, timed: bool = True
) -> Iterator[Server]:
    """The dashboard over a home, or a Streamlit script under the same options, with a home or without.

    `timed` records each run of a script, which takes some of the measured time.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    what = [*(["--home", str(home)] if home else []), *(["--script", str(script)] if script else [])]
    times = folder / f"times-{port}.jsonl"
    command = [sys.executable, __file__, "--port", str(port), *(["--times", str(times)] if timed else []), *what]
    environ = {**os.environ, **({"TUNIXRT_HOME": str(home)} if home else {})}
    with (folder / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/_stcore/health", process)
        yield Server(process, url, times)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    for name in ("--port", "--times", "--home", "--script"):
        parser.add_argument(name)
    options = parser.parse_args()
    if options.times:
        write_down_runs(Path(options.times))
    from app.server.server import serve, streamlit_config
    from app.server.theme_message import send_theme_from_memory
    from tunixrt_core.settings import Settings

    settings = Settings.from_env({**os.environ, "TUNIXRT_PORT": options.port, "TUNIXRT_HOME": options.home or "unused"})
    if options.script is None:
        serve(settings, auth=False, on_start=lambda address: None)
    else:
        from streamlit.starlette import App

        if options.home:  # the dashboard's frame is served like the dashboard
            send_theme_from_memory()
        App(Path(options.script)).run(config={**streamlit_config(settings), "server.enableStaticServing": False})


def write_down_runs(times: Path) -> None:
    """Wrap the function that Streamlit calls for each run of a script or a fragment."""
    from streamlit.runtime.scriptrunner.script_runner import ScriptRunner

    original = ScriptRunner._run_script
    file = times.open("a", buffering=1)

    def timed(self: Any, rerun_data: Any) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            original(self, rerun_data)
        finally:
            line = {
                "fragment": bool(rerun_data.fragment_id_queue or rerun_data.fragment_id),
                "wall": 1000 * (time.perf_counter() - wall),
                "cpu": 1000 * (time.thread_time() - cpu),
            }
            file.write(json.dumps(line) + "\n")

    ScriptRunner._run_script = timed


if __name__ == "__main__":
    main()
