"""Compilations are counted where they happen, and kept for the next start."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import COMPILED, REPOSITORY

pytestmark = pytest.mark.tunix


def test_only_the_named_function_of_the_own_thread_is_counted() -> None:
    import jax
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.train.reporting.compiles import CompileCounter

    def step(x: jax.Array) -> jax.Array:
        return x * 3 + 1

    def other(x: jax.Array) -> jax.Array:
        return x * 5 + 1

    compiled = jax.jit(step)
    with CompileCounter("step") as counter:
        compiled(jnp.ones(3)), compiled(jnp.zeros(3)), jax.jit(other)(jnp.ones(3))
        assert counter.count == 1
        assert 0 < (once := counter.seconds) < 10
        compiled(jnp.ones(4))
        assert counter.count == 2
        assert counter.seconds > once
        elsewhere = threading.Thread(target=lambda: compiled(jnp.ones(5)))
        elsewhere.start()
        elsewhere.join()
        assert counter.count == 2
    compiled(jnp.ones(6))
    assert counter.count == 2


def hits(folder: Path, **environ: str) -> int:
    """How many programs a new process finds compiled, which asks for them to be kept in `folder`."""
    code = (
        "import pathlib, jax; from tunixrt_core.tunix_backend.train.reporting.compiles import keep_compiled;"
        f"keep_compiled(pathlib.Path({str(folder)!r}));"
        "hits = []; jax.monitoring.register_event_listener(lambda e, **k: hits.append(e) if 'cache_hits' in e else 0);"
        "jax.jit(lambda x: x * 2 + 1)(1.0); print(len(hits))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, COMPILED: "", **environ},
        check=True,
    )
    return int(done.stdout.splitlines()[-1])


def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    assert hits(tmp_path / "compiled") == 0
    assert hits(tmp_path / "compiled") > 0


def test_what_is_compiled_is_kept_where_the_variable_of_jax_says(tmp_path: Path) -> None:
    shared = {COMPILED: str(tmp_path / "shared")}
    assert hits(tmp_path / "one", **shared) == 0
    assert hits(tmp_path / "two", **shared) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]
