"""New run: choose a model and a dataset version, see the plan, start."""

from __future__ import annotations

import uuid

import streamlit as st

from app import blocks
from app.blocks import CheckState
from app.boundary import show_error
from app.components import card, empty_state, halves, header, tunix_words
from app.manifest_choice import ManifestChoice, plan_lines
from app.manifest_form import manifest_form
from app.navigation import go
from app.state import get_pipeline
from app.words import plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest import RunManifest

REQUEST = "run-request-id"


def checks(manifest: RunManifest) -> list[tuple[CheckState, str, str]]:
    """What is known before the rows are tokenised; the worker checks the rest and says so."""
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
    with card("Checks", key="checks"):
        blocks.checks(checks(manifest))
    holder = rt.jobs.holder()
    label, icon = ("Add to queue", "playlist_add") if holder else ("Start run", "play_arrow")
    if st.button(label, type="primary", icon=f":material/{icon}:", width="stretch", key="start-run"):
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
        choice = manifest_form(versions, "run")
    with grid.cell():
        show_start(choice)
