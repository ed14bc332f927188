"""System: versions, device, disk, database, log and settings."""

from __future__ import annotations

import platform
from dataclasses import fields

import streamlit as st

import tunixrt_core
from app.overview.device import show_memory
from app.runs.queue import show_queue
from app.state import get_pipeline
from app.system.users import show_audit, show_users
from app.system.views import show_check, show_disk, show_log
from app.ui import blocks
from app.ui.boundary import error_boundary
from app.ui.components import card, halves, header, held_words
from app.ui.words import MISSING, size
from tunixrt_core.settings import Settings

SECRET = frozenset({"token", "oidc_client_secret"})


def setting_lines(settings: Settings) -> list[tuple[str, str]]:
    """All settings; a secret as set or not set, a database URL without its password."""
    lines = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in SECRET:
            value = "set" if value else "not set"
        elif field.name == "database_url":
            value = without_password(str(value))
        elif isinstance(value, tuple):
            value = ", ".join(value) or MISSING
        elif value is None:
            value = MISSING
        lines.append((f"TUNIXRT_{field.name.upper()}", str(value)))
    return lines


def without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{login.partition(':')[0]}:…@{place}" if at else url


def show_versions() -> None:
    status = rt.home.tunix_status()
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


def show_device() -> None:
    with (
        error_boundary(),
        card("Device", note="detected from device files; a run shows the device that JAX uses", key="device-facts"),
    ):
        host, holding = rt.home.host(), rt.home.holding()
        blocks.key_values(
            [
                ("Accelerator", host.device),
                ("CPU cores", f"{host.cores}"),
                ("Memory", size(host.memory_bytes)),
                ("Held by", held_words(holding) if holding.holder else "nobody"),
            ]
        )
        show_memory(holding, host.memory_bytes)


def show_held_queue() -> None:
    with error_boundary():
        show_queue()


rt = get_pipeline()
tick = 3 if rt.queue.state().holder else None
with header("System", "Versions, device, disk, database and settings"):
    st.link_button("API documentation", "/api/docs", icon=":material/api:", key="api-docs")
    st.link_button(
        "Download diagnostics",
        "/api/diagnostics",
        icon=":material/download:",
        type="primary",
        key="diagnostics",
        help="Zip file to attach to a report: versions, settings, logs, states of the newest runs. Contains no secrets "
        "and no text of traces or models.",
    )
with halves():
    show_versions()
    st.fragment(show_device, run_every=tick)()
with halves():
    show_disk()
    show_check()
st.fragment(show_held_queue, run_every=tick)()
show_users()
show_audit()
show_log()
with card("Settings", note="from the environment and the options of python -m app", key="settings"):
    blocks.key_values(setting_lines(rt.settings))
