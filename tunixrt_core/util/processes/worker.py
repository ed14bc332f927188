"""Worker process of a WorkerPool: one pair per line, one word back."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import sys
from collections.abc import Callable

import orjson

OUT_OF_MEMORY = 77  # the exit code that says so


def main(target: str, megabytes: int) -> None:
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    judge = _load(target)
    _limit(megabytes)
    answers.write(b"ready\n")
    for line in sys.stdin.buffer:
        given, reference = orjson.loads(line)
        answers.write(orjson.dumps(judge(given, reference)) + b"\n")


def _load(target: str) -> Callable[[str, str], str]:
    module, _, name = target.partition(":")
    found: Callable[[str, str], str] = getattr(importlib.import_module(module), name)
    return found


def _limit(megabytes: int) -> None:
    # on top of what is already mapped: libraries reserve address space that they never use
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm", encoding="ascii") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20),) * 2)


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # at once: an orderly end would need memory too
