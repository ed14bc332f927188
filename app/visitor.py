"""The caller of a page: from the gate, through a header, to the script's thread."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote, unquote

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from tunixrt_core.util.actors import Actor

SERVER = "access token"  # the name of who has the server's own token
ANYBODY = "anybody"  # of a server without a token
HEADER = "x-tunixrt-caller"  # set by the gate, which removes one that was sent


def to_header(name: str, writes: bool, address: str) -> str:
    """The value of the header for a caller."""
    return quote(json.dumps([name, writes, address]))


def visitor() -> Actor | None:
    """Who looks at the page whose script runs in this thread; None in other threads, and without a gate."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    headers: Mapping[str, str] = st.context.headers
    if not (given := headers.get(HEADER)):
        return None
    name, writes, address = json.loads(unquote(given))
    return Actor(name, "page", writes, address)
