"""What is looked at is in the address: a reload, the button "back" and a second tab show the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.helpers.reading import items, rows, shown_trace, shows_another
from tests.browser.helpers.visitor import IN_A_BROWSER, Visitor
from tunixrt_core import open_home

pytestmark = IN_A_BROWSER
PATIENCE = 60_000


@pytest.fixture(scope="module")
def home(home: Path) -> Path:
    """One with the bundled examples."""
    with open_home(home) as rt:
        rt.traces.ingest_examples()
    return home


@pytest.fixture
def reader(visitor: Visitor) -> Visitor:
    visitor.page.set_default_timeout(PATIENCE)
    return visitor


def seen_everywhere(visitor: Visitor, text: str) -> None:
    """Here, after a reload, and in a second tab."""
    visitor.sees(text, PATIENCE)
    visitor.page.reload()
    visitor.sees(text, PATIENCE)
    other = visitor.second_tab()
    other.page.goto(visitor.page.url)
    other.sees(text, PATIENCE)
    other.settle(PATIENCE)
    other.page.close()


def next_trace(visitor: Visitor, before: str) -> str:
    """The trace that is read after the key J."""
    visitor.page.keyboard.press("j")
    return changed(visitor, before)


def changed(visitor: Visitor, before: str) -> str:
    """The trace that is read once it is another one."""
    found = shows_another(visitor, before)
    visitor.settle(PATIENCE)
    return found


def test_filters_and_the_trace_that_is_read(reader: Visitor) -> None:
    reader.open("traces")
    reader.fill("q", "forward")
    reader.choose("chips", "Answer right")
    reader.page.wait_for_url(re.compile("chips="))
    assert "q=forward" in reader.page.url
    seen_everywhere(reader, reader.page.locator(".list .total").inner_text())
    items(reader).first.wait_for()
    rows(reader).first.wait_for()
    first = shown_trace(reader)
    second = next_trace(reader, first)
    reader.page.wait_for_url(re.compile(f"trace={second}"))
    seen_everywhere(reader, second)
    third = next_trace(reader, second)
    reader.page.wait_for_url(re.compile(f"trace={third}"))
    reader.page.go_back()
    assert changed(reader, third) == second
    reader.page.go_forward()
    assert changed(reader, second) == third
    reader.page.locator("[data-testid=stSidebarNavLink]").first.click()
    reader.page.wait_for_url(f"{reader.url}/")
    reader.settle(PATIENCE)
    reader.page.go_back()
    reader.page.wait_for_url(re.compile(f"q=forward.*trace={third}|trace={third}.*q=forward"))
    reader.sees(third, PATIENCE)


def test_the_two_traces_that_are_compared(reader: Visitor) -> None:
    reader.open("traces")
    for place in (0, 2):
        rows(reader).nth(place).locator(".choice").click()
    reader.page.get_by_role("button", name="Compare", exact=True).click()
    reader.page.wait_for_url(re.compile("with="))
    second = reader.page.url.partition("with=")[2][:8]
    seen_everywhere(reader, f"B · {second}")


def test_the_version_and_what_is_shown_of_it(reader: Visitor) -> None:
    reader.open("datasets?new=1")
    reader.fill("dataset-name", "shown")
    reader.press("build-dataset")
    reader.page.wait_for_url(re.compile("dataset=shown"))
    reader.sees("Version 1 · frozen", PATIENCE)
    reader.settle(PATIENCE)
    reader.choose("preview-split", "eval")
    reader.page.wait_for_url(re.compile("split=eval"))
    seen_everywhere(reader, "Version 1 · frozen")
    reader.settle(PATIENCE)
    eval_rows = reader.page.get_by_label(re.compile("rows of the eval split"))
    eval_rows.first.wait_for(state="attached")
    chart = reader.page.get_by_label(re.compile("^Tokens per row, estimate"))
    chart.first.wait_for(state="attached")
