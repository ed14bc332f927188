"""Whether Tunix is there, found without importing it."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from tunixrt_core.errors import TunixMissing
from tunixrt_core.tunix_backend import availability


def test_asking_imports_neither_jax_nor_tunix() -> None:
    code = (
        "import sys; from tunixrt_core.tunix_backend import availability as a; "
        "a.is_tunix_available(), a.tunix_version(), a.jax_version(); "
        "print([m for m in ('jax', 'tunix', 'flax', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_tunix_is_an_import_error_that_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_importables", set())
    monkeypatch.setattr(availability, "find_spec", lambda name: None)
    assert not availability.is_tunix_available()
    with pytest.raises(ImportError, match=r'pip install "tunix-rt\[tunix\]"') as caught:
        availability.require_tunix()
    assert isinstance(caught.value, TunixMissing)


def test_tunix_without_jax_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "find_spec", lambda name: object())
    monkeypatch.setattr(availability, "jax_version", lambda: None)
    assert not availability.is_tunix_available()


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(availability, "_found", {})
    monkeypatch.setattr(availability.metadata, "version", missing)
    assert availability.tunix_version() is None
    assert availability.jax_version() is None


def test_what_is_installed_is_read_once_and_what_is_missing_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def version(name: str) -> str:
        asked.append(name)
        if len(asked) == 1:
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(availability, "_found", {})
    monkeypatch.setattr(availability.metadata, "version", version)
    assert [availability.jax_version() for _ in range(3)] == [None, "1.0", "1.0"]
    assert len(asked) == 2


@pytest.mark.tunix
def test_an_installed_tunix_is_available_with_its_version() -> None:
    availability.require_tunix()
    assert availability.tunix_version() == metadata.version("google-tunix")
    assert availability.jax_version() == metadata.version("jax")
