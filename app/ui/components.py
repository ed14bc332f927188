"""Page components: header, card, tiles, empty state, badge, device."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import pyarrow as pa
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.grid_container import GridContainer

from app.state import get_pipeline
from app.ui.boundary import error_boundary, escape_markdown, say_missing
from app.ui.words import STATE_WORDS, duration, plural
from tunixrt_core.jobs.holding import Holding
from tunixrt_core.runs.record import RunStatus

BadgeColor = Literal["red", "orange", "blue", "green", "gray"]

STATE_COLORS: dict[RunStatus, BadgeColor] = {
    RunStatus.QUEUED: "gray",
    RunStatus.LOADING: "blue",
    RunStatus.COMPILING: "blue",
    RunStatus.RUNNING: "blue",
    RunStatus.STOPPING: "orange",
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "orange",
    RunStatus.INTERRUPTED: "orange",
    RunStatus.BROKEN: "red",
}
_STATE_ICONS: dict[RunStatus, str] = {
    RunStatus.QUEUED: "hourglass_empty",
    RunStatus.LOADING: "downloading",
    RunStatus.COMPILING: "build",
    RunStatus.RUNNING: "play_circle",
    RunStatus.STOPPING: "stop_circle",
    RunStatus.SUCCEEDED: "check_circle",
    RunStatus.FAILED: "error",
    RunStatus.STOPPED: "stop_circle",
    RunStatus.INTERRUPTED: "power_off",
    RunStatus.BROKEN: "broken_image",
}


@contextmanager
def header(title: str, caption: str = "") -> Iterator[None]:
    """Title and one grey line at the left; content inside goes to the right, or below on a narrow page."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="header"):
        with st.container(gap=None, width="content"):
            st.title(escape_markdown(title), anchor=False)  # may be the name of a run, as its user typed it
            if caption:
                st.caption(escape_markdown(caption))
        with st.container(horizontal=True, width="content", vertical_alignment="center", key="header-actions"):
            yield


@contextmanager
def card(title: str, note: str = "", *, key: str) -> Iterator[None]:
    """A bordered box with a bold title and a grey note at its right."""
    with st.container(border=True, height="stretch", key=key):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{escape_markdown(title)}**", width="content")
            if note:
                st.caption(escape_markdown(note), width="content")
        yield


def halves() -> GridContainer:
    """Two cards side by side with equal height; stacked on a narrow page."""
    return st.grid(2, min_column_width=430)


def wide_and_narrow() -> tuple[DeltaGenerator, DeltaGenerator]:
    """A wide column for a form and a narrow one for its result; stacked on a narrow page."""
    grid = st.grid(3, min_column_width=290)
    return grid.cell(column_span=2), grid.cell()


def foot_bar() -> DeltaGenerator:
    """A bar at the foot of the window while its form is in view, for what the form starts.

    Make it as the last part of the form, and fill it when the form is read.
    """
    return st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="foot-bar")


def narrow_and_wide() -> tuple[DeltaGenerator, DeltaGenerator]:
    """A narrow column for a list and a wide one for what is chosen in it; stacked on a narrow page."""
    grid = st.grid(3, min_column_width=290)
    return grid.cell(), grid.cell(column_span=2)


def tiles(values: Sequence[tuple[str, str, str]], *, key: str, columns: int = 4, width: int = 150) -> None:
    """A quiet row of numbers: `(label, value, help or "")`, each at least `width` pixels wide."""
    with st.container(key=key):
        with st.grid(columns, min_column_width=width):
            for label, value, hint in values:
                st.metric(label, value, help=hint or None)


@contextmanager
def empty_state(title: str, text: str, *, key: str) -> Iterator[None]:
    """Placeholder of an empty page: what is missing and what it is for. Content inside offers the next action."""
    with st.container(border=True, key=key, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f"**{title}**", width="content")
        st.markdown(text, width="content", text_alignment="center")
        with st.container(horizontal=True, horizontal_alignment="center"):
            yield
        st.space("small")


