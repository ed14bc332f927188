"""Joining: where the first process listens, and what another library was to have done before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.errors import TrainingError

pytestmark = pytest.mark.tunix


def test_a_process_that_nothing_has_joined_to_others_is_refused(tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.backend import TunixBackend

    with pytest.raises(TrainingError, match="JAX knows of 1 processes, and 2 are to train together"):
        TunixBackend(tmp_path).joined(2)
    TunixBackend(tmp_path).joined(1)
