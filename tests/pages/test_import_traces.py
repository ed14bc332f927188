"""Import: three ways in, and a report that accounts for every row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.conftest import checked, keys, open_page, press, words
from tunixrt_core.pipeline import Pipeline

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
    app = press(checked(app.run()), "import-upload")
    assert "4 read = 2 inserted + 1 duplicate + 1 rejected" in words(app)
    rejected = app.dataframe[0].value.iloc[0]
    assert rejected["line"] == 4
    assert rejected["reason"]
    assert rt.count_traces() == 2


def test_a_file_on_the_server_is_imported_by_its_path(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(LINES)
    app = open_page("import_traces.py", source="Server path")
    app.text_input(key="server-path").set_value(str(path))
    app.text_input(key="path-label").set_value("mine")
    app = press(checked(app.run()), "import-path")
    assert dict(rt.sources()) == {"mine": 2}
    assert {"build-a-dataset", "browse"} <= keys(app)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "empty"), (b"\x00\x01\x02" * 100, "binary"), (None, "not there")],
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
    app = press(checked(app.run()), "import-path")
    assert sentence in app.error[0].value.casefold()
    assert rt.count_traces() == 0


def test_the_report_leads_to_building_a_dataset(rt: Pipeline) -> None:
    app = press(open_page("import_traces.py"), "load-examples")
    assert press(app, "build-a-dataset").title[0].value == "New dataset version"