def state_badge(status: RunStatus) -> None:
    st.badge(STATE_WORDS[status], color=STATE_COLORS[status], icon=f":material/{_STATE_ICONS[status]}:")


_LOOK: dict[str, Any] = {"hide_index": True, "row_height": 36, "placeholder": "–"}  # of every table


def _arrow(rows: Sequence[dict[str, Any]], columns: Collection[str]) -> pa.Table:
    """Rows as Streamlit sends them: pandas would take three times as long per script run."""
    return pa.table({name: pa.array([row.get(name) for row in rows], from_pandas=True) for name in columns})


def table(
    rows: Sequence[dict[str, Any]], columns: dict[str, Any], *, key: str, alt: str, height: Any = "content"
) -> None:
    """A read-only table."""
    st.dataframe(
        _arrow(rows, columns),
        column_config=columns,
        height=height,
        **_LOOK,
        key=key,
        alt=alt,
    )


_NAMED = {"run": "run", "dataset": "dataset version"}  # in an address; other choices change with these


def address_select(
    label: str, options: Sequence[str], name: str, words: Callable[[str], str], *, key: str, **layout: Any
) -> str:
    """A select box whose choice is always in the address as `?name=`, including the default.

    (`bind=` drops a default from the address, and the default changes with every new run.)
    """
    wanted = st.query_params.get(name, "")
    gone = f"{key}-missing"  # kept, as a page that waits for something runs again with the address of the choice
    if wanted and wanted not in options:
        st.session_state[gone] = wanted
    elif not wanted:
        st.session_state.pop(gone, None)
    if name in _NAMED and gone in st.session_state:
        say_missing(_NAMED[name], st.session_state[gone])
    st.session_state[key] = wanted if wanted in options else options[0]

    def write() -> None:
        st.query_params[name] = st.session_state[key]
        st.session_state.pop(gone, None)

    chosen = st.selectbox(label, options, format_func=words, key=key, on_change=write, **layout)
    if wanted != chosen:
        st.query_params[name] = chosen
    return str(chosen)


def tunix_words() -> str:
    """`Tunix 0.1.7 · JAX 0.10.2`, or `Tunix is not installed`."""
    status = get_pipeline().home.tunix_status()
    return f"Tunix {status.version} · JAX {status.jax_version}" if status.available else "Tunix is not installed"


def held_words(holding: Holding) -> str:
    """The accelerator's job and its time left: `Trains tiny-dial (r-0142), about 26 min left`."""
    holder = holding.holder
    if holder is None:
        return "Free"
    action = {"train": "Trains", "export": "Exports", "dry run": "Dry run of", "playground": "Asks"}.get(
        holder.kind, "Evaluates"
    )
    left = f", about {duration(holding.seconds_left)} left" if holding.seconds_left is not None else ""
    elsewhere = "" if holder.ours else f", in {holder.where}"
    run = f"{holding.name} ({holder.run})" if holding.name else holder.run
    return f"{action} {run}{left}{elsewhere}"


def device_block() -> None:
    """Sidebar block: the device, its job and time left, and the versions. Updates while the device is busy."""
    if get_pipeline().queue.state().holder is None:
        _device_block()
    else:
        st.fragment(_device_block, run_every=3)()


def _device_block() -> None:
    with error_boundary():
        rt = get_pipeline()
        queue = rt.queue.state()
        with st.container(key="device", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.markdown(f":small[{rt.home.host().device}]", width="content")
                st.badge("Busy" if queue.holder else "Free", color="blue" if queue.holder else "green")
            if queue.holder:
                behind = f", {plural(len(queue.waiting), 'job')} waiting" if queue.waiting else ""
                st.caption(escape_markdown(f"{held_words(rt.home.holding())}{behind}"))
            st.caption(tunix_words())
