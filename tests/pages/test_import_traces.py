"""Import: three ways in, and a report that accounts for every row."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import checked, keys, open_page, press, words
from tunixrt_core.errors import Stopped
from tunixrt_core.jobs.imports import FileRead
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.util.tasks import Progress

LINES = (
    b'{"question": "How many is 2 + 3?", "answer": "It is <<2+3=5>>5.\\n#### 5"}\n'
    b'{"question": "How many is 2 + 4?", "answer": "It is 6.\\n#### 6"}\n'
    b'{"question": "How many is 2 + 4?", "answer": "It is 6.\\n#### 6"}\n'
    b'{"question": "", "answer": "It is 6.\\n#### 6"}\n'
)


def test_an_upload_is_imported_and_every_row_accounted_for(rt: Pipeline) -> None:
    app = open_page("import_traces.py", source="Upload")
    assert app.button(key="import-upload").disabled
    app.file_uploader[0].upload("some.jsonl", LINES)
    app = checked(app.run())
    assert "3 would be read and 1 rejected" in words(app)
    assert rt.traces.count() == 0  # a preview stores nothing
    app = press(app, "import-upload")
    assert "4 read = 2 inserted + 1 duplicate + 1 rejected" in words(app)
    rejected = frame(app, "reason").iloc[0]
    assert rejected["line"] == 4
    assert rejected["reason"]
    assert rt.traces.count() == 2


def test_several_files_are_imported_with_one_click_and_a_bad_one_stops_no_other(rt: Pipeline) -> None:
    app = open_page("import_traces.py", source="Upload")
    other = b'{"prompt": "1 + 1?", "steps": ["so"], "final_answer": "2"}\n'
    files = [("some.jsonl", LINES, None), ("empty.jsonl", b"", None), ("other one.jsonl", other, None)]
    app.file_uploader[0].set_value(files)
    app = checked(app.run())
    text = words(app)
    assert "Of all 4 rows, 3 would be read and 1 rejected. Nothing is stored yet." in text
    assert "Of all 1 row, 1 would be read and 0 rejected. Nothing is stored yet." in text
    assert "is empty" in app.error[0].value
    assert list(frame(app, "reason")["line"]) == [4], "rejected rows are named before anything is stored"
    assert app.button(key="import-upload").label == "Import 2 files"
    assert "1 file cannot be read" in text
    assert rt.traces.count() == 0
    app = press(app, "import-upload")
    for task in rt.traces.imports.all():
        rt.traces.imports.wait(task.id, 30)
    app = checked(app.run())
    assert dict(rt.traces.sources()) == {"some": 2, "other one": 1}
    lines = frame(app, "duplicate")
    assert list(lines["file"]) == ["some.jsonl", "other one.jsonl"]
    assert list(lines["rejected"]) == [1, 0]
    assert {"build-a-dataset", "browse"} <= keys(app)


def test_marks_of_ones_own_are_warned_of_until_they_are_named(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(b'{"prompt": "q", "completion": "<plan>x</plan>4"}\n')
    app = open_page("import_traces.py", source="Server path")
    app.text_input(key="server-path").set_value(str(path))
    app = checked(app.run())
    assert ["is in the answer" in warning.value for warning in app.warning] == [True]
    app.text_input(key="path-think-tags").set_value("<plan> </plan>")
    app = checked(app.run())
    assert not app.warning
    app = press(app, "import-path")
    assert [step.content for step in rt.traces.page().items[0].trace.steps] == ["x"]


def test_a_file_on_the_server_is_imported_by_its_path(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(LINES)
    app = open_page("import_traces.py", source="Server path")
    app.text_input(key="server-path").set_value(str(path))
    app = checked(app.run())
    app.text_input(key="path-label").set_value("mine")
    app = press(checked(app.run()), "import-path")
    assert dict(rt.traces.sources()) == {"mine": 2}
    assert {"build-a-dataset", "browse"} <= keys(app)


def test_the_source_is_the_name_of_the_file_unless_a_row_has_its_own_or_another_is_typed(
    rt: Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "grade school.jsonl.gz"
    rows = [{"prompt": "1+1?", "steps": ["so"], "final_answer": "2"}]
    rows.append({"prompt": "1+2?", "steps": ["so"], "final_answer": "3", "source": "own"})
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    app = open_page("import_traces.py", source="Server path")
    app.text_input(key="server-path").set_value(str(path))
    app = checked(app.run())
    assert app.text_input(key="path-label").value == "grade school"
    press(app, "import-path")
    assert dict(rt.traces.sources()) == {"grade school": 1, "own": 1}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "empty"), (b"\x00\x01\x02" * 100, "binary"), (None, "does not exist")],
    ids=["empty", "binary", "missing"],
)
def test_a_file_that_cannot_be_read_is_a_sentence(
    rt: Pipeline, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "bad.jsonl"
    if content is not None:
        path.write_bytes(content)
    app = open_page("import_traces.py", source="Server path")
    app.text_input(key="server-path").set_value(str(path))
    app = checked(app.run())
    assert sentence in app.error[0].value.casefold()
    button = app.button(key="import-path")
    assert button.disabled
    assert "Fix the problem above" in button.help
    assert rt.traces.count() == 0


def test_the_report_leads_to_building_a_dataset(rt: Pipeline) -> None:
    app = press(open_page("import_traces.py"), "load-examples")
    assert "600 read = 600 inserted + 0 duplicate + 0 rejected" in words(app)
    assert press(app, "build-a-dataset").title[0].value == "New dataset version"


def path_page(path: Path) -> AppTest:
    app = open_page("import_traces.py", source="Server path")
    app.text_input(key="server-path").set_value(str(path))
    return checked(app.run())


def frame(app: AppTest, column: str) -> pd.DataFrame:
    """The table on the page that has this column."""
    return next(found.value for found in app.dataframe if column in found.value.columns)


def test_a_preview_says_what_each_column_becomes(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text('problem;solution;code\nHow many?;"one\n#### 42";007\n', encoding="utf-8")
    columns = frame(path_page(path), "field")
    assert dict(zip(columns["column"], columns["field"], strict=True)) == {
        "problem": "prompt",
        "solution": "steps, final_answer",
        "code": "meta",
    }
    assert rt.traces.count() == 0


def test_a_file_of_no_known_format_is_asked_for_its_columns_beginning_with_a_guess(
    rt: Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "some.csv"
    path.write_text("nr,frage,antwort\n1,How many?,42\n2,How few?,7\n", encoding="utf-8")
    app = path_page(path)
    assert not app.error
    text = words(app)
    assert "The format is not known. Say which column is what" in text
    assert "--map" not in text
    assert "A guess" in text
    assert "How many? | How few?" in text
    fields = {name: app.selectbox(key=f"path-map-{name}").value for name in ("nr", "frage", "antwort")}
    assert fields == {"nr": "meta", "frage": "prompt", "antwort": "final_answer"}
    app.selectbox(key="path-map-antwort").set_value("meta")
    app = checked(app.run())
    assert "Map a column to final answer." in words(app)
    assert app.button(key="import-path").disabled
    app.selectbox(key="path-map-antwort").set_value("final_answer")
    app = press(checked(app.run()), "import-path")
    assert {stored.trace.prompt for stored in rt.traces.page().items} == {"How many?", "How few?"}
    assert "The report above says what was stored." in words(app)


def test_a_column_inside_of_another_can_be_named_by_hand(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(b'{"qa": {"frage": "How many?", "antwort": 42.0, "level": 1}, "n": 2}\n')
    app = path_page(path)
    app.toggle(key="path-by-hand").set_value(True)
    app = checked(app.run())
    app.selectbox(key="path-map-qa.frage").set_value("prompt")
    app.selectbox(key="path-map-qa.antwort").set_value("final_answer")
    app = checked(app.run())
    columns = frame(app, "field")
    assert dict(zip(columns["column"], columns["field"], strict=True)) == {
        "qa": "meta",
        "n": "meta",
        "qa.frage": "prompt",
        "qa.antwort": "final_answer",
    }
    press(app, "import-path")
    (stored,) = rt.traces.page().items
    assert (stored.trace.prompt, stored.trace.final_answer) == ("How many?", "42.0")
    assert (stored.trace.meta["qa"], stored.trace.meta["n"]) == ({"level": 1}, 2)


def test_a_bad_row_of_parquet_is_named_by_its_row(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    parquet.write_table(pa.table({"question": ["a", "", "a"], "answer": ["1", "2", "1"]}), path)
    app = path_page(path)
    assert app.segmented_control(key="preview-row").options == ["Row 1", "Row 2", "Row 3"]
    app = press(app, "check-path")
    assert "The first duplicate is row 3, the same as row 1." in words(app)


def test_a_check_reads_every_row_and_stores_none(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(LINES)
    app = press(path_page(path), "check-path")
    assert "Check of" in words(app)
    assert "The first duplicate is line 3, the same as line 2." in words(app)
    assert list(frame(app, "reason")["line"]) == [4]
    assert rt.traces.count() == 0


def test_an_import_that_another_page_began_is_shown_and_can_be_stopped(rt: Pipeline) -> None:
    told, go = threading.Event(), threading.Event()

    def work(on_progress: Progress, stop: threading.Event) -> FileRead:
        on_progress("reading", 500, 5000)
        told.set()
        go.wait(30)
        assert stop.is_set()
        raise Stopped("big.jsonl was stopped.")

    task = rt.traces.imports.start(work, kind="import", title="big.jsonl")
    assert told.wait(10)
    app = open_page("import_traces.py")
    assert "Importing big.jsonl · 500 traces" in str(app.get("progress")[0].proto.text)
    app.button(key="stop-import").click()
    app = checked(app.run())
    assert "stopping" in str(app.get("progress")[0].proto.text)
    go.set()
    assert rt.traces.imports.wait(task.id, 10).status == "stopped"
