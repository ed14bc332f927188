"""Five thousand runs in one list: found, sorted, grouped, opened, selected into charts; a live run follows itself."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers.visitor import IN_A_BROWSER, Visitor, visiting
from tests.helpers.many_runs import many_runs
from tests.helpers.servers import Server
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import TrainMetric, to_line
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.util.owners import this_owner

pytestmark = [*IN_A_BROWSER, pytest.mark.tunix]
COUNT = 5000
# notes what the browser is given to show, and shows it
NOTICES = """
() => {
  window.notices = [];
  const Shown = window.Notification;
  window.Notification = class extends Shown {
    constructor(title, options) { super(title, options); window.notices.push([title, options.body]); }
  };
}
"""
LIVE = "r-4990"


@pytest.fixture(scope="module")
def home(home: Path) -> Path:
    many_runs(home, COUNT)
    folder = RunDir(home / "runs" / LIVE)
    trains = RunState(
        RunStatus.RUNNING,
        train_step=200,
        total_train_steps=400,
        started_at=5.0,
        owner=this_owner(),
        phase="training",
    )
    folder.write_state(trains)
    return home


@pytest.fixture
def runs(visitor: Visitor) -> Visitor:
    visitor.open("run")
    row(visitor, "r-5000").wait_for()
    return visitor


def row(visitor: Visitor, run_id: str) -> Any:
    return visitor.page.locator(".body .row", has_text=run_id).first


def ids(visitor: Visitor) -> list[str]:
    """Ids of the rows that are drawn."""
    return [str(text) for text in visitor.page.locator(".body .row code").all_inner_texts()]


def becomes(visitor: Visitor, seen: Any, wanted: Any) -> None:
    """Wait until `seen()` gives what is wanted."""
    until = time.monotonic() + 20
    while (found := seen()) != wanted:
        assert time.monotonic() < until, found
        visitor.page.wait_for_timeout(50)


def count(visitor: Visitor) -> str:
    return str(visitor.page.locator(".toolbar .count").inner_text())


def select(visitor: Visitor, *run_ids: str) -> None:
    for run_id in run_ids:
        row(visitor, run_id).locator(".check").click()


def charts(visitor: Visitor) -> list[str]:
    return [str(text) for text in visitor.page.locator(".card[data-panel] h2").all_inner_texts()]


def test_the_whole_list_is_there_archived_runs_left_out_and_few_rows_drawn(runs: Visitor) -> None:
    assert count(runs) == "4,875 runs"
    assert len(ids(runs)) < 60
    runs.page.locator(".scroller").press("End")
    becomes(runs, lambda: ids(runs)[-1], "r-0001")


def test_a_search_and_a_filter_narrow_the_list_and_are_in_the_address(runs: Visitor) -> None:
    runs.page.get_by_role("searchbox").fill("second look qwen")
    becomes(runs, lambda: "q=second" in runs.page.url, True)
    found = count(runs)
    assert re.fullmatch(r"\d+ of 4,875 runs", found)
    runs.page.locator(".toolbar").get_by_role("button", name="State").click()
    runs.page.get_by_role("checkbox", name="Failed").check()
    becomes(runs, lambda: "status=failed" in runs.page.url, True)
    assert count(runs) != found
    states = set(runs.page.locator(".body .state").all_inner_texts())
    assert states == {"Failed"}
    runs.page.reload()
    runs.settle()
    becomes(runs, lambda: set(runs.page.locator(".body .state").all_inner_texts()), {"Failed"})
    assert runs.page.get_by_role("searchbox").input_value() == "second look qwen"
    runs.page.get_by_role("button", name="Clear", exact=True).click()
    becomes(runs, lambda: count(runs), "4,875 runs")


def test_a_header_sorts_and_what_was_not_measured_comes_last(runs: Visitor) -> None:
    runs.page.get_by_role("columnheader", name="Exact match").get_by_role("button").click()
    scores = runs.page.locator(".body .row .cell:last-child").all_inner_texts()
    values = [float(text.rstrip("%")) for text in scores]
    assert values == sorted(values, reverse=True)
    becomes(runs, lambda: "sort=tuned:down" in runs.page.url, True)
    runs.page.locator(".scroller").press("End")
    becomes(runs, lambda: runs.page.locator(".body .row .cell:last-child").last.inner_text(), "–")


def test_groups_have_their_count_and_fold(runs: Visitor) -> None:
    runs.page.get_by_role("button", name="Group").click()
    runs.page.get_by_role("radio", name="Model").check()
    runs.page.keyboard.press("Escape")
    group = runs.page.locator(".row.group").first
    assert group.locator("bdi").inner_text() == "google/gemma-3-1b-it"
    assert int(group.locator("small").inner_text()) > 500
    before = ids(runs)[0]
    group.click()
    becomes(runs, lambda: ids(runs)[0] != before, True)


def test_columns_are_chosen(runs: Visitor) -> None:
    runs.page.get_by_role("button", name="Columns").click()
    runs.page.get_by_role("checkbox", name="Learning rate").check()
    runs.page.get_by_role("columnheader", name="Learning rate").wait_for()
    becomes(runs, lambda: "learning_rate" in runs.page.url, True)


def test_a_click_opens_a_run_and_back_keeps_the_filter_and_the_session(runs: Visitor) -> None:
    runs.page.get_by_role("searchbox").fill("qwen3")
    runs.page.evaluate("() => { window.same = true }")
    becomes(runs, lambda: "q=qwen3" in runs.page.url, True)
    name = runs.page.locator(".body .row .name a").first.inner_text()
    runs.page.locator(".body .row").first.click()
    becomes(runs, runs.title, name)
    runs.page.go_back()
    becomes(runs, runs.title, "Runs")
    assert runs.page.get_by_role("searchbox").input_value() == "qwen3"
    assert runs.page.evaluate("() => window.same")


def test_the_keyboard_moves_selects_and_opens(runs: Visitor) -> None:
    scroller = runs.page.locator(".scroller")
    for key in ("ArrowDown", "j", " "):
        scroller.press(key)
    becomes(runs, lambda: runs.page.url.endswith("runs=r-4999"), True)
    scroller.press("k")
    scroller.press("Enter")
    runs.page.wait_for_url(re.compile("run=r-5000$"))
    runs.settle()


def test_ctrl_click_on_a_name_opens_the_run_in_a_tab_of_its_own(runs: Visitor) -> None:
    with runs.context.expect_page() as opened:
        row(runs, "r-4998").locator("a").click(modifiers=["ControlOrMeta"])
    opened.value.wait_for_url(re.compile("/run.run=r-4998$"))
    opened.value.close()
    assert runs.title() == "Runs"


def test_selected_runs_are_drawn_over_each_other_and_compared_after_a_reload_too(runs: Visitor) -> None:
    select(runs, "r-5000", "r-4999")
    becomes(runs, lambda: charts(runs), ["Train loss", "Eval loss"])
    assert "runs=r-5000,r-4999" in runs.page.url
    runs.page.reload()
    runs.settle()
    becomes(runs, lambda: charts(runs), ["Train loss", "Eval loss"])
    assert runs.page.locator(".legend.runs code").all_inner_texts() == ["r-5000", "r-4999"]
    runs.sees("settings differ")
    results = runs.page.locator(".comparison table").first.inner_text()
    assert "Best eval loss" in results
    colors = runs.page.locator(".legend.runs .mark").evaluate_all("marks => marks.map(m => m.style.background)")
    assert len(set(colors)) == 2


def test_a_drag_zooms_every_chart_and_a_double_click_shows_all(runs: Visitor) -> None:
    select(runs, "r-5000", "r-4999")
    becomes(runs, lambda: len(charts(runs)), 2)
    box = runs.page.locator("[data-panel=loss] .u-over").bounding_box()
    runs.page.mouse.move(box["x"] + 50, box["y"] + 50)
    runs.page.mouse.down()
    runs.page.mouse.move(box["x"] + 150, box["y"] + 50, steps=4)
    runs.page.mouse.up()
    runs.page.get_by_role("button", name="Show all").wait_for()
    runs.page.locator("[data-panel=eval_loss] .u-over").dblclick()
    becomes(runs, lambda: runs.page.get_by_role("button", name="Show all").count(), 0)


def test_a_tag_and_a_note_are_written_from_the_list(runs: Visitor, home: Path) -> None:
    select(runs, "r-4997")
    runs.page.get_by_role("button", name="Tag", exact=True).last.click()
    runs.page.get_by_role("textbox", name="New tag").fill("to keep")
    runs.page.keyboard.press("Enter")
    file = home / "runs" / "r-4997" / "annotations.json"
    becomes(runs, lambda: file.exists() and "to keep" in file.read_text(), True)
    runs.page.get_by_role("button", name="Note").click()
    runs.page.get_by_role("textbox", name="Note").fill("Look at the **end**.")
    runs.page.get_by_role("button", name="Keep note").click()
    becomes(runs, lambda: "Look at the **end**." in file.read_text(), True)
    runs.page.get_by_role("searchbox").fill("to keep end")
    becomes(runs, lambda: ids(runs), ["r-4997"])


def grow(home: Path, first: int, last: int) -> None:
    folder = RunDir(home / "runs" / LIVE)
    with folder.metrics_file.open("ab") as file:
        for step in range(first, last + 1):
            file.write(to_line(TrainMetric(train_step=step, loss=0.5, learning_rate=1e-4, time=float(step))))


def script_runs(visitor: Visitor) -> list[str]:
    """Messages that a script run has sent since now."""
    seen: list[str] = []
    visitor.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: seen.append("frame")))
    return seen


@pytest.mark.parametrize("address", [f"run?run={LIVE}", f"run?runs={LIVE}"])
def test_the_chart_of_a_live_run_grows_without_a_rerun(visitor: Visitor, home: Path, address: str) -> None:
    frames = script_runs(visitor)
    visitor.open(address)
    card = visitor.page.locator(".card[data-panel=loss]")
    card.wait_for()
    visitor.page.wait_for_timeout(1500)
    before, step = len(frames), 200 + 50 * len(address)
    grow(home, step, step + 20)
    becomes(visitor, lambda: " 0.5" in str(card.get_attribute("aria-label")), True)
    assert len(frames) == before


def test_the_page_of_a_run_is_drawn_again_when_the_run_ends(visitor: Visitor, home: Path) -> None:
    folder = RunDir(home / "runs" / "r-4988")
    live = {"train_step": 200, "total_train_steps": 400, "started_at": 5.0, "phase": "training"}
    folder.write_state(RunState(RunStatus.RUNNING, owner=this_owner(), **live))
    visitor.context.grant_permissions(["notifications"])
    visitor.open("run?run=r-4988")
    visitor.page.evaluate(NOTICES)
    visitor.sees_key("stop-run")
    visitor.page.locator(".line", has_text="train step 200 of 400").wait_for()
    visitor.page.get_by_role("button", name="Notify me").click()
    visitor.page.get_by_role("button", name="Will notify").wait_for()
    folder.write_state(RunState(RunStatus.SUCCEEDED, ended_at=99.0, **live))
    visitor.sees_key("evaluate-run")
    visitor.page.locator(".line", has_text="Finished").wait_for()
    assert visitor.page.locator(".bar").is_hidden()
    ((title, text),) = visitor.page.evaluate("() => window.notices")
    assert title.endswith("4988")
    assert text.startswith("Finished")


def test_before_the_first_train_step_the_phases_are_in_the_place_of_the_charts(visitor: Visitor, home: Path) -> None:
    folder = RunDir(home / "runs" / "r-4986")
    folder.metrics_file.unlink()
    now_at = time.time()
    begun = RunState(RunStatus.COMPILING, total_train_steps=400, started_at=now_at, phase_at=now_at, owner=this_owner())
    folder.write_state(replace(begun, phase="compiling"))
    visitor.open("run?run=r-4986")
    now = visitor.page.locator(".beginning [aria-current=step]")
    now.wait_for()
    assert now.inner_text().split("\n")[1:2] == ["Compile the train step"]
    assert visitor.page.locator(".card").count() == 0
    folder.metrics_file.write_bytes(to_line(TrainMetric(train_step=1, loss=0.5, learning_rate=1e-4, time=1.0)))
    folder.write_state(replace(begun, status=RunStatus.RUNNING, phase="training", train_step=1))
    visitor.sees_chart("loss")
    assert now.count() == 0


def test_the_list_and_the_charts_are_readable_on_a_phone(browser: Any, open_server: Server) -> None:
    with visiting(browser, open_server.url, size=(390, 844)) as phone:
        phone.open("run?runs=r-5000")
        row(phone, "r-5000").wait_for()
        becomes(phone, lambda: "Train loss" in charts(phone), True)
        assert phone.overflow() == 0
        assert row(phone, "r-5000").locator(".second").is_visible()
        assert phone.watch.problems == []
