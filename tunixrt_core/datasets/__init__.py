"""Dataset versions: a frozen, hashed selection of traces, split so that one prompt never stands on both sides."""

from tunixrt_core.datasets.choices import DEDUPES, SELECTIONS, Dedupe, Selection
from tunixrt_core.datasets.selection import Candidate, DatasetRow, build_dataset
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetDiff, DatasetVersion, diff, freeze, version_hash

__all__ = [
    "DEDUPES",
    "SELECTIONS",
    "Candidate",
    "DatasetDiff",
    "DatasetRow",
    "DatasetSpec",
    "DatasetVersion",
    "Dedupe",
    "Selection",
    "build_dataset",
    "diff",
    "freeze",
    "version_hash",
]
