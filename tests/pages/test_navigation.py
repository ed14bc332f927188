"""The menu: what is in it with Tunix and without, and that every page can be shown in every home."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.ui.boundary import escape_markdown
from app.ui.navigation import PAGES, PAGES_DIR, sections
from tests.pages.conftest import evaluate, fill, make_run, open_page, opened, shown, words
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available

FILES = [spec.file for spec in PAGES if is_tunix_available() or not spec.needs_tunix]


def test_every_page_file_is_in_the_menu_once() -> None:
    assert sorted(spec.file for spec in PAGES) == sorted(path.name for path in PAGES_DIR.glob("*.py"))
    assert len({spec.key for spec in PAGES}) == len(PAGES)


def test_training_pages_are_only_in_the_menu_with_tunix() -> None:
    def titles(tunix: bool) -> set[str]:
        return {spec.title for specs in sections(tunix=tunix).values() for spec in specs}

    assert titles(True) - titles(False) == {"Preflight", "New run", "Runs", "Playground"}
    assert "Export and manifest" in titles(False)


@pytest.mark.skipif(is_tunix_available(), reason="Tunix is installed here")
@pytest.mark.parametrize("file", ["preflight.py", "new_run.py", "run.py", "playground.py"])
def test_without_tunix_a_training_page_cannot_be_opened(rt: Pipeline, file: str) -> None:
    with pytest.raises(ValueError, match=file):
        open_page(file)


@pytest.mark.parametrize("file", FILES)
def test_every_page_shows_itself_on_an_empty_home(rt: Pipeline, file: str) -> None:
    assert open_page(file).title


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """With runs in every state, one of them evaluated; it is only looked at."""
    with opened(tmp_path_factory.mktemp("busy") / "home") as pipeline:
        fill(pipeline)
        for status in RunStatus:
            make_run(pipeline, status, message="Something went wrong." if status is RunStatus.FAILED else "")
        evaluate(pipeline, next(run for run in pipeline.runs.page().items if run.status is RunStatus.SUCCEEDED))
        yield pipeline


@pytest.mark.parametrize("file", FILES)
def test_every_page_shows_itself_with_runs_in_every_state(busy: Pipeline, file: str) -> None:
    with shown(busy):
        assert open_page(file).title


def test_the_sidebar_names_device_and_versions(rt: Pipeline) -> None:
    assert rt.home.host().device in words(open_page("system.py"))
    text = words(open_page("overview.py"))
    assert ("Tunix 0" if is_tunix_available() else "Tunix is not installed") in text


def test_an_error_of_the_user_is_shown_as_its_sentence(filled: Pipeline) -> None:
    assert "no-such-set" in open_page("datasets.py", dataset="no-such-set:1").error[0].value


def test_a_bug_is_a_sentence_with_the_details_behind_it(rt: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("overview.py")
    with monkeypatch.context() as broken:
        broken.setattr(rt, "home", None)
        app.run()
    assert not app.exception
    assert app.error[0].value.startswith("This page failed (AttributeError)")
    assert "Traceback" in app.expander(key="error-details").code[0].value


@pytest.mark.tunix
def test_what_an_address_names_and_does_not_exist_is_said_on_its_page(filled: Pipeline) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    evaluate(filled, make_run(filled, RunStatus.SUCCEEDED))
    for page, query in (
        ("new_run.py", {"dataset": "zz:1"}),
        ("new_run.py", {"clone": "zz:1"}),
        ("tunix.py", {"dataset": "zz:1"}),
        ("playground.py", {"run": "zz:1"}),
        ("traces.py", {"trace": "zz:1"}),
        ("evaluations.py", {"new": "1", "run": "zz:1"}),
        ("evaluations.py", {"run": "zz:1"}),
        ("run.py", {"run": "zz:1"}),
        ("preflight.py", {"run": "zz:1"}),
    ):
        app = open_page(page, **query)
        said = " ".join(str(each.value) for each in (*app.warning, *app.error))
        assert "There is no" in said, page
        if "dataset" in query:
            app.run()  # as a page does that waited for its rows
        said = " ".join(str(each.value) for each in (*app.warning, *app.error))
        assert "zz:1" in said, page


@pytest.mark.tunix
def test_the_name_of_a_run_is_shown_as_typed(filled: Pipeline) -> None:
    name = "a *b* [c](https://example.org) `d`"
    run = make_run(filled, RunStatus.SUCCEEDED)
    filled.store.runs.mirror(run.id, name=name)
    title = str(open_page("run.py", run=run.id).title[0].value)
    assert title == escape_markdown(name)
    # an empty coloured text, which shows nothing, keeps Streamlit from making a link of an address
    assert re.sub(r"\\(.)", r"\1", title.replace(":gray[]", "")) == name
