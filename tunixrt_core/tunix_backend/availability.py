"""Whether Tunix is installed, without importing it."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

from tunixrt_core.errors import TunixMissing

INSTALL = 'pip install "tunix-rt[tunix]"'


def is_tunix_available() -> bool:
    """True where both google-tunix and jax are installed."""
    return _importable("tunix") and tunix_version() is not None and jax_version() is not None


def tunix_version() -> str | None:
    return _version("google-tunix")


def jax_version() -> str | None:
    return _version("jax")


def require_tunix() -> None:
    """Raises TunixMissing, an ImportError whose message holds the pip line, where Tunix is not installed."""
    if not is_tunix_available():
        raise TunixMissing(
            f"Training and generation need Tunix, which is not installed. Install it with: {INSTALL} "
            "(on a TPU VM the extra is `tpu`).",
            details={"install": INSTALL},
        )


# An installed package stays installed while this process runs; a missing one may be installed. Every page asks, and
# reading the package metadata takes as long as the rest of a page.
_found: dict[str, str] = {}
_importables: set[str] = set()


def _importable(module: str) -> bool:
    if module not in _importables and find_spec(module) is not None:
        _importables.add(module)
    return module in _importables


def _version(package: str) -> str | None:
    if package not in _found:
        try:
            _found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            return None
    return _found[package]
