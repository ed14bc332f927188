"""Prints how far exports of every family are off: the figures in docs/how-to/export-model.md.

    python -m tests.tunix_backend.helpers.export_figures [float32|bfloat16] [float32|bfloat16]

The first type is that of the base's files, the second the one that is trained in; both are float32 where none is given.
Hugging Face's own code reads them too where it is installed.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.exports import FAMILIES, export, pretend_to_train, rewrite
from tests.tunix_backend.helpers.families import layers_of, write_checkpoint
from tunixrt_core.manifest.sections import Method
from tunixrt_core.training.model_export import ExportLayout


def show(folder: Path, kind: str, tied: bool, method: Method, dtypes: tuple[str, str]) -> None:
    """A line for each check of each layout of one run."""
    from tunixrt_core.tunix_backend.export.proof import tolerance_of

    write_checkpoint(folder / "model", kind, tied=tied)
    rewrite(folder / "model", dtype=dtypes[0])
    hyper = {"lora_rank": 4, "lora_alpha": 8.0} if method is Method.LORA else {}
    manifest = make_manifest(folder, model=str(folder / "model"), method=method.value, dtype=dtypes[1], **hyper)
    pretend_to_train(manifest, folder)
    for layout in ExportLayout if method is Method.LORA else (ExportLayout.MERGED,):
        report = export(manifest, folder, folder / layout, layout=layout, transformers=None)
        for check in report.checks:
            allowed = tolerance_of(manifest, report.dtype, layers_of(kind), other_code=check.by != "tunix")
            share = check.largest_difference / check.tolerance * allowed
            what = f"{kind:12} {'tied' if tied else 'untied':7} {method.value:5} {layout.value:7} {check.by:13}"
            print(f"{what}{share:9.2e} of the largest logit ({allowed:g}), top-1 {check.agreement:.2%}", flush=True)


if __name__ == "__main__":
    given = sys.argv[1:] or ["float32", "float32"]
    for (kind, tied), method in product(FAMILIES, (Method.FULL, Method.LORA)):
        with tempfile.TemporaryDirectory() as folder:
            show(Path(folder), kind, tied, method, (given[0], given[1]))
