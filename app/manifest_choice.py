"""What the form of a manifest holds, the manifest that it makes, and the plan of that manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app.state import get_pipeline
from app.words import plural
from tunixrt_core.datasets import DatasetVersion
from tunixrt_core.manifest import RunManifest, check_model_id
from tunixrt_core.presets import HYPERPARAMETERS


@dataclass(frozen=True, slots=True)
class ManifestChoice:
    """What the form holds: enough to make a manifest of it."""

    dataset: DatasetVersion
    model_id: str
    output_dir: str | None
    hyperparams: Mapping[str, Any]

    def preview(self) -> RunManifest:
        """The manifest as it would be, without writing the dataset anew at every keystroke.

        Raises InvalidManifest naming the key of a value that cannot be used.
        """
        return apply_choice(_base_manifest(self.dataset), self)


def apply_choice(base: RunManifest, choice: ManifestChoice) -> RunManifest:
    """`base` with the model, output directory and hyperparameters of the form.

    Raises InvalidManifest naming the key of a value that cannot be used, a model directory that is not there too.
    """
    check_model_id(choice.model_id)
    data = base.to_dict()
    data["model"] = {"id": choice.model_id}
    data["duration"] = {}
    if choice.output_dir:
        data["output_dir"] = choice.output_dir
    for key, value in choice.hyperparams.items():
        *path, last = HYPERPARAMETERS[key]
        section = data
        for part in path:
            section = section.setdefault(part, {})
        section[last] = value
    return RunManifest.from_dict(data)


def _base_manifest(dataset: DatasetVersion) -> RunManifest:
    """The data section and the next output directory: kept in the session until dataset, traces or runs change."""
    rt = get_pipeline()
    newest = next(iter(rt.runs(limit=1).items), None)
    # an export leaves out what was deleted since, hence the count
    key = (dataset.name, dataset.version, dataset.content_hash, rt.count_traces(), newest.id if newest else "")
    known = st.session_state.get("base-manifest")
    if known and known[0] == key and Path(known[1].data.path).is_file():
        found: RunManifest = known[1]
        return found
    with st.spinner(f"Writing {dataset.name} v{dataset.version} as JSONL"):
        made = rt.build_manifest(dataset.name, dataset.version, model_id="tiny")
    st.session_state["base-manifest"] = (key, made)
    return made


def plan_lines(manifest: RunManifest) -> list[tuple[str, str]]:
    """What a manifest will do, before any row is tokenised."""
    steps = manifest.total_train_steps(manifest.data.train_rows)
    rows = manifest.batch.size * manifest.batch.gradient_accumulation
    epochs = steps * rows / manifest.data.train_rows
    planned = f"{steps:,} of {plural(rows, 'row')} each, {epochs:.1f} epochs"
    if manifest.batch.packing:  # how many rows share one is known when they are tokenised
        planned = f"{steps:,}, packed" if manifest.duration.train_steps else f"fewer than {steps:,}, as rows are packed"
    return [
        ("Rows", f"{manifest.data.train_rows:,} train, {manifest.data.eval_rows:,} eval"),
        ("Train steps", planned),
        ("Evaluate", f"every {manifest.cadence.eval_every:,} train steps"),
        ("Save", f"every {manifest.cadence.checkpoint_every:,} train steps, keep {manifest.cadence.keep_checkpoints}"),
        ("Output", manifest.output_dir),
    ]
