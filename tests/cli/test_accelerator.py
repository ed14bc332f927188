"""Signals while a command holds the accelerator ask it to stop, a closed terminal too."""

from __future__ import annotations

import os
import pty
import signal

import pytest

from tunixrt_core.cli.accelerator import stop_at_signals
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util.processes.terminals import leave_terminals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_to_stop_and_gives_its_exit_code(number: signal.Signals) -> None:
    stop = StopRequest()
    before = signal.signal(number, signal.SIG_DFL)  # these tests may be under nohup, which a command obeys
    try:
        with stop_at_signals(stop) as codes:
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert codes == [128 + number]
    assert number.name in stop.why


def test_under_nohup_a_closed_terminal_asks_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_at_signals(StopRequest()) as codes:
            signal.raise_signal(signal.SIGHUP)
        assert codes == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_written_after_the_terminal_closed_goes_nowhere() -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    with pytest.raises(OSError, match="Input/output"):
        os.write(theirs, b"lost")
    leave_terminals((theirs,))
    assert os.write(theirs, b"nowhere") == 7
    os.close(theirs)
