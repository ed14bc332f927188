"""Who may only read finds nothing on any page to click that is then refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from app.ui.navigation import PAGES
from app.ui.visitors import READ_ONLY
from app.visitor import visitor
from tests.pages.conftest import checked, fill, make_run, open_page, opened, shown
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available
from tunixrt_core.util.actors import Actor, find_actors_by

FILES = [spec.file for spec in PAGES if is_tunix_available() or not spec.needs_tunix]
PLACES = [
    *((file, {}) for file in FILES),
    ("datasets.py", {"new": "1"}),
    *(("run.py", {"run": f"r-000{number}"}) for number in (1, 2, 3) if "run.py" in FILES),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with opened(tmp_path_factory.mktemp("read") / "home") as pipeline, shown(pipeline):
        fill(pipeline)
        for status in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.BROKEN):
            make_run(pipeline, status)
        find_actors_by(lambda: Actor("rea", "page", writes=False))
        yield pipeline
        find_actors_by(visitor)


def opened_page(home: Pipeline, file: str, query: dict[str, str]) -> AppTest:
    """A page with something on it; the reader of a trace is open."""
    return open_page(file, **({"trace": home.traces.page().items[0].id} if file == "traces.py" else query))


@pytest.mark.parametrize(("file", "query"), PLACES)
def test_what_a_reader_can_press_is_not_refused(home: Pipeline, file: str, query: dict[str, str]) -> None:
    began = datetime.now(UTC)
    page = opened_page(home, file, query)
    for key in [str(button.key) for button in page.button if not button.disabled]:
        page = opened_page(home, file, query)
        page.button(key=key).click()
        checked(page.run())
        assert [one for one in home.audit.entries() if one.outcome == "refused" and one.at >= began] == [], key


@pytest.mark.parametrize(
    ("file", "key"),
    [("import_traces.py", "load-examples"), ("traces.py", "delete-trace"), ("datasets.py", "build-dataset")],
)
def test_an_action_says_why_it_is_off(home: Pipeline, file: str, key: str) -> None:
    button = opened_page(home, file, {"new": "1"}).button(key=key)
    assert button.disabled
    assert button.help == READ_ONLY


def test_tags_and_notes_of_a_reader_are_off(home: Pipeline) -> None:
    page = opened_page(home, "traces.py", {})
    assert [one.disabled for one in page.multiselect if str(one.key).startswith("tags-")] == [True]
    assert [one.disabled for one in page.text_area if str(one.key).startswith("note-")] == [True]
