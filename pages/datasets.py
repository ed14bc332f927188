"""Datasets: build, inspect, download, train."""

from __future__ import annotations

from itertools import islice
from urllib.parse import quote

import streamlit as st

from app.datasets.build import show_build, show_builder
from app.datasets.lengths import lengths_of, pick_tokenizer, show_lengths, wait_for_lengths
from app.datasets.lists import small_list
from app.datasets.views import (
    scaled,
    show_card,
    show_checks,
    show_diff,
    show_findings,
    show_missing,
    show_split_table,
)
from app.state import get_pipeline
from app.ui import blocks
from app.ui.address import kept_in_address
from app.ui.components import card, empty_state, halves, header, tiles
from app.ui.navigation import go
from app.ui.words import MISSING, day, moment, one_line, percent, plural, short_hash, whole
from tunixrt_core.datasets.lengths import Lengths
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.traces.rows import SPLITS

PREVIEW_ROWS = 20
FORMATS = {"tunix_sft": "Tunix SFT", "trace": "Traces", "prompt_completion": "Prompt and completion"}


def show_versions(versions: list[DatasetVersion], shown: DatasetVersion) -> None:
    listed = [
        {"name": v.name, "version": v.version, "train": v.train_rows, "eval": v.eval_rows, "frozen": day(v.created_at)}
        for v in versions
    ]
    with card("Versions", note=whole(len(versions)), key="versions"):
        small_list(
            "versions",
            listed,
            key="version-list",
            shown=f"{shown.name}:{shown.version}",
            label=f"{plural(len(versions), 'dataset version')}, newest first",
        )


def show_split(version: DatasetVersion, lengths: Lengths | None) -> None:
    grouped = "similar prompts" if version.spec.split_by == "near_duplicate" else "normalised prompt"
    with card("Split", note=f"grouped by {grouped}, seed {version.spec.seed}", key="split"):
        blocks.segments(
            [("Train", version.train_rows, blocks.BLUE), ("Eval", version.eval_rows, blocks.TEAL)],
            f"{version.train_rows:,} train rows and {version.eval_rows:,} eval rows",
        )
        show_split_table(version, lengths)
        with st.expander("How it was made", key="spec"):
            blocks.key_values([*_facts(version), ("Content hash", version.content_hash)])
            st.code(version.spec.to_yaml(), language="yaml")


def _facts(version: DatasetVersion) -> list[tuple[str, str]]:
    spec = version.spec
    return [
        ("Source", spec.source or "all"),
        ("Search text", spec.text or MISSING),
        ("Selection", spec.selection + (f", at most {spec.limit:,}" if spec.limit else "")),
        ("Eval share", percent(spec.eval_share)),
        ("Negative examples", "included" if spec.negatives == "include" else "left out"),
        ("Same prompt twice", "kept one" if spec.dedupe == "prompt" else "kept both"),
    ]


def show_downloads(version: DatasetVersion) -> None:
    with card("Download", note="the same version gives the same bytes", key="downloads"):
        with st.container(horizontal=True):
            for format, words in FORMATS.items():
                st.link_button(
                    f"{words} (JSONL)",
                    f"/api/datasets/{quote(version.name)}/{version.version}/export.jsonl?format={format}",
                    icon=":material/download:",
                    key=f"download-{format}",
                )


def show_rows(version: DatasetVersion) -> None:
    with card("Rows", note=f"the first {PREVIEW_ROWS} of a split", key="rows"):
        write = kept_in_address("split", SPLITS, "train", key="preview-split")
        split = st.segmented_control("Split", SPLITS, key="preview-split", required=True, on_change=write)
        rows = list(islice(rt.datasets.rows(version.name, version.version, split), PREVIEW_ROWS))
        if not rows:
            st.caption(f"The {split} split is empty.")
            return
        listed = [
            {
                "id": trace.content_hash,
                "steps": len(trace.steps),
                "answer": one_line(trace.final_answer, 40),
                "prompt": one_line(trace.prompt),
            }
            for trace, _ in rows
        ]
        label = f"The first {len(rows)} rows of the {split} split"
        small_list("datasetRows", listed, key="row-preview", label=label, page="/traces?trace=")


def shown_version(versions: list[DatasetVersion]) -> DatasetVersion:
    """The version in the address, `?dataset=name:version`, or the newest. Raises NotFound."""
    name, _, number = st.query_params.get("dataset", "").partition(":")
    return rt.datasets.get(name, int(number) if number.isdigit() else None) if name else versions[0]


def show_version(versions: list[DatasetVersion], shown: DatasetVersion) -> None:
    show_missing(shown)
    lengths = lengths_of(shown)
    outcomes = rt.datasets.gates(shown.name, shown.version)
    about = f"Counted by {lengths.counted_by}." if lengths else "Being counted."
    tokens = scaled(lengths.tokens, shown, lengths) if lengths else MISSING
    tiles(
        [
            ("Rows", whole(shown.rows), ""),
            ("Train rows", whole(shown.train_rows), ""),
            ("Eval rows", whole(shown.eval_rows), ""),
            ("Tokens", tokens, about),
        ],
        key="dataset-counts",
    )
    with halves():
        show_versions(versions, shown)
        show_split(shown, lengths)
    # without gates the card beside the chart would be nearly empty
    with halves() if outcomes else st.container(key="lengths-above-checks"):
        with card("Tokens per row", note=lengths.counted_by if lengths else "", key="lengths"):
            pick_tokenizer()
            if lengths:
                show_lengths(lengths)
            else:
                wait_for_lengths(shown)
        warned = sum(1 for one in outcomes if one.rows)
        with card("Checks", note=f"{warned} of {len(outcomes)} found rows" if outcomes else "", key="checks"):
            show_checks(outcomes)
    show_findings(shown, outcomes)
    show_diff(shown, versions)
    show_rows(shown)
    show_downloads(shown)
    show_card(shown)


rt = get_pipeline()
versions = rt.datasets.versions()
if "build" in st.query_params:
    with header("New dataset version", "A frozen selection of traces to train and evaluate on"):
        if st.button("All versions", icon=":material/arrow_back:", key="all-versions"):
            go("datasets")
    show_build(st.query_params["build"])
elif not versions or "new" in st.query_params:
    with header("New dataset version", "A frozen selection of traces to train and evaluate on"):
        if versions and st.button("All versions", icon=":material/arrow_back:", key="all-versions"):
            go("datasets")
    if stored := st.session_state.pop("examples-stored", None):
        st.toast(stored, icon=":material/check:")
    if rt.traces.count():
        show_builder(versions)
    else:
        with empty_state(
            "No datasets yet", "A dataset version is built from traces, and there are none yet.", key="no-datasets"
        ):
            if st.button("Import traces", type="primary", key="go-import"):
                go("import")
else:
    shown = shown_version(versions)
    ref = f"{shown.name}:{shown.version}"
    with header(
        shown.name,
        f"Version {shown.version} · frozen {moment(shown.created_at)} · sha256 {short_hash(shown.content_hash)}",
    ):
        if st.button("New version", icon=":material/add:", key="new-version"):
            go("datasets", new="1")
        if st.button("Export and manifest", icon=":material/description:", key="go-tunix"):
            go("tunix", dataset=ref)
        if rt.home.tunix_status().available and st.button(
            "Train on this", type="primary", icon=":material/play_arrow:", key="train-on-this"
        ):
            go("new-run", dataset=ref)
    show_version(versions, shown)
