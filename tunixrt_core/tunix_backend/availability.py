"""Whether Tunix is installed, without importing it: any import of tunix or jax costs seconds."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec

from tunixrt_core.errors import TunixMissing

INSTALL = 'pip install "tunix-rt[tunix]"'


def is_tunix_available() -> bool:
    """True where both google-tunix and jax are installed."""
    return find_spec("tunix") is not None and tunix_version() is not None and jax_version() is not None


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


def _version(package: str) -> str | None:
    try:
        return _installed(package)
    except metadata.PackageNotFoundError:
        return None


@lru_cache
def _installed(package: str) -> str:
    """Every page asks for it, and a package that was found keeps its version while the process lives."""
    return metadata.version(package)
