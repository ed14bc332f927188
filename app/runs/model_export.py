"""Exports of a run's tuned model: start, progress, proof, files."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import error_boundary, escape_markdown, show_error
from app.ui.components import card, halves
from app.ui.forms.submissions import next_submission
from app.ui.visitors import act_button
from app.ui.words import percent, plural, size, whole
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import Method
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.training.model_export import ExportedModel, ExportLayout, ModelExportOptions, ModelExportState

TICK = 1.0  # seconds between updates of a running one
_WORDS = {
    ExportLayout.MERGED: ("Hugging Face model", "all weights, as transformers and vLLM load them"),
    ExportLayout.PEFT: ("LoRA only", "as the peft package adds it to the base model"),
}


def show_exports(run: Run, manifest: RunManifest) -> None:
    """One card per layout that the run can be exported in. Files appear only after their check."""
    if not run.status.over:
        st.caption("The tuned model can be exported when the run is over.")
        return
    layouts = list(ExportLayout) if manifest.method is Method.LORA else [ExportLayout.MERGED]
    there = {model.layout: model for model in get_pipeline().model_exports.of_run(run.id)}
    latest = get_pipeline().model_exports.latest_of(run.id)
    with halves() if len(layouts) > 1 else st.container():
        for layout in layouts:
            title, note = _WORDS[layout]
            with card(title, note=note, key=f"export-{layout.value}"):
                state = latest.get(layout)
                if layout in there:
                    _show_model(run, there[layout])
                elif state is not None and not state.status.over:
                    st.fragment(_show_progress, run_every=TICK)(state.id)
                else:
                    _offer(run, layout, state)


def _offer(run: Run, layout: ExportLayout, last: ModelExportState | None) -> None:
    if last is not None and last.status is RunStatus.FAILED:
        st.error(escape_markdown(f"The export failed: {last.message}"), icon=":material/error:")
    st.caption("The files are loaded again and their logits compared with the trained model's before they appear.")
    rt = get_pipeline()
    missing = None if rt.home.tunix_status().available else "Exporting needs Tunix, which is not installed."
    submission = next_submission("export", [run.id, layout.value])
    label = "Add export to queue" if rt.queue.state().holder else "Export and check"
    if act_button(
        label,
        icon=":material/ios_share:",
        key=submission.key(f"start-export-{layout.value}"),
        disabled=bool(missing),
        help=missing,
    ):
        try:
            rt.model_exports.start(run.id, ModelExportOptions(layout), request_id=submission.id)
        except TunixRTError as error:
            show_error(error)
        else:
            st.rerun()
    st.caption("The same with the command, to any directory")
    st.code(f"tunixrt export-model {run.id} --format {layout.value} -o DIR", language=None, wrap_lines=True)


def _show_progress(export_id: str) -> None:
    with error_boundary():
        state = get_pipeline().model_exports.get(export_id)
        if state.status.over:
            st.rerun()
        waits = state.status is RunStatus.QUEUED
        st.markdown("Waiting for the device" if waits else f"{(state.phase or 'loading').capitalize()} …")


def _show_model(run: Run, model: ExportedModel) -> None:
    report = model.report
    blocks.key_values(
        [
            ("Train step", whole(report["train_step"])),
            ("Weights", f"{report['dtype']}, {size(report['bytes'])} in {plural(report['files'], 'file')}"),
            *(
                (
                    f"By {check['by']}",
                    f"logits differ by at most {check['largest_difference']:.2g} "
                    f"(allowed {check['tolerance']:.2g}), same next token {percent(check['agreement'])}",
                )
                for check in report["checks"]
            ),
            *((f"By {by}", f"not checked: {why}") for by, why in report["not_checked"].items()),
        ]
    )
    folder = f"/api/runs/{quote(run.id)}/exports/{model.layout.value}"
    blocks.downloads([("Download as one archive", folder, f"zip, {size(report['bytes'])} of weights")])
    with st.expander(f"{plural(len(model.files), 'file')}", key=f"files-{model.layout.value}"):
        blocks.downloads((name, f"{folder}/{quote(name)}", size(count)) for name, count in model.files.items())
    st.caption("Folder")
    st.code(str(model.folder), language=None, wrap_lines=True)
