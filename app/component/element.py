"""Mounts the component and registers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import streamlit as st
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
    _register()
    callbacks = {name: data.pop(name) for name in list(data) if name.startswith("on_")}
    mount = st.components.v2.component(NAME, js="ui.js")
    return mount(key=key, data={"kind": kind, **data}, default=default, height=height, **callbacks)


def _register() -> None:
    """Make the folder of the built files known.

    Streamlit finds the components of an installed distribution by itself, but not those of an editable one. Inline
    code would need `blob:` in the content policy. The names are private, and tests/browser holds them.
    """
    manager = get_bidi_component_manager()
    if manager.get_component_asset_root(NAME) is None:
        package, component = NAME.split(".")
        manifest = ComponentManifest(package, "1", [ComponentConfig(component, "assets")])
        manager.register_from_manifest(manifest, HERE)
