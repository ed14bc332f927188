"""One user's way through the dashboard, in a real browser: from the empty home to an evaluated model."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from tests.browser.helpers.reading import items, rows
from tests.browser.helpers.visitor import IN_A_BROWSER, Visitor, visiting
from tests.helpers.servers import Server

pytestmark = IN_A_BROWSER

TRAINING_MS = 480_000
TRAIN_STEPS = 400  # of about 20 ms: more than pass during a click
BATCH_SIZE = 8


def make_dataset(visitor: Visitor) -> None:
    """From the empty home to a dataset version, with the buttons that the pages offer."""
    visitor.open("")
    visitor.press("load-examples")
    visitor.press("build-dataset")
    visitor.sees_key("split")


@pytest.fixture(scope="module")
def dataset_made(browser: Any, open_server: Server) -> str:
    """The address that a newcomer's way from the empty home to a dataset version leads to."""
    with visiting(browser, open_server.url) as newcomer:
        newcomer.open("")
        newcomer.sees("Nothing here yet")
        make_dataset(newcomer)
        newcomer.page.wait_for_url("**/datasets?dataset=*")
        assert newcomer.watch.problems == []
        return newcomer.page.url.removeprefix(f"{open_server.url}/")


def test_a_newcomer_gets_from_the_empty_home_to_a_manifest(dataset_made: str, visitor: Visitor) -> None:
    visitor.open(dataset_made)
    visitor.press("go-tunix")
    visitor.sees("manifest_version")
    assert visitor.download("download-yaml").read_text().startswith("manifest_version:")
    assert b'"trace_steps"' in visitor.download("download-export").read_bytes().splitlines()[0]


def start_checked_run(visitor: Visitor, train_steps: int) -> None:
    """From a dataset version through the preflight to a run of the smallest model that has begun."""
    visitor.press("train-on-this")
    visitor.page.wait_for_url("**/new-run?*")
    visitor.open(f"{visitor.page.url.removeprefix(visitor.url).lstrip('/')}&model=tiny-micro")
    visitor.choose("run-by", "Train steps")
    visitor.fill("run-train_steps", str(train_steps))
    visitor.unfold("run-optimizer")
    visitor.fill("run-batch_size", str(BATCH_SIZE))
    visitor.press("go-preflight")
    visitor.sees_key("preflight-rows", timeout=TRAINING_MS)
    visitor.press("start-checked", timeout=TRAINING_MS)
    visitor.page.wait_for_url("**/run?run=r-0001")


@pytest.mark.tunix
@pytest.mark.timeout(1800)
def test_the_whole_way_from_a_dataset_to_the_exported_model(dataset_made: str, visitor: Visitor) -> None:
    visitor.open(dataset_made)
    start_checked_run(visitor, TRAIN_STEPS)

    # stopped as soon as it is seen to train, and resumed
    visitor.sees_chart("loss", timeout=TRAINING_MS)
    visitor.press("stop-run")
    visitor.sees_key("resume-run", timeout=TRAINING_MS)
    visitor.sees("Stopped")
    visitor.press_twice("resume-run")

    # watched, reloaded, and the same in a second tab
    visitor.sees_chart("loss", timeout=TRAINING_MS)
    visitor.page.reload()
    visitor.sees_chart("loss", timeout=TRAINING_MS)
    other = visitor.second_tab()
    other.open("run?run=r-0001")
    other.sees_chart("loss", timeout=TRAINING_MS)
    other.page.close()
    visitor.sees(f"train step {TRAIN_STEPS:,} of {TRAIN_STEPS:,}", timeout=TRAINING_MS)
    visitor.sees("Finished", timeout=TRAINING_MS)

    visitor.press_twice("evaluate-run")
    visitor.sees_key("comparison", timeout=TRAINING_MS)
    visitor.sees_key("prediction", timeout=TRAINING_MS)
    visitor.sees("McNemar p", timeout=TRAINING_MS)

    start_clone(visitor, "train_steps=20")
    visitor.open("run?runs=r-0001,r-0002")
    visitor.sees_chart("loss")
    visitor.sees("duration.train_steps")
    with visitor.page.expect_download() as file:
        visitor.page.get_by_role("link", name="CSV").click()
    assert "r-0002" in file.value.path().read_text()

    ask_and_edit(visitor)
    export_and_open(visitor)
    assert started(visitor) == {"runs": 2, "evaluations": 3}, "a double click starts once"


