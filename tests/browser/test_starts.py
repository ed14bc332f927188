"""One click starts one thing: a double click, a page loaded again in the middle, and the same again on purpose."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.browser.helpers.visitor import IN_A_BROWSER, Visitor
from tests.pages.conftest import make_run
from tunixrt_core import DatasetSpec, open_home
from tunixrt_core.runs.record import RunStatus

pytestmark = [*IN_A_BROWSER, pytest.mark.tunix]
START = ".st-key-start-run button"
# The tests that start a run come last: it trains beside all that follow.


@pytest.fixture(scope="module")
def home(home: Path) -> Path:
    """One with the bundled examples, a dataset version and two finished runs, r-0001 and r-0002."""
    with open_home(home) as rt:
        rt.traces.ingest_examples()
        rt.datasets.build(DatasetSpec("examples"))
        for _ in range(2):
            make_run(rt, RunStatus.SUCCEEDED)
    return home


def runs(visitor: Visitor) -> list[str]:
    with urllib.request.urlopen(f"{visitor.url}/api/runs", timeout=60) as answer:
        return [run["id"] for run in json.load(answer)["runs"]]


def ready(visitor: Visitor) -> None:
    """The form, with its preflight done: nothing is about to be drawn again."""
    visitor.open("new-run")
    visitor.sees("preflight checks passed", timeout=120_000)
    visitor.settle()


def test_a_form_is_as_it_was_left_wherever_its_address_is_opened(visitor: Visitor) -> None:
    def batch_size(where: Visitor) -> str:
        where.sees("preflight checks passed", timeout=120_000)
        where.settle()
        return str(where.page.locator(".st-key-run-batch_size input").first.input_value())

    ready(visitor)
    visitor.unfold("run-optimizer")
    visitor.fill("run-batch_size", "24")
    assert batch_size(visitor) == "24"
    visitor.page.reload()
    assert batch_size(visitor) == "24"
    other = visitor.second_tab()
    other.page.goto(visitor.page.url)
    assert batch_size(other) == "24"
    other.page.close()

    visitor.press("go-preflight")
    visitor.sees_key("preflight-rows", timeout=120_000)
    visitor.page.reload()
    visitor.sees_key("preflight-rows", timeout=120_000)
    visitor.settle()  # a click on a page that is drawn again is lost
    visitor.press("back-to-settings")
    assert batch_size(visitor) == "24"
    visitor.page.go_back()
    visitor.sees_key("preflight-rows", timeout=120_000)
    visitor.page.go_back()
    assert batch_size(visitor) == "24"

    visitor.press("view-yaml")
    visitor.sees_key("download-yaml", timeout=60_000)
    visitor.settle()
    assert visitor.page.locator(".st-key-manifest-batch_size input").first.input_value() == "24"
    visitor.press("train-here")
    assert batch_size(visitor) == "24"


def test_a_double_click_starts_one_run(visitor: Visitor) -> None:
    before = runs(visitor)
    ready(visitor)
    visitor.page.locator(START).dblclick()
    visitor.page.wait_for_url(f"**/run?run=r-{len(before) + 1:04}*")
    visitor.settle()
    visitor.page.wait_for_timeout(2000)  # for a second one to come, if it does
    assert len(runs(visitor)) == len(before) + 1


def test_a_page_loaded_again_in_the_middle_of_a_start_knows_of_it(visitor: Visitor) -> None:
    ready(visitor)
    address = visitor.page.url
    assert "form=" in address
    before = runs(visitor)
    visitor.page.locator(START).click(no_wait_after=True)
    while runs(visitor) == before:
        visitor.page.wait_for_timeout(20)
    visitor.page.goto(address)
    visitor.sees(f"r-{len(before) + 1:04} was started with these settings.", timeout=60_000)
    assert len(runs(visitor)) == len(before) + 1
    again = visitor.page.locator(".st-key-start-run-1 button")
    again.get_by_text("Add to queue").wait_for()  # the device is busy with the first
    again.dblclick()
    visitor.page.wait_for_url(f"**/run?run=r-{len(before) + 2:04}*")
    visitor.page.wait_for_timeout(2000)
    assert len(runs(visitor)) == len(before) + 2
