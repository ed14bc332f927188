"""New run: model, dataset version or clone, plan and start."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.datasets.views import show_missing
from app.manifest.choice import ManifestChoice, manifest_data, plan_lines, plan_sentence
from app.manifest.form import manifest_form
from app.manifest.load import load_manifest
from app.manifest.memory import show_memory
from app.manifest.slices import show_slice
from app.manifest.start import start_button
from app.preflight.views import ask_preflight, finding_lines, length_words, show_banner, why_blocked
from app.runs.actions import difference_lines
from app.state import get_pipeline
from app.ui import blocks
from app.ui.blocks import CheckState
from app.ui.boundary import escape_markdown, show_error
from app.ui.components import card, empty_state, foot_bar, header, tunix_words, wide_and_narrow
from app.ui.forms.draft import keep_fields, restore_fields
from app.ui.forms.source import Source, forget_source, preferred_ref, remember_open, settings_address, source_of
from app.ui.forms.submissions import form_id, keep_form
from app.ui.navigation import go
from app.ui.words import plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.variants import differences
from tunixrt_core.training.preflight.report import Preflight


def checks(manifest: RunManifest) -> list[tuple[CheckState, str, str]]:
    """Checks before the rows are tokenised; the preflight makes the others."""
    data, queue = manifest.data, rt.queue.state()
    found: list[tuple[CheckState, str, str]] = [("pass", "Tunix is installed", tunix_words())]
    steps = manifest.total_train_steps(data.train_rows)
    if data.eval_rows:
        found.append(("pass", "There is an eval split", f"{plural(data.eval_rows, 'row')} held back for evaluation"))
    else:
        found.append(("warning", "No eval split", "There will be no eval loss and nothing to evaluate on."))
    if steps < 10:
        found.append(("warning", "A very short run", f"{plural(steps, 'train step')} in total."))
    if queue.holder:
        waiting = f"{queue.holder.run} holds it; {plural(len(queue.waiting), 'job')} waiting."
        found.append(("warning", "The device is busy", waiting))
    else:
        found.append(("pass", "The device is free", rt.home.host().device))
    return found


def show_checks(manifest: RunManifest) -> Preflight | None:
    """Checks of the choices against the rows, the model and the machine; None while the rows are being read."""
    found = ask_preflight(manifest)
    lines = checks(manifest)
    if found is not None:
        show_banner(found)
        passed = f"{plural(len(found.passed), 'preflight check')} passed"
        lines = [*lines, *finding_lines(found.findings), ("pass", passed, preflight_words(found))]
    blocks.checks(lines)
    if st.button("Show the rows as the trainer sees them", icon=":material/fact_check:", key="go-preflight"):
        go("preflight", **settings_address(manifest), form=form_id())
    return found


def preflight_words(found: Preflight) -> str:
    totals = found.totals
    return f"{length_words(totals)}." if totals else ""


def show_changes(source: Source, manifest: RunManifest) -> None:
    """Values that differ from the run or the file that filled the form."""
    changed = differences([source.manifest, manifest])
    note = plural(len(changed), "setting differs", "settings differ")
    with card(f"Changed from {source.label}", note=note, key="changes"):
        if changed:
            blocks.key_values(difference_lines(changed))
        else:
            st.caption("No changes: this would be the same run in a new folder.")


def show_checked(
    choice: ManifestChoice, source: Source | None, form: DeltaGenerator, bar: DeltaGenerator
) -> RunManifest | None:
    """The plan of the choices; under the form the checks, a slice and the bar with the button.

    None if the choices are no valid manifest yet.
    """
    show_missing(choice.dataset)
    try:
        data = manifest_data(choice.dataset)
        manifest = choice.manifest(data) if data else None
    except TunixRTError as error:
        show_error(error)
        cannot_start(bar, "Fix the value above first.")
        return None
    if manifest is None:
        cannot_start(bar, "The rows are still being written.")
        return None
    remember_open(manifest)
    with form:
        if source is not None:
            show_changes(source, manifest)
        with card("Checks", key="checks"):
            found = show_checks(manifest)
        with card("On a TPU slice", note="compiled, not measured", key="slice-card"):
            show_slice(manifest)
    totals, pace = found.totals if found else None, rt.manifests.pace(manifest)
    # at once from the numbers of the form, later with the real row lengths
    need = found.memory if found else rt.manifests.memory_estimate(manifest)
    with card("Plan", note=rt.home.host().device, key="plan"):
        blocks.key_values(plan_lines(manifest, totals, pace))
        if need:
            show_memory(need)
    with bar:
        st.caption(escape_markdown(plan_sentence(manifest, totals, pace)), width="content")
        parent = source.run if source else None
        start_button(manifest, why_not=why_blocked(found), parent=parent, width="content")
    return manifest


def cannot_start(bar: DeltaGenerator, why: str) -> None:
    with bar:
        st.caption(why, width="content")
        st.button("Start run", type="primary", disabled=True, help=why, key="start-run")


def show_actions() -> None:
    if source is not None and st.button("Start from the preset", icon=":material/restart_alt:", key="forget-source"):
        forget_source("run")
        st.rerun()
    load_manifest("run")


rt = get_pipeline()
versions = rt.datasets.versions()
source = source_of() if versions else None
said = f"Filled from {source.label}" if source else "Tunix trains in the background; the page may be closed"
with header("New run", said):
    if versions:
        show_actions()
    actions = st.container(width="content")  # its button needs the manifest of the form below
if not versions:
    with empty_state("Nothing to train on yet", "A run needs a dataset version and a model.", key="nothing-to-train"):
        if st.button("Build a dataset", type="primary", key="go-datasets"):
            go("datasets")
else:
    left, right = wide_and_narrow()
    bar = foot_bar()
    with left:
        restore_fields("run")
        keep_form(dataset=preferred_ref(versions, source))
        choice = manifest_form(versions, "run", source)
        keep_fields("run")
        under = st.container()
    with right:
        manifest = show_checked(choice, source, under, bar)
    with actions:
        if st.button("View as YAML", icon=":material/code:", key="view-yaml"):
            go("tunix", **settings_address(manifest))
