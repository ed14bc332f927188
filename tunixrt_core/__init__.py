"""Tunix RT's core: from reasoning traces to a fine-tuned, evaluated model.

The path of the data, in the order of the folders: `ingest`, `store`, `datasets`, `export`, `manifest`, `training`
(through `tunix_backend`), `evaluation`; `pipeline/pipeline.py` puts them together: read it first.

Importing this package imports nothing else; `open_home` and `DatasetSpec` are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunixrt_core.datasets.spec import DatasetSpec
    from tunixrt_core.pipeline.pipeline import Pipeline, open_home

__version__ = "0.1.0"
__all__ = ["DatasetSpec", "Pipeline", "__version__", "open_home"]

_LAZY = {
    "DatasetSpec": "tunixrt_core.datasets.spec",
    "Pipeline": "tunixrt_core.pipeline.pipeline",
    "open_home": "tunixrt_core.pipeline.pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
