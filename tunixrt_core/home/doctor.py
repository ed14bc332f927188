"""Checks of this machine, each with what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from platform import python_version
from typing import Literal

from tunixrt_core import __version__
from tunixrt_core.errors import TunixRTError
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.settings import Settings
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import open_store
from tunixrt_core.training.estimates.memory import byte_words
from tunixrt_core.tunix_backend import availability
from tunixrt_core.util.host import gpus, host_info

_LOW_DISK = 2 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """`bad` stops work, `warn` limits it."""

    state: Literal["ok", "warn", "bad"]
    name: str
    detail: str


def checks(settings: Settings) -> Iterator[Check]:
    """Run every check in order. Opens the database, imports neither jax nor tunix."""
    yield Check("ok", "Tunix RT", f"{__version__}, Python {python_version()}")
    if availability.is_tunix_available():
        yield Check("ok", "Tunix", f"{availability.tunix_version()}, JAX {availability.jax_version()}")
    else:
        yield Check("warn", "Tunix", f"not installed; training and generation need it: {availability.INSTALL}")
    host = host_info(settings.home)
    yield Check("ok", "Device", f"{host.device}, {host.cores} cores, {host.memory_bytes / 2**30:.1f} GiB of memory")
    if host.device == "GPU":
        yield _gpus()
    yield _home(settings)
    low = host.disk_free_bytes < _LOW_DISK
    yield Check("warn" if low else "ok", "Disk", f"{host.disk_free_bytes / 2**30:.1f} GiB free for {settings.home}")
    yield _database(settings)


def _gpus() -> Check:
    named = ", ".join(f"{gpu.name} with {byte_words(gpu.memory_bytes)}" for gpu in gpus(os.environ))
    if named:
        return Check("ok", "GPU", named)
    return Check("warn", "GPU", "nvidia-smi lists none that may be used here: its memory is unknown beforehand")


def _home(settings: Settings) -> Check:
    try:
        RunDir(settings.home).create()
    except TunixRTError as error:
        return Check("bad", "Home", str(error))
    return Check("ok", "Home", str(settings.home))


def _database(settings: Settings) -> Check:
    try:
        store = open_store(settings.database_url, home=settings.home)
        traces = store.traces.count(TraceQuery())
        store.close()
    except TunixRTError as error:
        return Check("bad", "Database", str(error))
    kind = settings.database_url.partition(":")[0].partition("+")[0]
    return Check("ok", "Database", f"{kind}, {traces:,} traces")
