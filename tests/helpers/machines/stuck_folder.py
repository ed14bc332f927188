"""A network folder that is stuck: a real FUSE mount whose server never answers, so that no call on it returns."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DETACH = 2


@contextmanager
def stuck_folder(path: Path) -> Iterator[Path]:
    """While inside, every call on the path waits forever. Skips the test where this user may not mount one."""
    libc = ctypes.CDLL(None, use_errno=True)
    path.mkdir(parents=True)
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"a stuck folder needs FUSE ({error})")
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"stuck", os.fsencode(path), b"fuse", 0, options):
        os.close(server)
        pytest.skip(f"a stuck folder cannot be mounted here ({os.strerror(ctypes.get_errno())})")
    try:
        yield path
    finally:
        os.close(server)  # wakes all that wait
        libc.umount2(os.fsencode(path), _DETACH)
