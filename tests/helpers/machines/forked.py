"""Processes of their own that begin with JAX and Tunix imported: each is forked from one that imported them once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.conftest import REPOSITORY

FORKS = multiprocessing.get_context("forkserver")
# what a training imports; none of it starts a device, which would not survive a fork
FORKS.set_forkserver_preload(["tunixrt_core.tunix_backend.backend", "tunixrt_core.tunix_backend.train.sft"])


def start(function: Callable[..., None], *arguments: object, log: Path, **environ: str) -> ForkServerProcess:
    """Begin `function` in a new process, with these variables besides those of this one. It writes to `log`."""
    process = FORKS.Process(target=_begin, args=(function, arguments, str(log), {**os.environ, **environ}))
    process.start()
    return process


def end(process: ForkServerProcess, within: float) -> int:
    """Wait for it; its exit code, which is a negative number where a signal ended it."""
    process.join(within)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"the process is still at work after {within:.0f} s")
    return process.exitcode


def tunixrt_train(*arguments: object) -> None:
    """`tunixrt train` with these arguments, in the process that calls this."""
    from tunixrt_core.cli.main import main

    sys.argv = ["tunixrt", "train", *map(str, arguments)]
    main()


def _begin(function: Callable[..., None], arguments: tuple[object, ...], log: str, environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(REPOSITORY)
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    function(*arguments)
