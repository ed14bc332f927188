"""The request that ends a training, an evaluation or an export early."""

from __future__ import annotations

import threading


class StopRequest(threading.Event):
    """The stop event of a run that also says why: for the run's message."""

    why = ""

    def ask(self, why: str) -> None:
        """Set it; of several reasons the first one counts."""
        self.why = self.why or why
        self.set()
