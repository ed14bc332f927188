"""What the commands that work on the accelerator share: waiting for it, and being stopped while they hold it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from tunixrt_core.cli.show.terminal import err
from tunixrt_core.jobs.accelerator import Accelerator, Holder
from tunixrt_core.runs.record import RunDir
from tunixrt_core.settings import Settings
from tunixrt_core.training.execution import StopRequest

Checkpoint = Annotated[
    str, typer.Option(help="Weights to take: last, best (of the lowest eval loss), or a train step that was saved.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another process of this home holds the accelerator.")]


@contextmanager
def accelerator(settings: Settings, folder: RunDir, kind: str, wait: bool) -> Iterator[None]:
    """While inside, this process holds the accelerator. Raises Conflict where another does and it must not wait."""
    told: list[Holder | None] = []

    def waiting(holder: Holder | None) -> None:
        if not told:
            err.print(f"Waiting for {holder or 'another process'}.")
        told.append(holder)

    with Accelerator(settings.accelerator_lock).hold(folder.path.name, kind, wait=wait, on_wait=waiting):
        yield


@contextmanager
def stop_at_signals(stop: StopRequest) -> Iterator[list[int]]:
    """While inside, SIGINT and SIGTERM ask for a stop. Yields the exit codes of those that came."""
    codes: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        codes.append(128 + number)
        stop.ask(f"Stopped by {name}; resume goes on from the checkpoint.")
        err.print(f"{name}: stopping; what is done is kept.")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield codes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
