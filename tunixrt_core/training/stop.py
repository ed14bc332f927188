"""The request that ends a training, an evaluation or an export early."""

from __future__ import annotations

import threading


class StopRequest(threading.Event):
    """The stop event of a run, with the reason for the run's message."""

    why = ""

    def ask(self, why: str) -> None:
        """Set the event; the first of several reasons is kept."""
        self.why = self.why or why
        self.set()
