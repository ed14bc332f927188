"""Standard streams of a process whose terminal may close."""

from __future__ import annotations

import os


def terminals_of_this_process() -> tuple[int, ...]:
    """Which of the three standard streams are terminals. Ask before one closes: afterwards it is none."""
    return tuple(number for number in range(3) if os.isatty(number))


def leave_terminals(numbers: tuple[int, ...]) -> None:
    """Lead these streams nowhere: to write to a terminal that has closed is an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(nowhere, number)
    os.close(nowhere)
