"""A new directory that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from tunixrt_core.errors import OutputError
from tunixrt_core.util.files import atomic
from tunixrt_core.util.files.space import unwritable


def refuse_existing(target: Path) -> None:
    """Raises OutputError where `target` already exists: an export replaces nothing."""
    if os.path.lexists(target):
        raise OutputError(f"{target} already exists. Choose another directory, or move this one away.")


@contextmanager
def appears_whole(target: Path) -> Iterator[Path]:
    """A directory beside the target: renamed to the target when the body succeeds, removed when it fails."""
    with scratch_beside(target) as folder:
        folder.chmod(0o755)
        yield folder
        refuse_existing(target)
        folder.rename(target)


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """A temporary directory on the target's disk. Raises OutputError where writing to it fails."""
    try:
        with atomic.scratch_beside(target) as folder:
            yield folder
    except (OSError, SafetensorError) as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or error
    return OutputError(
        unwritable(target, error)
        or f"The model cannot be written to {target} ({reason}). Choose another directory, or fix its permissions."
    )
