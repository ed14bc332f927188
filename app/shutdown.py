"""A server that was told to stop does so soon, even while a slow client holds a download open."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
log = logging.getLogger(__name__)

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def end_open_responses(grace: float) -> Iterator[None]:
    """While inside, a first SIGTERM or SIGINT is followed by SIGINT `grace` seconds later.

    uvicorn waits without limit for open responses after the first, and drops them at the second. Must be entered in
    the main thread, after uvicorn has set its own handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # a test client: nothing to wait for, and no signals here
        return
    force = threading.Timer(grace, _force)
    force.daemon = True
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def wrap(handler: Handler) -> Handler:
        def handle(number: int, frame: FrameType | None) -> None:
            if force.ident is None:
                force.start()
            handler(number, frame)

        return handle

    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, wrap(handler))
    try:
        yield
    finally:
        force.cancel()


def _force() -> None:
    log.warning("Downloads that were still under way are broken off.")
    # it would write a traceback for each of them
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
    os.kill(os.getpid(), signal.SIGINT)
