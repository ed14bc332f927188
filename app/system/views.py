"""System cards: disk, compile cache, database check, server log."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.background import follow
from app.ui.boundary import escape_markdown, show_error
from app.ui.components import card
from app.ui.visitors import act_button
from app.ui.words import duration, moment, plural, size
from tunixrt_core.errors import TunixRTError
from tunixrt_core.home.disk import DiskUse
from tunixrt_core.home.overview import CheckedStore
from tunixrt_core.pipeline.namespaces.home import CHECK, MEASURE
from tunixrt_core.util.tasks import Task

TICK = 1  # seconds between updates of a task
LOG_LINES = 200
COLORS = {
    "database": blocks.BLUE,
    "runs": blocks.RUST,
    "models": blocks.TEAL,
    "datasets": blocks.PINK,
    "compile cache": blocks.GRAY,
    "logs": "#A58A2A",
    "other": "#B6BECB",
}


def show_disk() -> None:
    """Sizes as last measured. A background task measures them, so that no page waits."""
    rt = get_pipeline()
    use = rt.home.disk_use()
    with card("Home and disk", note=f"measured {_ago(use.measured_at)}" if use else "", key="disk"):
        _follow(MEASURE, "Measuring the home")
        if use:
            _sizes(use, rt.home.host().disk_free_bytes)
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Measure again", icon=":material/refresh:", key="measure", disabled=_runs(MEASURE)):
                rt.home.measure_disk()
                st.rerun()
            _cache_button(use)


def _sizes(use: DiskUse, free: int) -> None:
    shown = [(name, value) for name, value in use.bytes.items() if value or name == "compile cache"]
    blocks.segments(
        [(name.capitalize(), value, COLORS[name]) for name, value in shown],
        ", ".join(f"{name} {size(value)}" for name, value in shown),
        words=size,
    )
    st.caption(f"{size(use.total)} in {plural(use.files, 'file')} · {size(free)} free on this disk")


def _cache_button(use: DiskUse | None) -> None:
    held = get_pipeline().queue.state().holder
    cached = use.bytes["compile cache"] if use else 0
    with st.popover(
        "Empty the compile cache",
        icon=":material/delete_sweep:",
        key="empty-cache",
        disabled=held is not None or not cached,
        help=f"{held.run} uses the cache. Empty it afterwards." if held else None if cached else "The cache is empty.",
    ):
        st.markdown(
            f"Removes {size(cached)} of compiled programs. Nothing else is lost: the next run, evaluation or answer "
            "compiles again, which takes a minute or more on an accelerator."
        )
        if act_button("Empty the cache", type="primary", key="empty-cache-now"):
            try:
                freed = get_pipeline().home.empty_compile_cache()
            except TunixRTError as error:
                show_error(error)
            else:
                st.toast(f"{size(freed)} freed. The next start compiles again.")
                st.rerun()


def show_check() -> None:
    """Results of the last database check. A new one runs in the background and can be stopped."""
    rt = get_pipeline()
    checked = rt.home.checked_store()
    note = f"checked {_ago(checked.checked_at)}" if checked else "never checked"
    with card("Database check", note=note, key="check"):
        task = rt.home.upkeep.last(CHECK)
        if task and task.status == "failed":
            st.error(f"The check failed. {escape_markdown(task.message)}", icon=":material/error:")
        _follow(CHECK, "Checking the database")
        if checked:
            _result(checked)
        else:
            st.caption("Reads every page and compares every trace with its hash. Other work continues meanwhile.")
        with st.container(horizontal=True, vertical_alignment="center"):
            if task and not task.over:
                if act_button("Stop the check", icon=":material/stop_circle:", key="stop-check"):
                    rt.home.stop_check(task.id)
            elif act_button("Check the database", icon=":material/fact_check:", key="start-check"):
                rt.home.start_check()
                st.rerun()


def _result(checked: CheckedStore) -> None:
    health = checked.health
    read = f"{plural(health.traces, 'trace')} and {plural(health.tombstones, 'tombstone')} read"
    took = f"in {duration(max(1.0, checked.seconds))}, {moment(datetime.fromtimestamp(checked.checked_at, UTC))}"
    if health.problems:
        blocks.checks([("blocked", problem, "") for problem in health.problems])
        st.markdown("Restore a backup with `tunixrt db restore`; it keeps the damaged database aside.")
        st.caption(f"{read} {took}.")
    else:
        blocks.checks([("pass", "Sound", f"{read} {took}.")])


def show_log() -> None:
    """The end of the server's log as text."""
    rt = get_pipeline()
    text = rt.home.server_log(LOG_LINES)
    with card("Server log", note=f"last {LOG_LINES} lines of {rt.settings.server_log}", key="server-log"):
        if not text:
            st.caption("There is no log yet. Only a server started with `python -m app` writes one.")
            return
        long = text.count("\n") > 12
        with st.container(height=280 if long else "content", border=False, autoscroll=long, key="log-tail"):
            st.code(text, language=None)
        if st.button("Read again", icon=":material/refresh:", key="read-log"):
            st.rerun()


def _follow(name: str, words: str) -> None:
    """The progress of a task while it runs. At its end the page reruns with the result."""
    upkeep = get_pipeline().home.upkeep
    if (task := upkeep.last(name)) and not task.over:
        show = partial(_show_progress, words=words)
        st.fragment(follow, run_every=TICK)(upkeep, task.id, show)


def _show_progress(task: Task[None], words: str) -> None:
    counted = f"{task.done:,} of {task.total:,} " if task.total else f"{task.done:,} " if task.done else ""
    parts = (words, f"{counted}{task.phase}", duration(task.seconds))
    st.progress(task.share, text=" · ".join(part for part in parts if part))


def _runs(name: str) -> bool:
    task = get_pipeline().home.upkeep.last(name)
    return task is not None and not task.over


def _ago(when: float) -> str:
    return f"{duration(datetime.now(UTC).timestamp() - when)} ago"
