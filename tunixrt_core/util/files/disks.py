"""Disks that do not answer: whether the file that a user names can be waited for.

A system call on a network folder that is stuck does not return, and no thread can be taken back from it. So such a path
is first looked at by a process that can be killed. Where all mounted disks are local, nothing can be stuck.
"""

from __future__ import annotations

import atexit
import os
import stat
import threading
import time
from pathlib import Path

from tunixrt_core.errors import UnreadableFile

SECONDS = 5.0
_REMEMBERED = 30.0  # seconds; a page that asks again meanwhile does not wait again
_MOUNTS = Path("/proc/self/mountinfo")
_LOCAL = frozenset(
    {
        *("bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "nilfs2", "ntfs3"),
        *("overlay", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "udf", "vfat", "xfs", "zfs"),
        *(
            "binfmt_misc",
            "bpf",
            "cgroup",
            "cgroup2",
            "configfs",
            "debugfs",
            "devpts",
            "devtmpfs",
            "efivarfs",
            "fusectl",
        ),
        *("hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "securityfs", "selinuxfs", "sysfs", "tracefs"),
    }
)

_lock = threading.Lock()
_pool: list[object] = []
_stuck: dict[str, float] = {}  # path -> until when it is not asked again


def require_answer(path: Path) -> None:
    """Raises UnreadableFile where the disk of a path does not answer within SECONDS. A missing path is an answer."""
    if not any_remote():
        return
    name = os.path.abspath(path)
    if not _known_stuck(name):
        if _ask(name) not in ("timeout", "crash"):
            _stuck.pop(name, None)
            return
        _stuck[name] = time.monotonic() + _REMEMBERED
    raise UnreadableFile(
        f"{path} does not answer within {SECONDS:g} s: the network folder that it is in is stuck. Check its mount, or "
        "name a file on another disk."
    )


def _known_stuck(name: str) -> bool:
    """Whether the path, or a folder above it, did not answer a moment ago."""
    now, within = time.monotonic(), os.path.join(name, "")
    return any(until > now and within.startswith(os.path.join(one, "")) for one, until in [*_stuck.items()])


def answers(path: Path) -> bool:
    """Whether the disk of a path answers, as of `require_answer`."""
    try:
        require_answer(path)
    except UnreadableFile:
        return False
    return True


def any_remote(mounts: Path = _MOUNTS) -> bool:
    """Whether a file system is mounted that another machine or program answers for, such as NFS, SMB or FUSE."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True  # not Linux: unknown
    kinds = (line.partition(" - ")[2].partition(" ")[0] for line in lines)
    return any(kind not in _LOCAL for kind in kinds)


def look(path: str, _: str) -> str:
    """In a process of its own: touch a path as its reader will. `there`, or the reason why it cannot be read."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            with os.scandir(path) as entries:
                next(entries, None)
        elif stat.S_ISREG(mode):
            handle = os.open(path, os.O_RDONLY)
            os.read(handle, 1)
            os.close(handle)
    except (OSError, ValueError) as error:
        return str(error)
    return "there"


def _ask(name: str) -> str:
    from tunixrt_core.util.processes.pool import WorkerPool

    with _lock:
        if not _pool:
            pool = WorkerPool(f"{__name__}:look", workers=4, seconds=SECONDS, megabytes=64)
            atexit.register(pool.close)
            _pool.append(pool)
    found = _pool[0]
    assert isinstance(found, WorkerPool)
    return found.submit(name, "").result()
