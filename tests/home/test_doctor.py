"""The doctor names what is missing, and does not mind what is not needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tunixrt_core.home import doctor
from tunixrt_core.home.doctor import checks
from tunixrt_core.settings import Settings
from tunixrt_core.util.host import Gpu, host_info


def states(settings: Settings) -> dict[str, str]:
    return {check.name: check.state for check in checks(settings)}


def test_a_fresh_machine_passes(tmp_path: Path) -> None:
    found = states(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "new")}))
    assert "bad" not in found.values()


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "tunixrt.db").write_bytes(b"this is not a database" * 100)
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})
    assert states(settings)["Database"] == "bad"


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "file" / "home")})
    assert states(settings)["Home"] == "bad"


@pytest.mark.parametrize(
    ("cards", "state", "said"),
    [
        ((Gpu("NVIDIA H200", 143_771 << 20),), "ok", "NVIDIA H200 with 150.8 GB"),
        ((), "warn", "nvidia-smi lists none"),
    ],
)
def test_a_gpu_is_named_with_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cards: tuple[Gpu, ...], state: str, said: str
) -> None:
    monkeypatch.setattr(doctor, "host_info", lambda home: replace(host_info(home), device="GPU"))
    monkeypatch.setattr(doctor, "gpus", lambda environ: cards)
    (found,) = (check for check in checks(Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})) if check.name == "GPU")
    assert found.state == state
    assert said in found.detail
