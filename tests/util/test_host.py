"""The host is described from its files, without jax."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.util.host import GPU_SHARE, Gpu, device_kind, gpu_share, gpus, host_info


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


DRIVER = """
0, GPU-aaaa, 81559, NVIDIA H100 80GB HBM3
1, GPU-bbbb, 143771, NVIDIA H200
2, GPU-cccc, [N/A], NVIDIA Of Which No Memory Is Told
"""
H100, H200 = Gpu("NVIDIA H100 80GB HBM3", 81_559 << 20), Gpu("NVIDIA H200", 143_771 << 20)


@pytest.fixture
def driver(tmp_path: Path) -> list[str]:
    """A command that answers as the driver's does."""
    (tmp_path / "told").write_text(DRIVER.strip())
    (tmp_path / "driver").write_text(f"#!/bin/sh\ncat {tmp_path / 'told'}\n")
    (tmp_path / "driver").chmod(0o755)
    return [str(tmp_path / "driver")]


@pytest.mark.parametrize(
    ("visible", "found"),
    [(None, (H100, H200)), ("1", (H200,)), ("GPU-aaaa,1", (H100, H200)), ("", ()), ("-1", ())],
)
def test_the_gpus_that_a_process_may_use_are_those_of_the_driver(
    driver: list[str], visible: str | None, found: tuple[Gpu, ...]
) -> None:
    assert gpus({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}, driver) == found


@pytest.mark.parametrize("command", ["/no/such/command", "false"])
def test_without_an_answer_of_the_driver_no_gpu_is_known(command: str) -> None:
    assert gpus({}, [command]) == ()


@pytest.mark.parametrize(
    ("environ", "share"),
    [
        ({}, GPU_SHARE),
        ({"XLA_CLIENT_MEM_FRACTION": "0.9"}, 0.9),
        ({"XLA_PYTHON_CLIENT_MEM_FRACTION": ".5"}, 0.5),
        ({"XLA_CLIENT_MEM_FRACTION": "most"}, GPU_SHARE),
    ],
)
def test_the_share_that_jax_takes_of_a_gpu_is_that_of_the_environment(environ: dict[str, str], share: float) -> None:
    assert gpu_share(environ) == share
