"""Tags, note and archive mark live in the run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.errors import InvalidQuery
from tunixrt_core.runs.annotations import Annotations, read_annotations, write_annotations
from tunixrt_core.runs.folder import RunDir


@pytest.fixture
def folder(tmp_path: Path) -> RunDir:
    made = RunDir(tmp_path / "r-0001")
    made.create()
    return made


def test_what_is_written_is_read_again_and_without_any_there_is_no_file(folder: RunDir) -> None:
    said = Annotations().tagged(["good", " good ", "to show"]).noted("Lower loss, longer answers.")
    write_annotations(folder, said)
    assert read_annotations(folder) == Annotations(("good", "to show"), "Lower loss, longer answers.")
    write_annotations(folder, said.untagged(["good", "to show", "unknown"]).noted("  "))
    assert not folder.annotations_file.exists()
    assert read_annotations(folder) == Annotations()


@pytest.mark.parametrize("tag", ["", " ", "a\nb", "x" * 81])
def test_a_tag_is_one_short_line(tag: str) -> None:
    with pytest.raises(InvalidQuery, match="A tag has 1 to 80 characters"):
        Annotations().tagged([tag])


@pytest.mark.parametrize("content", ["", "[]", '{"tags": 3}', "{"])
def test_a_file_that_cannot_be_read_says_nothing_and_hides_no_run(folder: RunDir, content: str) -> None:
    folder.annotations_file.write_text(content)
    assert read_annotations(folder) == Annotations()


@pytest.mark.parametrize("content", ["[]", '{"tags": 3}', '{"tags": ["good"'])
def test_a_file_that_cannot_be_read_is_kept_when_others_are_written(folder: RunDir, content: str) -> None:
    folder.annotations_file.write_text(content)
    write_annotations(folder, Annotations(tags=("new",)))
    assert read_annotations(folder).tags == ("new",)
    (kept,) = folder.path.glob("annotations.json.broken-*")
    assert kept.read_text() == content
