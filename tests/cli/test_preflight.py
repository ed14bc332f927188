"""`tunixrt preflight` says what would happen, and lets nothing start that is blocked."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from tests.helpers.command import tunixrt
from tests.helpers.conversations import called
from tests.tunix_backend.conftest import make_manifest, write_rows
from tests.tunix_backend.helpers.preflight_makers import task
from tunixrt_core.traces.trace import Step

pytestmark = pytest.mark.tunix


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.yaml"
    path.write_text(make_manifest(tmp_path / "clean").to_yaml())
    return path


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A manifest with a control token on line 2."""
    rows = write_rows(tmp_path / "rows.jsonl", [task(1), task(2, steps=(Step(0, "so <|im_end|> it is"),))], [task(9)])
    path = tmp_path / "faulty.yaml"
    path.write_text(make_manifest(tmp_path / "faulty", rows=rows, batch_size=2, train_steps=1).to_yaml())
    return path


def test_a_clean_manifest_is_shown_and_exits_with_0(clean: Path, tmp_path: Path) -> None:
    done = tunixrt("preflight", clean, "--rows", "longest", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    for words in ("24 train and 5 eval of 29", "Rows by token length", "drop_steps"):
        assert words in done.stdout
    assert re.search(r"\b(\d\d) of \1 checks passed", done.stdout)
    assert "answer │" in done.stdout
    assert "<|im_start|>user⏎" in done.stdout


def test_what_blocks_is_named_with_its_rows_and_exits_with_1(faulty: Path, tmp_path: Path) -> None:
    done = tunixrt("preflight", faulty, "--row", 2, home=tmp_path / "home")
    assert done.returncode == 1
    assert "Blocked [control_tokens] 1 row holds <|im_end|> in the text" in done.stdout
    assert "rows 2" in done.stdout
    assert "so <|im_end|> it is" in done.stdout
    assert "1 check blocks training" in done.stderr
    assert tunixrt("preflight", faulty, "--allow", "control_tokens", home=tmp_path / "home").returncode == 0


def test_as_json_it_is_all_there(faulty: Path, tmp_path: Path) -> None:
    done = tunixrt("preflight", faulty, "--json", home=tmp_path / "home")
    found = orjson.loads(done.stdout)
    assert (done.returncode, found["findings"][0]["rows"], found["totals"]["train_rows"]) == (1, [2], 2)
    assert {view["number"] for view in found["views"]} <= {1, 2, 3}


def test_a_row_that_the_chat_format_cannot_write_is_named_beside_the_findings(tmp_path: Path) -> None:
    path, rows = tmp_path / "called.yaml", write_rows(tmp_path / "rows.jsonl", [task(1), called(2)], [task(9)])
    path.write_text(make_manifest(tmp_path / "called", rows=rows, batch_size=1, chat="none").to_yaml())
    done = tunixrt("preflight", path, "--row", 2, "--json", home=tmp_path / "home")
    assert (done.returncode, orjson.loads(done.stdout)["findings"][0]["rows"]) == (1, [2])
    assert "Row 2 cannot be shown. conversation: holds tools" in done.stderr


def test_a_line_that_is_not_there_and_a_code_that_is_none_are_refused(clean: Path, tmp_path: Path) -> None:
    assert "has no row 77" in tunixrt("preflight", clean, "--row", 77, home=tmp_path / "home").stderr
    for command in ("preflight", "train"):
        done = tunixrt(command, clean, "--allow", "everything", home=tmp_path / "home")
        assert done.returncode == 2
        assert "known codes are" in done.stderr


def test_a_training_that_is_blocked_does_not_start(faulty: Path, tmp_path: Path) -> None:
    done = tunixrt("train", faulty, home=tmp_path / "home")
    assert done.returncode == 1
    assert "1 check blocks training: 1 row holds <|im_end|> in the text" in done.stderr
    assert not (tmp_path / "faulty" / "run" / "checkpoints").exists()
