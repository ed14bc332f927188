"""Ctrl-K goes anywhere by name, and `?` shows the keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers.visitor import IN_A_BROWSER, Visitor
from tunixrt_core import open_home
from tunixrt_core.datasets.spec import DatasetSpec

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def home(home: Path) -> Path:
    with open_home(home) as rt:
        rt.traces.ingest_examples(20)
        rt.datasets.build(DatasetSpec("additions"))
    return home


def test_a_dataset_is_opened_by_some_letters_of_its_name_and_back_returns(visitor: Visitor) -> None:
    visitor.open("system")
    field = open_palette(visitor)
    field.fill("adtns v")
    visitor.page.get_by_role("option", name="additions v1").wait_for()
    field.press("Enter")
    visitor.page.wait_for_url(re.compile("/datasets.dataset=additions%3A1$"))
    visitor.sees("Version 1")
    assert visitor.page.locator("dialog[open]").count() == 0
    visitor.page.go_back()
    visitor.page.wait_for_url("**/system")
    visitor.settle()
    assert visitor.title() == "System"


def test_a_trace_is_found_by_its_words(visitor: Visitor) -> None:
    visitor.open("")
    field = open_palette(visitor)
    field.fill("dial shows")
    visitor.page.get_by_role("option", name="trace").first.click()
    visitor.page.wait_for_url(re.compile("/traces.trace=[0-9a-f]{64}$"))
    visitor.settle()


def test_a_setting_is_found_and_unfolded_in_its_form(visitor: Visitor) -> None:
    visitor.open("")
    field = open_palette(visitor)
    field.fill("weight decay")
    visitor.page.get_by_role("option", name="Weight decay").first.wait_for()
    field.press("Enter")
    visitor.page.wait_for_url(re.compile("/(new-run|tunix)"))
    visitor.settle()
    visitor.page.get_by_label("Weight decay").first.wait_for()


def test_words_that_nothing_has_are_said(visitor: Visitor) -> None:
    visitor.open("")
    open_palette(visitor).fill("zzqy")
    visitor.sees('Nothing is called "zzqy".')
    visitor.page.keyboard.press("Escape")
    assert visitor.page.locator("dialog[open]").count() == 0


def test_a_question_mark_shows_the_keys_but_not_while_one_types(visitor: Visitor) -> None:
    visitor.open("traces")
    field = visitor.page.locator(".stTextInput input").first
    field.press("?")
    assert field.input_value() == "?"
    assert visitor.page.locator("dialog[open]").count() == 0
    visitor.page.locator("h1").first.click()
    visitor.page.keyboard.press("?")
    visitor.sees("Go to a page, run, dataset, trace or setting (⌘ K on a Mac)")


def test_a_browser_keeps_chunks_for_good_and_asks_for_the_entry_again(visitor: Visitor) -> None:
    kept: dict[str, str] = {}
    visitor.page.on(
        "response", lambda one: kept.update({one.url.rpartition("/")[2]: one.headers.get("cache-control", "")})
    )
    visitor.open("system")
    open_palette(visitor)
    chunks = {name: value for name, value in kept.items() if name.startswith("c-")}
    assert chunks
    assert all("immutable" in value for value in chunks.values())
    assert "immutable" not in kept["ui.js"]


def open_palette(visitor: Visitor) -> Any:
    field = visitor.page.get_by_role("combobox", name="Go to")
    for _ in range(100):  # the part is loaded after the page
        visitor.page.keyboard.press("Control+k")
        if field.is_visible():
            break
        visitor.page.wait_for_timeout(100)
    return field
