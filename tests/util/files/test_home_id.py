"""A home has one id, which is that of its folder wherever it is, however many make it at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tunixrt_core.errors import OutputError
from tunixrt_core.util.files.home_id import home_id, id_file


def test_two_homes_have_two_ids_and_a_home_keeps_its_own_where_it_is_moved(tmp_path: Path) -> None:
    first, second = home_id(tmp_path / "a"), home_id(tmp_path / "b")
    assert first != second
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "mounted").symlink_to(tmp_path / "moved")
    assert home_id(tmp_path / "moved") == home_id(tmp_path / "mounted") == first
    assert home_id(tmp_path / "a") != first, "another folder in the same place"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["id"]


def test_all_who_make_the_id_of_a_home_at_once_get_the_same_one(tmp_path: Path) -> None:
    for number in range(50):
        found: list[str] = []
        begin = threading.Barrier(6)

        def ask(home: Path = tmp_path / str(number), into: list[str] = found, at: threading.Barrier = begin) -> None:
            at.wait()
            into.append(home_id(home))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(found), len(set(found))) == (6, 1)


@pytest.mark.parametrize("held", [b"", b"../other", b"\xff" * 32], ids=["empty", "a path", "no text"])
def test_a_file_that_holds_no_id_is_named_and_kept(held: bytes, tmp_path: Path) -> None:
    file = id_file(tmp_path)
    file.write_bytes(held)
    with pytest.raises(OutputError, match=r"/id: it holds no id of a home, .* or delete the file"):
        home_id(tmp_path)
    assert file.read_bytes() == held


def test_an_id_that_an_editor_wrote_ends_with_a_line(tmp_path: Path) -> None:
    id_file(tmp_path).write_text("0123456789abcdef" * 2 + "\n")
    assert home_id(tmp_path) == "0123456789abcdef" * 2


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/home/id cannot be written .* Fix the permissions of the home"):
        home_id(tmp_path / "file" / "home")
