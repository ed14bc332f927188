"""Where nothing can be compiled for a TPU, a sentence says why; where it can, the process is told that it has none."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tunixrt_core.errors import CompilerMissing
from tunixrt_core.tunix_backend.ahead import environment
from tunixrt_core.tunix_backend.ahead.environment import (
    compiler_available,
    compiler_environ,
    require_compiler,
    versions,
)

pytestmark = pytest.mark.tunix


@pytest.fixture
def without_libtpu(monkeypatch: pytest.MonkeyPatch) -> None:
    known = metadata.version

    def version(name: str) -> str:
        if name == "libtpu":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(environment, "_found", {})


@pytest.mark.usefixtures("without_libtpu")
def test_a_missing_compiler_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(CompilerMissing, match=r'not installed. Install it with: pip install "tunix-rt\[aot\]"'):
        require_compiler()
    assert not compiler_available()
    assert "libtpu" not in versions()


@pytest.mark.usefixtures("without_libtpu")
def test_on_another_machine_it_cannot_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    with pytest.raises(CompilerMissing, match="exists for Linux on x86-64, and this is darwin on arm64"):
        require_compiler()


def test_a_compiler_of_another_jax_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its programs are compiled, but JAX cannot read them back: seen with libtpu 0.0.52 and JAX 0.10.2."""
    known = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9.9.9" if name == "libtpu" else known(name))
    with pytest.raises(CompilerMissing, match=r"libtpu: 9.9.9 is installed, and JAX \S+ reads the programs of 0\."):
        require_compiler()


def test_the_process_that_compiles_uses_no_device_and_asks_no_server() -> None:
    given = {"PATH": "/bin", "JAX_PLATFORMS": "tpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    found = compiler_environ(given)
    assert found["JAX_PLATFORMS"] == "cpu"
    assert found["TPU_SKIP_MDS_QUERY"] == "1"
    assert found["ALLOW_MULTIPLE_LIBTPU_LOAD"] == "1"
    assert found["PATH"] == "/bin"
    assert "XLA_FLAGS" not in found
    assert given["JAX_PLATFORMS"] == "tpu"


def test_a_version_with_or_without_a_fourth_number_goes_with_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    known, wanted = metadata.version, environment._version_for_jax()
    assert wanted is not None
    for installed in (wanted.rstrip("."), f"{wanted}1"):
        monkeypatch.setattr(metadata, "version", lambda name, v=installed: v if name == "libtpu" else known(name))
        require_compiler()


def test_xla_writes_what_it_compiles_where_it_is_told(tmp_path: Path) -> None:
    assert f"--xla_dump_to={tmp_path} " in compiler_environ({"XLA_FLAGS": "of another program"}, tmp_path)["XLA_FLAGS"]
    assert "XLA_FLAGS" not in compiler_environ({"XLA_FLAGS": "of another program"})
