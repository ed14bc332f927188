"""Mounts the component and registers it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

NAME = "tunix-rt.ui"
HERE = Path(__file__).resolve().parent


def element(
    kind: str,
    *,
    key: str,
    height: int | Literal["content", "stretch"] = "content",
    default: dict[str, Any] | None = None,
    **data: Any,
) -> Any:
    """Show a part of the page that the component draws; returns its values, such as `.selected`.

    `kind` is a module of `src/`. `data` carries addresses, versions and small settings, as it is serialised and hashed
    at every rerun: what is large is loaded by the component itself from a route of the API. Keywords that start with
    `on_` are callbacks of the values that it sets (`on_selected_change`).
    """
    callbacks = {name: data.pop(name) for name in list(data) if name.startswith("on_")}
    mount = _mount(get_bidi_component_manager())
    return mount(key=key, data={"kind": kind, **data}, default=default, height=height, **callbacks)


@lru_cache(maxsize=1)
def _mount(manager: BidiComponentManager) -> Any:
    """The function that mounts the component, made once: it looks for the built files, which took a millisecond of each
    part of a page. A test has a manager of its own.
    """
    _register(manager)
    return st.components.v2.component(NAME, js="ui.js")


def _register(manager: BidiComponentManager) -> None:
    """Make the folder of the built files known.

    Streamlit finds the components of an installed distribution by itself, but not those of an editable one. Inline
    code would need `blob:` in the content policy. The names are private, and tests/browser holds them.
    """
    if manager.get_component_asset_root(NAME) is None:
        package, component = NAME.split(".")
        manifest = ComponentManifest(package, "1", [ComponentConfig(component, "assets")])
        manager.register_from_manifest(manifest, HERE)
