"""The mesh that the calling thread has entered."""

from __future__ import annotations

from typing import Any

from jax.interpreters import pxla


def entered_mesh() -> Any | None:
    """The mesh that Tunix's models are traced in, which `with mesh:` enters; None outside of one."""
    mesh = pxla.thread_resources.env.physical_mesh
    return None if mesh.empty else mesh
