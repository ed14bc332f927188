"""Operations of a home in processes that are killed with SIGKILL at a chosen write.

`python -m tests.helpers.machines.killed` imports once what the operations need, and forks for each line of its standard
input: a JSON object with home, operation, its words, and when to kill.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.conftest import REPOSITORY

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class KilledOperations:
    """A process that forks one process per operation. `trained` is the backend: `fake` or `tunix`."""

    def __init__(self, trained: str) -> None:
        self._trained = trained

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.helpers.machines.killed", self._trained]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True, bufsize=1
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # between two operations it does nothing
        self._process.communicate()

    def run(self, home: Path, operation: str, words: Mapping[str, Any], *, at: int, later_ms: int = 0) -> bool:
        """Do an operation in a process that is killed `later_ms` after its write number `at` in the home.

        Whether it was killed: an operation with fewer writes ends by itself. Raises AssertionError where that failed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = {"home": str(home), "operation": operation, "words": dict(words), "at": at, "later_ms": later_ms}
        self._process.stdin.write(json.dumps(line) + "\n")
        told = json.loads(self._process.stdout.readline())
        assert told["signal"] in (0, signal.SIGKILL), told
        assert told["signal"] or told["code"] == 0, f"{operation} {words} failed; see standard error"
        return bool(told["signal"])


def kill_at(home: Path, at: int, later_ms: int) -> None:
    """Kill this process `later_ms` after its write number `at` in the home: opens for writing, renames, removals."""
    count = 0
    lock = threading.Lock()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if not _changes(event, arguments, str(home)):
            return
        with lock:
            count += 1
            due = count == at
        if due and later_ms:
            threading.Timer(later_ms / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
        elif due:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[Any, ...], home: str) -> bool:
    if event == "open":
        path, mode, flags = arguments
        writes = bool(flags & _WRITES) if mode is None else any(letter in mode for letter in "wax+")
        return writes and str(path).startswith(home)
    return event in _CHANGES and str(arguments[0]).startswith(home)


def _fork(line: Mapping[str, Any], trained: str) -> dict[str, int]:
    from tests.helpers.machines.home_operations import do, open_home_with

    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            home = Path(line["home"])
            with open_home_with(home, trained) as rt:
                kill_at(home, line["at"], line["later_ms"])
                do(rt, line["operation"], **line["words"])
            code = 0
        finally:
            sys.stderr.flush()
            if code:
                import traceback

                traceback.print_exc()
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return {"signal": status & 0x7F, "code": os.waitstatus_to_exitcode(status)}


def main(trained: str) -> None:
    """Fork for each line of standard input, and say how it ended."""
    from tests.helpers.machines import home_operations

    home_operations.load(trained)
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line), trained)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
