"""Export and manifest: everything a Tunix run needs, made without Tunix."""

from __future__ import annotations

import streamlit as st

from app.datasets.export_card import export_card
from app.manifest.choice import manifest_data, plan_lines
from app.manifest.form import manifest_form
from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import show_error
from app.ui.components import card, empty_state, halves, header
from app.ui.forms.draft import keep_fields, restore_fields
from app.ui.forms.source import preferred_ref, settings_address, source_of
from app.ui.forms.submissions import keep_form
from app.ui.navigation import go
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest


def show_missing_tunix() -> None:
    status = rt.home.tunix_status()
    if status.available:
        return
    with card("Tunix", note=rt.home.host().device, key="tunix-status"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge("Not installed", color="gray")
            st.markdown(
                "This page works without Tunix. To train on this machine, install Tunix and restart the server:",
                width="content",
            )
        st.code(status.install, language="bash")


def show_manifest(manifest: RunManifest) -> None:
    name = manifest.name
    with card("Manifest", note=f"sha256 {manifest.content_hash[:8]}", key="manifest"):
        with st.container(horizontal=True):
            st.download_button(
                "Download YAML",
                manifest.to_yaml(),
                f"{name}.yaml",
                "application/yaml",
                type="primary",
                icon=":material/download:",
                key="download-yaml",
                on_click="ignore",
            )
            st.download_button(
                "Download JSON",
                manifest.to_json(),
                f"{name}.json",
                "application/json",
                icon=":material/download:",
                key="download-json",
                on_click="ignore",
            )
        st.code(manifest.to_yaml(), language="yaml", height=420)
        st.caption("To train elsewhere, put the manifest and the JSONL file in one folder there, and run:")
        st.code(f'pip install "tunix-rt[tunix]"\ntunixrt train {name}.yaml', language="bash")


rt = get_pipeline()
versions = rt.datasets.versions()
with header("Export and manifest", "A JSONL file and a manifest are enough to train, here or on another machine"):
    actions = st.container(width="content")  # its button needs the manifest of the form below
show_missing_tunix()
if not versions:
    with empty_state("Nothing to export yet", "Exports and manifests need a dataset version.", key="nothing-to-export"):
        if st.button("Build a dataset", type="primary", key="go-datasets"):
            go("datasets")
else:
    grid = halves()
    with grid.cell():
        restore_fields("manifest")
        source = source_of()
        keep_form(dataset=preferred_ref(versions, source))
        choice = manifest_form(versions, "manifest", source)
        keep_fields("manifest")
    with grid.cell():
        manifest: RunManifest | None = None
        try:
            data = manifest_data(choice.dataset)
            manifest = choice.manifest(data) if data else None
        except TunixRTError as error:
            show_error(error)
        if manifest:
            with card("Plan", key="plan"):
                blocks.key_values(plan_lines(manifest, pace=rt.manifests.pace(manifest)))
        export_card(choice.dataset, manifest)
    if rt.home.tunix_status().available:
        with actions:
            if st.button("Train here", icon=":material/play_arrow:", key="train-here"):
                go("new-run", **settings_address(manifest))
    if manifest:
        show_manifest(manifest)
