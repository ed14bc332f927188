"""Prompt shutdown, even while a slow client downloads."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tunixrt_core.util.processes.terminals import leave_terminals, terminals_of_this_process

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
log = logging.getLogger(__name__)

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def end_open_responses(grace: float, *, last: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Context in which connections still open `grace` seconds after the first SIGTERM or SIGINT are closed.

    uvicorn waits without limit for open responses after the first signal. A second one makes it leave them, but from
    Python 3.12 on asyncio then waits for their connections, so these are cut too. Must be entered in the main
    thread, inside the event loop, after uvicorn has set its own handlers.

    A request whose thread is stuck cannot be ended that way: `last` is then called, and the process exits.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # a test client: no connections and no signals
        return
    force = threading.Timer(grace, _force, [asyncio.get_running_loop(), grace, last])
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


def exit_within(seconds: float) -> None:
    """Exit with 0 after a number of seconds, even if Python itself would wait for a thread that is stuck."""
    timer = threading.Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()


def outlive_terminal() -> None:
    """Continue when the terminal closes or an SSH connection drops (SIGHUP), without the terminal."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return  # started under nohup
    terminals = terminals_of_this_process()

    def handle(number: int, frame: FrameType | None) -> None:
        leave_terminals(terminals)
        log.warning("The terminal closed; the server continues. Stop it with: kill %d", os.getpid())

    signal.signal(signal.SIGHUP, handle)


def _end_stuck(last: Callable[[], object]) -> None:
    log.warning("A request did not end; the server exits without it.")
    try:
        last()
    finally:
        os._exit(0)


def _force(loop: asyncio.AbstractEventLoop, grace: float, last: Callable[[], object]) -> None:
    stuck = threading.Timer(2 * grace, _end_stuck, [last])
    stuck.daemon = True
    stuck.start()
    log.warning("Open downloads were aborted.")
    # it would write a traceback for each of them
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
    loop.call_soon_threadsafe(_cut_connections)
    os.kill(os.getpid(), signal.SIGINT)


def _cut_connections() -> None:
    # neither asyncio nor uvicorn hands out the connections of a server; this runs once, when the process ends
    for found in gc.get_objects():
        if isinstance(found, asyncio.WriteTransport):
            found.abort()
