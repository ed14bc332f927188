"""What a worker process may be given to run: functions that hang, crash, swallow memory, or behave."""

from __future__ import annotations

import os
import time


def misbehave(given: str, reference: str) -> str:
    """Does what the first text says, a backslash before it aside; answers `right` to all else."""
    given = given.removeprefix("\\")
    if given == "loop":
        while True:
            pass
    if given == "sleep":
        time.sleep(600)
    if given == "die":
        os._exit(1)
    if given == "raise":
        raise ZeroDivisionError("a bug")
    if given == "eat":
        eaten = []
        while True:
            eaten.append(bytearray(16 << 20))
    if given == "print":
        print("this must not be taken for an answer")
    return f"right {os.getpid()}" if given == "who" else "right"
