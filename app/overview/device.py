"""Device card of the overview: holder, time left, memory, disk."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import escape_markdown
from app.ui.components import card, held_words, tunix_words
from app.ui.navigation import go
from app.ui.words import plural, size
from tunixrt_core.jobs.holding import DeviceMemory, Holding
from tunixrt_core.util.host import MemoryUse


def show_device_card() -> None:
    """The current state; a fragment draws it again while a job runs."""
    rt = get_pipeline()
    host, holding, waiting = rt.home.host(), rt.home.holding(), rt.queue.state().waiting
    with card("Device", note=f"{host.device} · {tunix_words()}", key="device-card"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            behind = f", {plural(len(waiting), 'job')} waiting" if waiting else ""
            st.markdown(escape_markdown(f"{held_words(holding)}{behind}"), width="content")
            st.badge("Busy" if holding.holder else "Free", color="blue" if holding.holder else "green")
        show_memory(holding, host.memory_bytes)
        use = rt.home.disk_use()
        cache = f"compile cache {size(use.bytes['compile cache'])}" if use else "compile cache is being measured"
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.caption(
                f"{plural(host.cores, 'CPU core')} · {size(host.disk_free_bytes)} disk free · {cache}", width="content"
            )
            if st.button("System", icon=":material/memory:", key="go-system", type="tertiary"):
                go("system")


def show_memory(holding: Holding, total: int) -> None:
    """A memory bar: of the accelerator as JAX last reported it, else of this machine."""
    if holding.device_memory:
        _device_memory(holding.device_memory)
    elif holding.memory:
        who = holding.holder.run if holding.holder else "This server"
        _machine_memory(holding.memory, who)
    else:
        st.caption(f"{size(total)} memory")


def _device_memory(memory: DeviceMemory) -> None:
    """Accelerator memory as JAX reports it: in use now, and the peak above that. JAX reports no total."""
    blocks.segments(
        [("In use on the device", memory.in_use, blocks.BLUE), ("more at its peak", memory.peak - memory.in_use, "")],
        f"{size(memory.in_use)} in use on the device, peak {size(memory.peak)}",
        words=size,
    )


def _machine_memory(memory: MemoryUse, who: str) -> None:
    blocks.segments(
        [
            (who, memory.process, blocks.BLUE),
            ("Other processes", memory.others, blocks.GRAY),
            ("Free", memory.free, ""),
        ],
        f"Memory: {who} {size(memory.process)}, other processes {size(memory.others)}, free {size(memory.free)}",
        words=size,
    )
