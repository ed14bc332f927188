"""What was typed is found again under its name, the newest of it, and nothing outside the folder is reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunixrt_core.errors import OutputError
from tunixrt_core.home import drafts
from tunixrt_core.home.drafts import Drafts


def test_a_draft_is_found_by_its_name_as_it_was_last_kept(tmp_path: Path) -> None:
    kept = Drafts(tmp_path / "drafts")
    kept.keep("0123abcd", {"fields": {"batch_size": 4}})
    kept.keep("0123abcd", {"fields": {"batch_size": 8, "system": None}})
    assert Drafts(tmp_path / "drafts").find("0123abcd") == {"fields": {"batch_size": 8, "system": None}}
    kept.forget("0123abcd")
    assert kept.find("0123abcd") is None
    kept.forget("0123abcd")


def test_a_text_has_one_name_and_another_text_has_another(tmp_path: Path) -> None:
    kept = Drafts(tmp_path)
    name = kept.keep_text("a: 1", label="m.yaml")
    assert kept.keep_text("a: 1", label="m.yaml") == name != kept.keep_text("a: 2", label="m.yaml")
    assert kept.find(name) == {"label": "m.yaml", "text": "a: 1"}


@pytest.mark.parametrize("name", ["", "../token", "0123ABCD", "0" * 7, "0" * 65, "0123abcd.json"])
def test_what_is_no_name_finds_nothing_and_keeps_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "token.json").write_text("{}")
    kept = Drafts(tmp_path / "drafts")
    assert kept.find(name) is None
    kept.forget(name)
    with pytest.raises(ValueError, match="cannot be the name"):
        kept.keep(name, {})
    assert [path.name for path in tmp_path.iterdir()] == ["token.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_file_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0123abcd.json").write_bytes(content)
    assert Drafts(tmp_path).find("0123abcd") is None


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MOST", 3)
    kept = Drafts(tmp_path)
    for number in range(5):
        kept.keep(f"0000000{number}", {"n": number})
        os.utime(tmp_path / f"0000000{number}.json", (number, number))
    kept.keep("00000002", {"n": "again"})
    assert [kept.find(f"0000000{number}") for number in range(5)] == [None, None, {"n": "again"}, {"n": 3}, {"n": 4}]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "drafts").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot be kept .* Free disk space"):
        Drafts(tmp_path / "drafts").keep("0123abcd", {})
