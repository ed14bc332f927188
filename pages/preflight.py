"""Preflight: rows as the trainer sees them, and all findings."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from app.manifest.slices import show_slice
from app.manifest.start import start_button
from app.preflight.dry_run import show_dry_run
from app.preflight.row_text import reading_of_row
from app.preflight.views import (
    ask_preflight,
    forget_preflight,
    show_banner,
    show_checks,
    show_histogram,
    show_policies,
    show_tiles,
    why_blocked,
)
from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import show_error
from app.ui.components import card, empty_state, halves, header
from app.ui.forms.draft import source_of_form
from app.ui.forms.source import CLONE, LOADED, keep_manifest, loaded_manifest, name_open_manifest
from app.ui.forms.submissions import FORM, form_id, keep_form, new_form
from app.ui.navigation import go
from app.ui.reading.reader import show_reading
from app.ui.words import plural
from tunixrt_core.errors import InvalidTrace, TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.preflight.report import PICKS, Fate, Pick, Preflight, RowView

PICK_WORDS: dict[Pick, str] = {"longest": "Longest", "shortest": "Shortest", "random": "Random", "worst": "Worst"}
ROW_VIEWS = ("Tokens", "Text")
FATE_WORDS = {
    Fate.KEPT: "complete",
    Fate.SHORTENED: "shortened",
    Fate.LEFT_OUT: "left out",
    Fate.EMPTY: "nothing to train on",
}


def manifest_to_check() -> tuple[RunManifest, bool] | None:
    """The manifest of the run in the address, the loaded one, or that of the form of New run; and whether its run is
    yet to start.
    """
    if run_id := st.query_params.get("run"):
        return rt.runs.manifest(run_id), False
    if name := st.query_params.get(LOADED):
        return RunManifest.from_text(loaded_manifest(name)[0]), True
    opened = name_open_manifest()
    return None if opened is None else (opened, True)


def show_loader() -> None:
    """Links to the New run page, and the fields to load a manifest."""
    with empty_state(
        "Nothing to check yet",
        "A preflight reads the rows of a manifest with the model's own tokenizer, before anything starts.",
        key="no-manifest",
    ):
        if st.button("Set up a run", type="primary", key="go-new-run"):
            go("new-run")
    with card("Check a manifest", note="YAML or JSON", key="load-manifest"):
        file = st.file_uploader("Manifest file", ["yaml", "yml", "json"], key="manifest-file")
        text = st.text_area("Or paste it", height=180, key="manifest-text")
        if st.button("Check manifest", icon=":material/fact_check:", key="check-manifest"):
            given = file.getvalue().decode("utf-8", errors="replace") if file else text
            try:
                name = keep_manifest(given, file.name if file else "the pasted manifest")
            except TunixRTError as error:
                show_error(error)
            else:
                # a new form: that of the session may contain other settings
                st.query_params.update({LOADED: name, FORM: new_form()})
                st.rerun()


def show_actions(manifest: RunManifest, found: Preflight | None, *, is_new: bool) -> None:
    if st.button("Check again", icon=":material/refresh:", key="check-again"):
        forget_preflight(manifest, is_new=is_new)
        st.rerun()
    if not is_new:
        if st.button("Back to the run", key="back-to-run"):
            go("run", run=st.query_params["run"])
        return
    source = source_of_form("run")
    if st.button("Change settings", key="back-to-settings"):
        change_settings(manifest, source)
    why_not = why_blocked(found) or (None if found else "The rows are still being read.")
    keep_form()
    parent = (source or {}).get(CLONE)
    start_button(manifest, why_not=why_not, parent=parent, key="start-checked", width="content")


def change_settings(manifest: RunManifest, source: dict[str, str] | None) -> NoReturn:
    """Back to the form as it was left, or to one filled from the loaded manifest."""
    if source is None:
        go("new-run", manifest=st.query_params[LOADED], form=form_id())
    ref = manifest.dataset
    go("new-run", form=form_id(), **source, **({"dataset": f"{ref.name}:{ref.version}"} if ref else {}))


def show_found(manifest: RunManifest, found: Preflight) -> None:
    show_banner(found)
    if found.totals:
        show_tiles(found.totals)
    # without findings the card beside the row would be nearly empty
    with halves() if found.findings else st.container():
        with card("Rows", note="exactly what the trainer sees", key="preflight-rows"):
            show_row(manifest, found)
        with card("Checks", note=checks_note(found), key="preflight-checks"):
            show_checks(found)
    with card("Dry run", note="one train step, evaluation, checkpoint and generation", key="dry-run-card"):
        if found.blocking:
            st.caption("The blocking checks above would fail the dry run too. Fix them first.")
        else:
            show_dry_run(manifest)
    with card("On a TPU slice", note="compiled, not measured", key="slice-card"):
        show_slice(manifest)
    with halves():
        if found.histogram and found.totals:
            with card("Row lengths", note="in tokens, before anything is cut", key="preflight-lengths"):
                show_histogram(found.histogram, found.totals, manifest.max_seq_length)
        if found.policies:
            with card("Rows that are too long", note="train rows", key="preflight-policies"):
                show_policies(found.policies, manifest.too_long.value)


def checks_note(found: Preflight) -> str:
    return f"{len(found.blocking)} blocked, {plural(len(found.warnings), 'warning')}"


def show_row(manifest: RunManifest, found: Preflight) -> None:
    """One row, chosen by its property or by its line in the data file."""
    if not found.totals:
        st.caption("The rows could not be encoded; the checks say why.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        pick = st.segmented_control(
            "Rows by",
            PICKS,
            default="longest",
            format_func=PICK_WORDS.__getitem__,
            key="pick",
            required=True,
            label_visibility="collapsed",
        )
        numbers = found.picks[pick]
        place = st.number_input(
            "Row number", 1, max(1, len(numbers)), key=f"place-{pick}", width=110, label_visibility="collapsed"
        )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        words = st.container(width="stretch")
        line = st.number_input(
            "Line of the data file",
            1,
            None,
            None,
            placeholder="Go to line",
            key="line",
            width=150,
            label_visibility="collapsed",
        )
    wanted = int(line) if line else numbers[place - 1] if numbers else None
    try:
        view = row_view(manifest, found, wanted) if wanted else None
    except InvalidTrace as fault:  # a part of it has no form in the chat format, which is a finding too
        words.caption(f"Row {wanted:,} cannot be shown. {fault}.")
        return
    if view is None:
        words.caption(f"The data file has no row on line {wanted:,}." if wanted else "There are no rows.")
        return
    words.caption(row_words(view))
    shown = st.segmented_control(
        "Show the row as", ROW_VIEWS, default="Tokens", key="row-view", required=True, label_visibility="collapsed"
    )
    if shown == "Text":
        show_reading(reading_of_row(view), f"Row {view.number:,}", key="row-text")
    else:
        blocks.tokens(view, manifest.max_seq_length)


def row_view(manifest: RunManifest, found: Preflight, number: int) -> RowView | None:
    known = next((view for view in found.views if view.number == number), None)
    return known or next(iter(encoded_rows(manifest.content_hash, manifest, number)), None)


@st.cache_data(max_entries=200, show_spinner=False)
def encoded_rows(manifest_hash: str, _manifest: RunManifest, number: int) -> list[RowView]:
    return rt.manifests.preflight_rows(_manifest, [number])


def row_words(view: RowView) -> str:
    dropped = f", {plural(view.dropped_steps, 'step')} dropped" if view.dropped_steps else ""
    return (
        f"Row {view.number:,} of the file, {view.split} · {FATE_WORDS[view.fate]}{dropped} · "
        f"{plural(view.length, 'token')}, {view.trained:,} trained"
    )


rt = get_pipeline()
chosen = manifest_to_check()
if chosen is None:
    with header("Preflight", "The rows as the trainer will see them, before anything starts"):
        pass
    show_loader()
else:
    manifest, is_new = chosen
    dataset = f"{manifest.dataset.name} v{manifest.dataset.version}" if manifest.dataset else manifest.data.path
    place = st.container()
    body = st.container()
    with body:
        found = ask_preflight(manifest, is_new=is_new)
    with (
        place,
        header("Preflight", f"{dataset} · {manifest.model.id} · longest row {manifest.max_seq_length:,} tokens"),
    ):
        show_actions(manifest, found, is_new=is_new)
    if found is not None:
        with body:
            show_found(manifest, found)
