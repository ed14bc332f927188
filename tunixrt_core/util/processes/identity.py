"""Identity of a process, safe against reused numbers."""

from __future__ import annotations

import os
from pathlib import Path


def this_process() -> str:
    """A name for this process: its number, its start time in clock ticks and the boot it belongs to."""
    return f"{os.getpid()}:{_started(os.getpid())}:{_boot()}"


def process_alive(name: str) -> bool:
    """Whether the process named by `this_process` still runs on this machine."""
    pid, _, rest = name.partition(":")
    if not pid.isascii() or not pid.isdigit() or len(pid) > 9:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs as another user
    return rest == f"{_started(int(pid))}:{_boot()}"


def resident_bytes(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Memory that a process holds in bytes; None if the system does not report it, or the process is gone."""
    try:
        return int((proc / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _started(pid: int) -> str:
    try:
        # field 22 of stat(5); the command in brackets may itself hold spaces and brackets
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""  # not Linux: the number alone must suffice


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
