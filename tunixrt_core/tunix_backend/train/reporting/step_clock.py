"""Seconds of train steps, without compilations and pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StepClock:
    """Measures each train step from the end of the one before it, or of the pause after that.

    Tunix reports a train step after it has given the next one to the device, so it ends when its loss is available; a
    pause waits for the device first, and the train step ends then.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self._began: float | None = None  # when the work on the oldest unreported train step began
        self._compiled = 0.0  # seconds of compiling since then
        # of a pause since then: when the device had finished its work, and when the pause was over
        self._pause: tuple[float, float] | None = None

    def begin(self) -> None:
        """The device gets a micro-batch: the work on its train step begins, unless one is not reported yet."""
        if self._began is None:
            self._began = self._clock()

    def compiled(self, seconds: float) -> None:
        """A compilation took this long."""
        self._compiled += seconds

    @contextmanager
    def pause(self, pending: Callable[[], bool]) -> Iterator[None]:
        """The device is idle within the block. `pending`, asked at its end: whether a train step is to be reported."""
        idle = self._pause[0] if self._pause else self._clock()
        try:
            yield
        finally:
            if pending():
                self._pause = idle, self._clock()
            else:
                self._began = None

    def take(self) -> float:
        """Seconds of the train step that has just ended."""
        now = self._clock()
        idle, resumed = self._pause or (now, now)
        assert self._began is not None, "it is set when the device gets the first micro-batch"
        seconds = idle - self._began - self._compiled
        self._began, self._compiled, self._pause = resumed, 0.0, None
        return max(seconds, 1e-9)
