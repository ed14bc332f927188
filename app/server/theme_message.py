"""Streamlit's theme message, computed once."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

Fill = Callable[..., None]  # of a message, and the name of a section
_fill: Fill = app_session._populate_theme_msg


def send_theme_from_memory() -> None:
    """Cache the message in this process. Changes of Streamlit's own config file apply from the next start.

    No page sets an option, and Streamlit 1.67 reads six sections again per script run: a quarter of the
    time of a small page.
    """
    app_session._populate_theme_msg = remembering(_fill)


def remembering(fill: Fill) -> Fill:
    """The same function with a cached message per section."""
    made: dict[str, CustomThemeConfig] = {}

    def remembered(msg: CustomThemeConfig, section: str = "theme") -> None:
        if section not in made:
            made[section] = CustomThemeConfig()
            fill(made[section], section)
        if made[section].ListFields():  # merging an empty message would mark it as present
            msg.MergeFrom(made[section])

    return remembered
