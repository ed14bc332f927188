"""Every page can be read: wide and narrow, light and dark, with the keyboard, and with a screen reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers.inspection import AXE, axe_findings, contrasts, tab_stops, text_sizes, unnamed
from tests.browser.helpers.reading import items, rows, shown_trace, shows_another
from tests.browser.helpers.visitor import IN_A_BROWSER, Visitor, visiting
from tests.conftest import cases
from tests.helpers.homes import fake_home
from tests.helpers.servers import Server
from tests.pages.conftest import evaluate, make_run
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available

pytestmark = [*IN_A_BROWSER, pytest.mark.timeout(600)]

# address, and the heading of that page
PAGES = [
    ("", "Overview"),
    ("traces", "Traces"),
    ("traces?view=Prompt+groups", "Traces"),
    ("import", "Import traces"),
    ("datasets?dataset=examples:1", "examples"),
    ("datasets?new=1", "New dataset version"),
    ("tunix", "Export and manifest"),
    ("evaluations", "Evaluations"),
    ("system", "System"),
]
TUNIX_PAGES = [
    ("preflight?run=r-0001", "Preflight"),
    ("new-run", "New run"),
    ("run", "Runs"),
    ("run?run=r-0001", None),
    ("run?run=r-0001&tab=Config", None),
    ("run?run=r-0002", None),
    ("run?runs=r-0001,r-0003", "Runs"),
    ("playground", "Playground"),
]
# what axe finds in Streamlit's own elements, by rule: the elements, and what it says of them
STREAMLITS_OWN = {
    # the menu is a list whose sections are divisions between it and its items
    "list": "[data-testid=stSidebarNavItems]",
    "listitem": "[data-testid=stSidebarNavItems]",
    # long code scrolls, and only the mouse can do it
    "scrollable-region-focusable": "[data-testid=stCode]",
}
TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
TEXT_PIXELS = 13


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with traces, a dataset version, an evaluated run, one that failed and one that was stopped."""
    home = tmp_path_factory.mktemp("layout") / "home"
    with fake_home(home) as rt:
        rt.traces.ingest_examples(60)
        rt.datasets.build(DatasetSpec("examples"))
        for status, message in (
            (RunStatus.SUCCEEDED, ""),
            (RunStatus.FAILED, "The loss is not a number at train step 12."),
            (RunStatus.STOPPED, "Stopped on request."),
        ):
            made = make_run(rt, status, message=message, alert_at=20)
            if status is RunStatus.SUCCEEDED:
                evaluate(rt, made)
                rt.evaluations.keep_predictions(rt.evaluations.records(made.id)[0].id, only_correct=False)
        rt.traces.ingest_examples(80)  # the newest have several steps
    return home


def pages() -> list[tuple[str, str | None]]:
    return [*PAGES, *(TUNIX_PAGES if is_tunix_available() else [])]


Window = tuple[int, str]  # width in CSS pixels, colours
# A page becomes another window while it is open, the next page is opened as that. With --all each is a walk of its own.
WINDOWS: tuple[tuple[Window, ...], ...] = (
    ((1440, "light"), (900, "dark")),
    ((1440, "dark"),),
    ((900, "light"),),
    ((900, "dark"),),
)


@pytest.mark.parametrize(
    "windows",
    cases(((each,) for each in WINDOWS), {WINDOWS[:1]}),
    ids=lambda windows: "-".join(f"{width}-{scheme}" for width, scheme in windows),
)
def test_every_page_is_readable(browser: Any, open_server: Server, windows: tuple[Window, ...]) -> None:
    found: list[str] = []
    with_axe = (1440, "light") in windows  # what it finds beyond the rest here depends on neither
    width, scheme = windows[0]
    with visiting(browser, open_server.url, size=(width, 900), dark=scheme == "dark") as visitor:
        for path, heading in pages():
            visitor.open(path)
            visitor.page.locator("h1").first.wait_for()
            for width, scheme in windows:
                visitor.become(width, scheme)
                found += [f"/{path}, {width}, {scheme}: {each}" for each in complaints(visitor, heading)]
                if with_axe and AXE.exists() and scheme == "light":
                    found += [f"/{path}: {each}" for each in axe_findings(visitor.page, STREAMLITS_OWN)]
            windows = windows[::-1]
        assert visitor.page.evaluate("() => document.documentElement.lang") == "en"
        found += visitor.watch.problems
    assert not found, "\n".join(found)
    if with_axe and not AXE.exists():
        pytest.skip("All but axe is checked. axe-core is not installed: `make component` does it, with npm.")


