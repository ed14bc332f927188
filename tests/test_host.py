"""The host is described from its files, without jax."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.host import device_kind, host_info


@pytest.mark.parametrize(("file", "kind"), [("accel0", "TPU"), ("vfio/0", "TPU"), ("nvidia0", "GPU"), ("null", "CPU")])
def test_the_device_is_told_by_its_device_file(tmp_path: Path, file: str, kind: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert device_kind(tmp_path) == kind


def test_free_disk_is_known_before_the_home_exists(tmp_path: Path) -> None:
    info = host_info(tmp_path / "not" / "there")
    assert info.disk_free_bytes > 0
    assert info.memory_bytes > 0
    assert info.cores >= 1
