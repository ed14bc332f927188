"""Pages, their place in the menu and links between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage

PAGES_DIR = Path(__file__).resolve().parents[2] / "pages"


@dataclass(frozen=True, slots=True)
class PageSpec:
    """One page. Its address is `/<key>`; that of the first page is `/`."""

    key: str
    file: str
    title: str
    icon: str
    section: str
    needs_tunix: bool = False

    def page(self) -> StreamlitPage:
        return st.Page(
            PAGES_DIR / self.file,
            title=self.title,
            icon=f":material/{self.icon}:",
            url_path=self.key,
            default=self.key == "overview",
        )


PAGES: tuple[PageSpec, ...] = (
    PageSpec("overview", "overview.py", "Overview", "dashboard", ""),
    PageSpec("traces", "traces.py", "Traces", "account_tree", "Data"),
    PageSpec("import", "import_traces.py", "Import traces", "upload", "Data"),
    PageSpec("datasets", "datasets.py", "Datasets", "dataset", "Data"),
    PageSpec("tunix", "tunix.py", "Export and manifest", "description", "Training"),
    PageSpec("preflight", "preflight.py", "Preflight", "fact_check", "Training", needs_tunix=True),
    PageSpec("new-run", "new_run.py", "New run", "play_arrow", "Training", needs_tunix=True),
    PageSpec("run", "run.py", "Runs", "monitoring", "Training", needs_tunix=True),
    PageSpec("evaluations", "evaluations.py", "Evaluations", "leaderboard", "Results"),
    PageSpec("playground", "playground.py", "Playground", "chat", "Results", needs_tunix=True),
    PageSpec("system", "system.py", "System", "memory", "Server"),
)


def sections(*, tunix: bool) -> dict[str, list[PageSpec]]:
    """The menu. Without Tunix, pages that need it are neither in it nor reachable by address."""
    menu: dict[str, list[PageSpec]] = {}
    for spec in PAGES:
        if tunix or not spec.needs_tunix:
            menu.setdefault(spec.section, []).append(spec)
    return menu


def go(key: str, **query: str) -> NoReturn:
    """Open another page, with its query."""
    spec = next(page for page in PAGES if page.key == key)
    st.switch_page(spec.page(), query_params=query)
