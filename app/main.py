"""Entry script of the dashboard: navigation, sidebar, error boundary."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import error_boundary
from app.ui.components import device_block
from app.ui.navigation import sections
from app.ui.palette import show_palette
from app.ui.visitors import show_visitor

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"

# before the navigation: otherwise the browser loads the tab's icon from a font server
st.set_page_config(page_icon=str(STATIC / "favicon.png"), layout="wide")
st.html(HERE / "style.css")  # once per page: inside a block it would be sent again at every tick
with error_boundary():
    tunix = get_pipeline().home.tunix_status().available
    menu = {section: [spec.page() for spec in specs] for section, specs in sections(tunix=tunix).items()}
    page = st.navigation(menu, expanded=True)
    st.set_page_config(page_title=f"{page.title} · Tunix RT")
    st.logo(str(STATIC / "logo.svg"), icon_image=str(STATIC / "mark.svg"), size="medium")
    with st.sidebar:
        st.container(border=False, height=1, key="sidebar-line")
        show_visitor()
        device_block()
    show_palette(tunix=tunix)
    with error_boundary():
        page.run()
