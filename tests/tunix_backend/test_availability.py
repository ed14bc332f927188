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

    availability._installed.cache_clear()
    monkeypatch.setattr(availability.metadata, "version", missing)
    assert availability.tunix_version() is None
    assert availability.jax_version() is None


def test_one_that_is_installed_meanwhile_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    availability._installed.cache_clear()
    versions: dict[str, str] = {}

    def found(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(availability.metadata, "version", found)
    assert availability.tunix_version() is None
    versions["google-tunix"] = "9.9"
    assert availability.tunix_version() == "9.9"
    availability._installed.cache_clear()


@pytest.mark.tunix
def test_an_installed_tunix_is_available_with_its_version() -> None:
    availability.require_tunix()
    assert availability.tunix_version() == metadata.version("google-tunix")
    assert availability.jax_version() == metadata.version("jax")
