"""System: versions, disk, database, log and settings, never a secret, and nothing that a page waits for."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from tests.helpers.homes import upkeep_over
from tests.pages.conftest import make_run, open_page, press, words
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.pipeline.namespaces.home import CHECK, MEASURE
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.tasks import Progress


def test_every_setting_is_shown_and_no_secret(rt: Pipeline) -> None:
    rt.settings = replace(rt.settings, token="s3cret-token", database_url="postgresql+psycopg://me:s3cret@db:5432/rt")
    text = words(open_page("system.py"))
    assert "TUNIXRT_HOME" in text
    assert "postgresql+psycopg://me:…@db:5432/rt" in text
    assert "s3cret" not in text


def test_versions_are_shown(rt: Pipeline) -> None:
    text = words(open_page("system.py"))
    assert "Streamlit" in text
    assert "1.67.0" in text


def test_sizes_are_shown_when_they_are_measured(filled: Pipeline) -> None:
    open_page("system.py")
    upkeep_over(filled, MEASURE)
    text = words(open_page("system.py"))
    assert "Database <strong>" in text
    assert "free on this disk" in text


def test_a_page_waits_for_no_measuring_and_no_check(filled: Pipeline) -> None:
    go = threading.Event()

    def slow(on_progress: Progress, stop: threading.Event) -> None:
        on_progress("traces", 30, 60)
        go.wait(30)

    for name in (CHECK, MEASURE):
        filled.home.upkeep.start(slow, key=name)
    app = open_page("system.py")
    bars = [str(bar.proto.text) for bar in app.get("progress")]
    assert any(text.startswith("Checking the database · 30 of 60 traces") for text in bars)
    assert any(text.startswith("Measuring the home · 30 of 60 traces") for text in bars)
    press(app, "stop-check")
    go.set()


def test_the_check_is_one_click_and_its_result_stays(filled: Pipeline) -> None:
    app = open_page("system.py")
    assert "never checked" in words(app)
    press(app, "start-check")
    upkeep_over(filled, CHECK)
    text = words(open_page("system.py"))
    assert "Sound" in text
    assert "60 traces and 0 tombstones read" in text


def test_a_damaged_database_is_told_with_what_to_do(filled: Pipeline) -> None:
    with filled.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE traces SET body = '{}' WHERE id = 7")
    filled.home.check_store()
    text = words(open_page("system.py"))
    assert "does not have the content that its hash names" in text
    assert "tunixrt db restore" in text
    assert "Database" in words(open_page("overview.py"))


def test_the_compile_cache_is_emptied_after_saying_what_is_lost(filled: Pipeline) -> None:
    filled.settings.compiled_dir.mkdir()
    (filled.settings.compiled_dir / "one").write_bytes(b"x" * 5_000)
    filled.home.measure_disk()
    upkeep_over(filled, MEASURE)
    app = open_page("system.py")
    assert "Removes 5.0 kB of compiled programs." in words(app)
    press(app, "empty-cache-now")
    assert list(filled.settings.compiled_dir.iterdir()) == []


def test_the_end_of_the_log_is_shown_as_text(rt: Pipeline) -> None:
    assert "There is no log yet" in words(open_page("system.py"))
    rt.settings.server_log.parent.mkdir()
    rt.settings.server_log.write_text("".join(f"line {n} <b>\n" for n in range(300)), encoding="utf-8")
    app = open_page("system.py")
    log = app.code[-1].value
    assert log.endswith("line 299 <b>")
    assert "line 99 <b>" not in log


def test_who_holds_the_device_is_told(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.RUNNING)
    filled.jobs._accelerator = Accelerator(filled.settings.accelerator_lock)
    held = filled.jobs._accelerator.take(run.id, "train")
    assert held is not None
    text = words(open_page("system.py"))
    held.release()
    assert f"Trains {run.name} ({run.id}), about " in text.replace("\\", "")


@pytest.mark.parametrize("state", [RunStatus.FAILED, RunStatus.SUCCEEDED])
def test_the_bundle_can_be_downloaded(filled: Pipeline, state: RunStatus) -> None:
    make_run(filled, state)
    links = [link.proto.url for link in open_page("system.py").get("link_button")]
    assert "/api/diagnostics" in links