def started(visitor: Visitor) -> dict[str, int]:
    """How many runs there are, and evaluations of the first: base, base with its own prompt, tuned."""

    def answer(path: str) -> Any:
        return visitor.page.request.get(f"{visitor.url}/api/{path}").json()

    return {"runs": len(answer("runs")["runs"]), "evaluations": len(answer("runs/r-0001/evaluations")["evaluations"])}


def start_clone(visitor: Visitor, change: str) -> None:
    visitor.open("run?run=r-0001")
    visitor.press("more-run")
    visitor.page.locator(".st-key-clone-run summary").first.click()
    changes = visitor.page.locator(".st-key-clone-changes textarea").first
    changes.fill(change)
    changes.press("Control+Enter")
    visitor.settle()
    visitor.press_twice("clone-start")
    visitor.page.wait_for_url("**/run?run=r-0002")
    visitor.sees("train step 20 of 20", timeout=TRAINING_MS)  # "Finished" may still be that of the run before
    visitor.sees("Finished", timeout=TRAINING_MS)


def ask_and_edit(visitor: Visitor) -> None:
    """Ask the tuned model, write the beginning of its answer, and cut that at its first step."""
    visitor.open("playground?models=r-0001:last")
    prompt = visitor.page.locator(".st-key-play-prompt textarea").first
    prompt.fill("Where does the dial end?")
    prompt.press("Control+Enter")
    visitor.settle()
    visitor.press("ask")
    visitor.page.locator(".st-key-play-0-edit button").first.wait_for(timeout=TRAINING_MS)
    visitor.settle()
    visitor.press("play-0-edit")
    begun = visitor.page.locator(".st-key-play-0-begun textarea")
    begun.fill("<reasoning>\nfirst\nsecond\n")
    begun.press("Control+Enter")
    visitor.settle()
    visitor.press("play-0-on")
    step = visitor.page.locator(".st-key-play-0-answer .item.step").filter(has_text="first")
    step.wait_for(timeout=TRAINING_MS)
    visitor.settle()
    step.hover()
    step.get_by_role("button", name="Edit from here").click()
    begun.wait_for()
    assert begun.input_value() == "<reasoning>\nfirst\n"


def export_and_open(visitor: Visitor) -> None:
    """Export the tuned model, download its weights, and read the names of the tensors in them."""
    visitor.open("run?run=r-0001&tab=Export")
    visitor.press_twice("start-export-merged")
    files = visitor.page.locator(".st-key-files-merged").first
    files.wait_for(timeout=TRAINING_MS)
    visitor.settle()
    files.locator("summary").click()
    content = visitor.download("files-merged", "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert "model.embed_tokens.weight" in json.loads(content[8 : 8 + length])


def test_traces_are_searched_read_and_found_again_by_address(dataset_made: str, visitor: Visitor) -> None:
    visitor.open("traces")
    visitor.sees_key("reader")
    items(visitor).first.wait_for()
    rows(visitor).first.wait_for()
    visitor.page.keyboard.press("j")
    visitor.page.wait_for_url("**/traces?*trace=*")
    address = visitor.page.url
    shown = visitor.page.locator(".st-key-reader").filter(has_text=address.rpartition("trace=")[2][:8])
    shown.wait_for()
    visitor.page.goto("about:blank")
    visitor.page.goto(address)
    shown.wait_for()

    visitor.press("delete-trace")
    visitor.press("confirm-delete")
    visitor.sees("599 traces")

    visitor.fill("q", "no-such-word-anywhere")
    visitor.sees("No traces match")
    visitor.press("clear-filters")
    visitor.sees_key("reader")
