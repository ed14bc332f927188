"""`tunixrt memory --on` and `tunixrt slices`: figures of a slice without one, or a sentence why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tests.training.ahead.test_costs import report
from tests.tunix_backend.ahead.test_compile import CONFIG
from tunixrt_core.cli.show.slices import show_comparison
from tunixrt_core.manifest.manifest import manifest_without_data
from tunixrt_core.training.ahead.choice import Comparison, Option
from tunixrt_core.tunix_backend.ahead.compile import SliceCompiler
from tunixrt_core.tunix_backend.ahead.environment import compiler_available

pytestmark = pytest.mark.tunix


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def test_a_report_from_before_is_answered_at_once_for_a_model_without_weights(tmp_path: Path, model: Path) -> None:
    from dataclasses import asdict

    from tunixrt_core.training.ahead.costs import STEPS
    from tunixrt_core.training.ahead.slices import find_slice
    from tunixrt_core.tunix_backend.ahead.environment import versions

    home = tmp_path / "home"
    compiler = SliceCompiler(home / "models", home / "slices")
    manifest = manifest_without_data(str(model), {"max_seq_length": 64})
    file = compiler._file(manifest, model, find_slice("v6e-4"), STEPS)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(asdict(report(versions=versions()))))
    asked = ("memory", "--model", str(model), "--set", "max_seq_length=64", "--on", "v6e-4")
    done = tunixrt(*asked, home=home)
    assert done.returncode == 0, done.stderr
    for words in ("On v6e-4: fits, 19% of 32 GB", "Bound on MFU", "HBM traffic", "Received: all-gather"):
        assert words in done.stdout
    found = json.loads(tunixrt(*asked, "--json", home=home).stdout)
    assert found["steps"][0]["bound"]["tokens_per_second"] == pytest.approx(819_200)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--on", "v6e-5"), 1, "Slices of v6e: v6e-1, v6e-4"),
        (("--on", "v6e-4", "--device", "v6e"), 2, "leave out the other options"),
    ],
)
def test_what_cannot_be_compiled_is_said(
    tmp_path: Path, model: Path, more: tuple[str, ...], code: int, words: str
) -> None:
    done = tunixrt("memory", "--model", str(model), *more, home=tmp_path / "home")
    assert done.returncode == code
    assert words in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.skipif(compiler_available(), reason="libtpu is installed")
def test_without_the_compiler_the_command_that_installs_it_is_named(tmp_path: Path, model: Path) -> None:
    done = tunixrt("slices", "--model", str(model), "--chips", "v5e", home=tmp_path / "home")
    assert done.returncode == 1
    assert "libtpu" in done.stderr


def test_a_manifest_or_a_model_is_needed(tmp_path: Path) -> None:
    assert tunixrt("memory", "--on", "v6e-4", home=tmp_path / "home").returncode == 2


def test_the_table_of_slices_names_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    good = Option("v6e-4", 4, 4, 32_000_000_000, 6_000_000_000, report())
    small = Option("v6e-1", 1, 4, 32_000_000_000, 40_000_000_000)
    show_comparison(Comparison((small, good), good, "v6e-1", ()))
    out = capsys.readouterr().out
    assert "The smallest slice that fits: v6e-4 with 4 rows per batch." in out
    assert "What would make v6e-1 fit:" in out
