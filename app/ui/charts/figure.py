"""Charts of Plotly, with text as large as that of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as plots

_TEXT = 13  # pixels; Streamlit's theme for Plotly has 12, and 11 in legends
_PLAIN: dict[str, Any] = {"displayModeBar": False}


def show_figure(figure: plots.Figure, *, key: str, alt: str, config: dict[str, Any] = _PLAIN) -> None:
    """Draw a figure. `alt` says the finding in words; `config` is Plotly's, and hides its toolbar by default."""
    for axis in (figure.update_xaxes, figure.update_yaxes):
        axis(tickfont_size=_TEXT, title_font_size=_TEXT)
    figure.update_layout(legend_font_size=_TEXT, hoverlabel_font_size=_TEXT)
    figure.update_annotations(font_size=_TEXT)
    st.plotly_chart(figure, key=key, config=config, alt=alt)
