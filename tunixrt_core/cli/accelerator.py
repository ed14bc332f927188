"""Waiting for the accelerator, and signals while a command holds it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from tunixrt_core.cli.show.terminal import err
from tunixrt_core.util.processes.terminals import leave_terminals, terminals_of_this_process

if TYPE_CHECKING:
    from tunixrt_core.pipeline.foreground import Foreground, Work
    from tunixrt_core.runs.folder import RunDir
    from tunixrt_core.training.stop import StopRequest

Checkpoint = Annotated[
    str,
    typer.Option(help="Checkpoint to load: last, best (lowest eval loss), or the train step of a saved checkpoint."),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another process of this home holds the accelerator.")]


@contextmanager
def accelerator(here: Foreground, folder: RunDir, work: Work, wait: bool) -> Iterator[None]:
    """Hold the accelerator within the block. Raises Conflict if another process holds it and waiting is not allowed."""
    told: list[str] = []

    def waiting(holder: str) -> None:
        if not told:
            err.print(f"Waiting for {holder}.")
        told.append(holder)

    with here.hold(folder, work, wait=wait, on_wait=waiting):
        yield


@contextmanager
def stop_at_signals(stop: StopRequest) -> Iterator[list[int]]:
    """Within the block, SIGINT, SIGTERM and SIGHUP request a stop. Yields the exit codes of the signals received.

    SIGHUP comes when a terminal closes or an SSH connection drops; under nohup it stays ignored.
    """
    codes: list[int] = []
    terminals = terminals_of_this_process()

    def handle(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            leave_terminals(terminals)
        codes.append(128 + number)
        stop.ask(f"Stopped by {name}; resume continues from the checkpoint.")
        err.print(f"{name}: stopping; finished work is kept.")

    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield codes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
