"""Parts of the component can be shown, and their built files are whole."""

from __future__ import annotations

import re

from streamlit.testing.v1 import AppTest

from app.component.element import HERE

ASSETS = HERE / "assets"


def page() -> None:
    from app.component.element import element

    element("palette", key="first", pages=[], url="/api/places", keys=[])
    element("palette", key="second", pages=[], url="/api/places", keys=[])


def test_a_page_may_hold_several_parts_of_the_component() -> None:
    shown = AppTest.from_function(page).run()
    assert not shown.exception


def test_every_file_that_the_entry_loads_is_built() -> None:
    waiting, seen = ["ui.js"], set()
    while waiting:
        seen.add(name := waiting.pop())
        text = (ASSETS / name).read_text(encoding="utf-8")
        waiting += [chunk for chunk in re.findall(r"\./(c-[0-9A-Z]{8}\.js)", text) if chunk not in seen]
    assert {*seen, "LICENSES.txt"} == {path.name for path in ASSETS.iterdir()}
    assert len(seen) > 1


def test_every_kind_that_python_shows_has_a_module() -> None:
    entry = (HERE / "src" / "ui.ts").read_text(encoding="utf-8")
    known = set(re.findall(r'^  (\w+): \(\) => import\("\./', entry, re.MULTILINE))
    sources = [path for folder in ("app", "pages") for path in (HERE.parents[1] / folder).rglob("*.py")]
    shown = {
        kind for path in sources for kind in re.findall(r'\belement\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert shown
    assert shown <= known
