"""A file is written whole, and nothing is left beside it."""

from __future__ import annotations

import threading
from pathlib import Path

from tunixrt_core.util.files.atomic import write_atomic, write_first


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"1")
    write_atomic(tmp_path / "a", b"2")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"2")]


def test_the_first_of_several_writes_is_kept_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_first(tmp_path / "a", b"1")
    write_first(tmp_path / "a", b"2")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"1")]


def test_threads_that_write_one_file_do_not_take_each_others_temporary_file(tmp_path: Path) -> None:
    errors: list[OSError] = []

    def write(data: bytes) -> None:
        try:
            for _ in range(200):
                write_atomic(tmp_path / "a", data)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(name * 100,)) for name in (b"1", b"2", b"3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (tmp_path / "a").read_bytes() in {name * 100 for name in (b"1", b"2", b"3")}
