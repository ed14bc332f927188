"""The processes that compare answers with math-verify.

math-verify hangs on some inputs whatever timeout it is given, and its own timeout is a signal that only works in a main
thread.
"""

from __future__ import annotations

from tunixrt_core.util.processes.pool import WorkerPool

TARGET = "tunixrt_core.traces.answers.math_verify:verdict"


class VerifyPool(WorkerPool):
    """A WorkerPool for pairs of answers: `right`, `wrong` or `unparsable`, or how the process of a pair ended."""

    def __init__(
        self, *, target: str = TARGET, workers: int | None = None, seconds: float = 5.0, megabytes: int = 1024
    ) -> None:
        super().__init__(target, workers=workers, seconds=seconds, megabytes=megabytes)
