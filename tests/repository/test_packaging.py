"""What is shipped is whole: the wheel, the image's recipe and the pins fit the project."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PINS = {
    requirement.name.lower(): requirement
    for line in (REPOSITORY / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for requirement in [Requirement(line)]
}
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def test_every_dependency_is_pinned_within_its_range() -> None:
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        pinned = next(iter(PINS[wanted.name.lower()].specifier))
        assert pinned.operator == "=="
        assert wanted.specifier.contains(pinned.version), text


def test_the_pins_hold_nothing_of_tunix() -> None:
    assert not {"jax", "jaxlib", "google-tunix", "flax", "qwix"} & set(PINS)


def test_the_extras_are_the_ones_that_the_docs_name() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {"tunix", "tpu", "postgres", "dev"} <= set(extras)
    assert "google-tunix==0.1.7" in extras["tunix"]
    assert "jax<0.11" in extras["tunix"]
    assert "jax[tpu]<0.11" in extras["tpu"]


def test_everything_that_the_image_copies_is_there() -> None:
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (REPOSITORY / source).exists(), source


def test_the_image_runs_as_a_user_of_its_own_with_a_volume_and_a_health_check() -> None:
    assert re.search(r"^USER tunixrt$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^VOLUME /data$", DOCKERFILE, re.MULTILINE)
    assert "/healthz" in DOCKERFILE


def test_a_wheel_holds_every_file_that_the_program_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path)]
    done = subprocess.run([*command, str(copy_of_sources(tmp_path))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        shipped = {name for name in wheel.namelist() if not name.split("/")[0].endswith(".dist-info")}
    listed = subprocess.run(["git", "ls-files", "tunixrt_core", "app", "pages"], capture_output=True, cwd=REPOSITORY)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert set(listed.stdout.decode().split()) - shipped == set()


def copy_of_sources(tmp_path: Path) -> Path:
    """Only what git knows: a build leaves folders behind, which must not land in the checkout."""
    target = tmp_path / "source"
    names = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=REPOSITORY).stdout.decode().split("\0")
    for name in filter(None, names):
        if (REPOSITORY / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((REPOSITORY / name).read_bytes())
    return target