def complaints(visitor: Visitor, heading: str | None) -> Iterator[str]:
    """What is wrong with a page as it is drawn in this window."""
    headings = visitor.page.locator("h1").all_inner_texts()
    if len(headings) != 1 or (heading and headings != [heading]):
        yield f"headings {headings}"
    if not visitor.page.title().endswith("· Tunix RT"):
        yield f"the tab is called {visitor.page.title()}"
    if (over := visitor.overflow()) > 0:
        yield f"scrolls sideways by {over} pixels"
    yield from (f"no text for {each}" for each in unnamed(visitor.page))
    for text, ratio in contrasts(visitor.page).items():
        if ratio < TEXT_CONTRAST:
            yield f"contrast {ratio:.2f} of {text!r}"
    yield from (f"{pixels} px: {text!r}" for text, pixels in text_sizes(visitor.page).items() if pixels < TEXT_PIXELS)


def test_a_row_of_every_list_opens_by_click_and_by_keyboard(visitor: Visitor) -> None:
    visitor.open("evaluations?run=r-0001")
    grid = visitor.page.get_by_role("grid", name="answers with the reference")
    row = grid.locator(".rows .row")
    row.nth(2).locator("div").last.click()
    visitor.page.wait_for_url("**row=*")
    visitor.sees("Row 3")
    assert row.nth(2).get_attribute("aria-selected") == "true"
    grid.press("ArrowUp")
    grid.press("Enter")
    visitor.sees("Row 2")
    visitor.page.go_back()
    visitor.sees("Row 3")
    visitor.open("traces?view=Prompt+groups")
    prompts = visitor.page.get_by_role("grid", name="Prompts with several traces")
    prompts.locator(".rows .row").first.wait_for()
    prompts.press("ArrowDown")
    prompts.press("Enter")
    visitor.page.wait_for_url("**group=*")
    rows(visitor).nth(1).wait_for()
    assert rows(visitor).count() == 2
    if not is_tunix_available():
        return
    visitor.open("")
    runs = visitor.page.get_by_role("grid", name="The newest runs")
    runs.locator(".rows .row", has_text="r-0001").wait_for()
    runs.press("ArrowDown")
    runs.press("Enter")
    visitor.page.wait_for_url("**/run?run=r-0002")
    visitor.page.go_back()
    runs.locator(".rows .row").first.locator("a").click()
    visitor.page.wait_for_url("**/run?run=r-0003")


def test_tab_goes_through_the_menu_and_then_down_the_page(visitor: Visitor) -> None:
    visitor.open("traces")
    visitor.sees_key("reader")
    visitor.drawn()  # the table is seven stops, if its code was loaded in time
    stops = tab_stops(visitor.page)
    assert stops[-1]["name"].endswith("JSON"), stops  # the last of the page: the focus was nowhere lost before
    places = [stop["place"] for stop in stops]
    first_main = places.index("main")
    assert "sidebar" in places[:first_main]
    assert set(places[first_main:]) == {"main"}
    # top to bottom: what is further down is not reached before what is clearly above it, column by column
    left = [stop for stop in stops[first_main:] if stop["left"] < 500]
    assert [stop["top"] for stop in left] == sorted(stop["top"] for stop in left), left


def test_traces_are_read_and_judged_with_the_keyboard_alone(visitor: Visitor) -> None:
    visitor.open("traces")
    items(visitor).first.wait_for()
    rows(visitor).first.wait_for()
    first = shown_trace(visitor)
    visitor.page.keyboard.press("j")
    second = shows_another(visitor, first)
    visitor.settle()
    visitor.page.keyboard.press("k")
    assert shows_another(visitor, second) == first
    visitor.settle()
    visitor.page.keyboard.press("g")
    bar = visitor.page.locator(".judging")
    bar.get_by_text("Step 1").wait_for()  # the next to be judged
    visitor.page.locator(".reader .answer .score", has_text="Good").wait_for()
    visitor.page.keyboard.press("n")
    bar.get_by_text("Step 2").wait_for()
    visitor.page.get_by_role("button", name="Delete").first.click()
    delete = visitor.page.locator(".st-key-confirm-delete button")
    delete.wait_for()
    assert delete.evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(201, 39, 29)", "it is red"


@pytest.mark.parametrize("width", cases((1440, 900, 390), {1440, 390}))
def test_the_button_that_starts_is_in_view_from_the_first_look_to_the_last_field(
    browser: Any, open_server: Server, width: int
) -> None:
    forms = [("datasets?new=1", "build-dataset")]
    if is_tunix_available():
        forms += [("new-run", "start-run"), ("evaluations?new=1&run=r-0001", "start-evaluation")]
    with visiting(browser, open_server.url, size=(width, 900)) as visitor:
        for path, key in forms:
            visitor.open(path)
            button = visitor.page.locator(f".st-key-{key} button").first
            for place in (0, 1):
                visitor.page.evaluate("end => { const e = document.querySelector('[data-testid=stMain]'); "
                                      "e.scrollTop = end * e.scrollHeight }", place)  # fmt: skip
                button.wait_for()
                box = button.bounding_box()
                assert box is not None
                assert box["y"] + box["height"] <= 900, (path, place, box)
                assert box["x"] + box["width"] <= width, (path, place, box)
        assert visitor.watch.problems == []
