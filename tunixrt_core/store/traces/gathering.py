"""Single inserts that share one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tunixrt_core.errors import StoreError, TunixRTError
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

_MOST = 500
_PATIENCE = 0.002  # seconds for callers that were just answered to come again; a wait for the disk takes as long


@dataclass(slots=True)
class _Slot:
    item: Trace | ScoredTrace
    new: bool | None = None
    error: TunixRTError | None = None
    called: threading.Event = field(default_factory=threading.Event)  # it is done, or it is to write next

    @property
    def done(self) -> bool:
        return self.new is not None or self.error is not None


class Gathering:
    """Hands what several threads bring to one `insert`, which says of each whether it was new.

    A thread that comes while another one writes waits. When that one is done, the first that waits writes all that have
    gathered, and gives those that were just answered a moment to come again: else half of many callers would always
    wait for the other half. Alone, a thread writes at once.
    """

    def __init__(self, insert: Callable[[Sequence[Trace | ScoredTrace]], list[bool]]) -> None:
        self._insert = insert
        self._gate = threading.Condition(threading.Lock())
        self._writing = False
        self._callers = 1  # that were there at the last write
        self._waiting: list[_Slot] = []

    def add(self, item: Trace | ScoredTrace) -> bool:
        """Whether it was new. Returns when it is on the disk; raises what the transaction raised."""
        slot = _Slot(item)
        with self._gate:
            self._waiting.append(slot)
            if self._all_here():
                self._gate.notify()
            writes, self._writing = not self._writing, True
        if not writes:
            slot.called.wait()
        if not slot.done:
            self._write()
        if slot.error is not None:
            raise slot.error
        return bool(slot.new)

    def _all_here(self) -> bool:
        return len(self._waiting) >= min(self._callers, _MOST)

    def _write(self) -> None:
        with self._gate:
            self._gate.wait_for(self._all_here, _PATIENCE)
            taken, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        try:
            for slot, new in zip(taken, self._insert([slot.item for slot in taken]), strict=True):
                slot.new = new
        except TunixRTError as error:
            for slot in taken:
                slot.error = error
        finally:
            # a bug, or the end of the process, must not leave the others waiting forever
            self._call(taken)

    def _call(self, taken: Sequence[_Slot]) -> None:
        with self._gate:
            self._callers = len(taken) + len(self._waiting)
            self._writing = bool(self._waiting)
            following = self._waiting[:1]
        for slot in taken:
            if not slot.done:
                slot.error = StoreError("The trace was not stored: the transaction that held it was broken off.")
        for slot in (*taken, *following):
            slot.called.set()
