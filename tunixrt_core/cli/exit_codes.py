"""Exit codes of the `tunixrt` command and their meanings."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    SUCCESS = 0
    FAILURE = 1  # an error, or a negative result
    USAGE = 2
    WORSE = 3
    RETRY = 75  # EX_TEMPFAIL of sysexits.h
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class Meaning(NamedTuple):
    """One row of the table in the documentation."""

    code: ExitCode
    meaning: str
    commands: tuple[str, ...]  # those that can exit with it for this reason; empty: all


_TRAINING = ("train", "runs resume", "runs clone --start")

MEANINGS: tuple[Meaning, ...] = (
    Meaning(ExitCode.SUCCESS, "success; also when the reader of a pipe, such as `head`, has ended", ()),
    Meaning(ExitCode.FAILURE, "error: one sentence on standard error says what is wrong and how to fix it", ()),
    Meaning(ExitCode.FAILURE, "rows were rejected (`ingest` stored the others)", ("ingest", "doctor data")),
    Meaning(ExitCode.FAILURE, "rows were rejected, or no row is left to ask", ("doctor eval",)),
    Meaning(ExitCode.FAILURE, "a check failed", ("doctor",)),
    Meaning(ExitCode.FAILURE, "a finding blocks the run", ("preflight",)),
    Meaning(ExitCode.FAILURE, "the base model is another one than the run was trained on", ("runs base",)),
    Meaning(ExitCode.FAILURE, "a train step does not fit into the memory", ("memory", "slices")),
    Meaning(ExitCode.FAILURE, "the database is damaged", ("db check",)),
    Meaning(ExitCode.FAILURE, "the run failed; its log holds the reason", _TRAINING),
    Meaning(ExitCode.FAILURE, "the server cannot start: the port is taken, the database cannot be opened", ("serve",)),
    Meaning(ExitCode.USAGE, "wrong usage: unknown command or option, missing argument, value out of range", ()),
    Meaning(ExitCode.USAGE, "a wrong setting: an option or a `TUNIXRT_` variable", ("serve",)),
    Meaning(ExitCode.WORSE, "the model is worse than its baseline", ("evaluate --fail-if-worse",)),
    Meaning(ExitCode.RETRY, "the accelerator, the run or the database is busy; try the same command again later", ()),
    Meaning(
        ExitCode.HUNG_UP,
        "the terminal closed (SIGHUP); stopped after the current train step, with a checkpoint",
        _TRAINING,
    ),
    Meaning(ExitCode.INTERRUPTED, "stopped by Ctrl-C (SIGINT)", ()),
    Meaning(ExitCode.INTERRUPTED, "stopped by Ctrl-C; nothing of the file is stored", ("ingest",)),
    Meaning(ExitCode.INTERRUPTED, "stopped by Ctrl-C after the current train step, with a checkpoint", _TRAINING),
    Meaning(ExitCode.INTERRUPTED, "stopped by Ctrl-C or SIGTERM; finished answers are kept", ("evaluate", "ask")),
    Meaning(ExitCode.TERMINATED, "stopped by SIGTERM after the current train step, with a checkpoint", _TRAINING),
)


def markdown_table() -> str:
    """The table of the documentation, in Markdown."""
    rows = (
        f"| {int(row.code)} | {row.meaning} | {', '.join(f'`{name}`' for name in row.commands) or 'all'} |"
        for row in MEANINGS
    )
    return "\n".join(("| code | meaning | commands |", "|---|---|---|", *rows))
