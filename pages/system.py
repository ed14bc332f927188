"""System: versions, device, home, queue and settings; what to quote when something is wrong."""

from __future__ import annotations

import platform
from dataclasses import fields

import streamlit as st

import tunixrt_core
from app import blocks
from app.boundary import error_boundary
from app.components import card, halves, header
from app.queue_views import show_queue
from app.state import get_pipeline
from app.words import MISSING, size
from tunixrt_core.settings import Settings

SECRET = frozenset({"token"})


def setting_lines(settings: Settings) -> list[tuple[str, str]]:
    """Every setting; a secret only as set or not, a database URL without its password."""
    lines = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in SECRET:
            value = "set" if value else "not set"
        elif field.name == "database_url":
            value = without_password(str(value))
        elif isinstance(value, tuple):
            value = ", ".join(value) or MISSING
        lines.append((f"TUNIXRT_{field.name.upper()}", str(value)))
    return lines


def without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{login.partition(':')[0]}:…@{place}" if at else url


def show_held_queue() -> None:
    with error_boundary():
        show_queue()


rt = get_pipeline()
status, host = rt.tunix_status(), rt.host()
with header("System", "Versions, device and settings of this server"):
    pass
with halves():
    with card("Versions", key="versions"):
        blocks.key_values(
            [
                ("Tunix RT", tunixrt_core.__version__),
                ("Tunix", status.version or "not installed"),
                ("JAX", status.jax_version or "not installed"),
                ("Streamlit", st.__version__),
                ("Python", platform.python_version()),
            ]
        )
        if not status.available:
            st.caption("To train on this machine:")
            st.code(status.install, language="bash")
    with card("Device", note="found from device files; a run names what JAX uses", key="device-facts"):
        queue = rt.queue()
        blocks.key_values(
            [
                ("Accelerator", host.device),
                ("CPU cores", f"{host.cores}"),
                ("Memory", size(host.memory_bytes)),
                ("Disk free", size(host.disk_free_bytes)),
                ("Held by", str(queue.holder) if queue.holder else "nobody"),
                ("Waiting", ", ".join(f"{job.run} ({job.kind})" for job in queue.waiting) or MISSING),
            ]
        )
st.fragment(show_held_queue, run_every=3 if rt.queue().holder else None)()
with card("Settings", note="from the environment and the options of python -m app", key="settings"):
    blocks.key_values(setting_lines(rt.settings))
st.link_button("API documentation", "/api/docs", icon=":material/api:", key="api-docs")
