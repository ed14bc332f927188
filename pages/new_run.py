"""New run: choose a model and a dataset version, see the plan, start."""

from __future__ import annotations

import uuid

import streamlit as st

from app import blocks
from app.blocks import CheckState
from app.boundary import show_error
from app.components import card, empty_state, halves, header, tunix_words
from app.manifest_choice import ManifestChoice, plan_lines
from app.manifest_form import keep_fields, manifest_form, restore_fields
from app.memory_views import show_memory
from app.navigation import go
from app.preflight_views import ask_preflight, finding_lines, show_banner, why_blocked
from app.state import get_pipeline
from app.words import plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.preflight import Preflight

REQUEST = "run-request-id"
CHECKED = "preflight-yaml"  # where the Preflight page finds the manifest


def checks(manifest: RunManifest) -> list[tuple[CheckState, str, str]]:
    """What is known before the rows are tokenised; the preflight checks the rest."""
    data, holder = manifest.data, rt.jobs.holder()
    found: list[tuple[CheckState, str, str]] = [("pass", "Tunix is installed", tunix_words())]
    steps = manifest.total_train_steps(data.train_rows)
    if data.eval_rows:
        found.append(("pass", "There is an eval split", f"{plural(data.eval_rows, 'row')} held back for evaluation"))
    else:
        found.append(("warning", "No eval split", "There will be no eval loss and nothing to evaluate on."))
    if steps < 10:
        found.append(("warning", "A very short run", f"{plural(steps, 'train step')} in all."))
    if holder:
        waiting = len(rt.jobs.queued())
        found.append(("warning", "The device is busy", f"{holder[0]} holds it; {plural(waiting, 'job')} waiting."))
    else:
        found.append(("pass", "The device is free", rt.host().device))
    return found


def start(choice: ManifestChoice) -> None:
    """One press, one run: pressed twice, the second finds the run of the first."""
    request_id = st.session_state.setdefault(REQUEST, uuid.uuid4().hex)
    manifest = rt.build_manifest(
        choice.dataset.name,
        choice.dataset.version,
        model_id=choice.model_id,
        output_dir=choice.output_dir,
        hyperparams={key: value for key, value in choice.hyperparams.items() if value is not None},
    )
    run = rt.start_run(manifest, request_id=request_id)
    del st.session_state[REQUEST]
    go("run", run=run.id)


def show_preflight(manifest: RunManifest) -> Preflight | None:
    """What the rows, the model and the machine say to the choices; None while they are being read."""
    found = ask_preflight(manifest)
    if found is not None:
        show_banner(found)
        passed: tuple[CheckState, str, str] = (
            "pass",
            f"{plural(len(found.passed), 'preflight check')} passed",
            preflight_words(found),
        )
        blocks.checks([*finding_lines(found.findings), passed])
    if st.button("See the rows as the trainer will", icon=":material/fact_check:", key="go-preflight"):
        st.session_state[CHECKED] = manifest.to_yaml()
        keep_fields("run")
        go("preflight")
    return found


def preflight_words(found: Preflight) -> str:
    totals = found.totals
    if totals is None:
        return ""
    return (
        f"{plural(totals.train_steps, 'train step')}, {totals.trained_tokens:,} trained tokens an epoch, "
        f"rows of {totals.shortest:,} to {totals.longest:,} tokens."
    )


def show_start(choice: ManifestChoice) -> None:
    try:
        manifest = choice.preview()
    except TunixRTError as error:
        show_error(error)
        st.button(
            "Start run",
            type="primary",
            disabled=True,
            help="Mend the value above first.",
            width="stretch",
            key="start-run",
        )
        return
    with card("Plan", note=rt.host().device, key="plan"):
        blocks.key_values(plan_lines(manifest))
        memory_place = st.container()
    with card("Checks", key="checks"):
        blocks.checks(checks(manifest))
        found = show_preflight(manifest)
    # at once, from the numbers of the form; then with the length that the rows really have
    if need := (found.memory if found else rt.memory_estimate(manifest)):
        with memory_place:
            show_memory(need)
    holder = rt.jobs.holder()
    label, icon = ("Add to queue", "playlist_add") if holder else ("Start run", "play_arrow")
    if st.button(
        label,
        type="primary",
        icon=f":material/{icon}:",
        width="stretch",
        disabled=found is not None and bool(found.blocking),
        help=why_blocked(found),
        key="start-run",
    ):
        try:
            start(choice)
        except TunixRTError as error:
            show_error(error)
    if holder:
        st.caption(f"The device is busy, so this run starts when {holder[0]} is done.")


rt = get_pipeline()
versions = rt.dataset_versions()
with header("New run", "Tunix trains in the background; the page may be closed"):
    if versions and st.button("View as YAML", icon=":material/code:", key="view-yaml"):
        go("tunix", dataset=st.query_params.get("dataset", f"{versions[0].name}:{versions[0].version}"))
if not versions:
    with empty_state(
        "Nothing to train on yet", "A run is made of a dataset version and a model.", key="nothing-to-train"
    ):
        if st.button("Build a dataset", type="primary", key="go-datasets"):
            go("datasets")
else:
    grid = halves()
    with grid.cell():
        restore_fields("run")
        choice = manifest_form(versions, "run")
    with grid.cell():
        show_start(choice)
