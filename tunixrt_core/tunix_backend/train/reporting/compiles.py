"""Compilations of XLA, counted, and their cache folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
from jax import monitoring

_STAGES = "/jax/core/compile/"  # tracing, lowering and compiling each report their duration
_COMPILED = f"{_STAGES}backend_compile_duration"  # also reported for a program from the cache on disk


class CompileCounter:
    """Counts how often the thread that entered it compiles a function of this name (other functions are not counted),
    and the `seconds` that tracing, lowering and compiling it took.

    JAX calls every listener of the process, so the thread is checked.
    """

    def __init__(self, function: str) -> None:
        self.count = 0
        self.seconds = 0.0
        self._names = (function, f"jit({function})")
        self._thread = 0

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        monitoring.unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, seconds: float, *, fun_name: str = "", **_: Any) -> None:
        if fun_name in self._names and event.startswith(_STAGES) and threading.get_ident() == self._thread:
            self.seconds += seconds
            self.count += event == _COMPILED


def keep_compiled(directory: Path) -> None:
    """Keep compiled programs of any size and compile time in this directory, so that later starts are short.

    Where JAX's own variable JAX_COMPILATION_CACHE_DIR names another place, such as a bucket, they are kept there.
    """
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        directory.mkdir(parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
