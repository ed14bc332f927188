"""A file is the chunks that are named by its content: what is in the bucket is not put or read a second time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.machines.s3_server import needs_fsspec
from tunixrt_core.jobs.ray_cluster.bucket import chunks
from tunixrt_core.jobs.ray_cluster.bucket.chunks import (
    Chunk,
    Missing,
    Shelf,
    bring_file,
    bring_text,
    files_in,
    is_same,
    read_chunk,
    read_tree,
    to_tree,
)
from tunixrt_core.jobs.ray_cluster.bucket.store import Away, Bucket

pytestmark = needs_fsspec


class Counted(Bucket):
    """A bucket that writes down what it moved."""

    def __init__(self, address: str) -> None:
        super().__init__(address, "home")
        self.moved: list[int] = []

    def put(self, key: str, data: bytes) -> None:
        self.moved.append(len(data))
        super().put(key, data)

    def get(self, key: str) -> bytes | None:
        found = super().get(key)
        self.moved.append(len(found or b""))
        return found


@pytest.fixture
def bucket(tmp_path: Path) -> Counted:
    return Counted(f"file://{tmp_path}/bucket")


def test_a_small_text_is_the_entry_itself_and_bytes_are_a_chunk(bucket: Counted) -> None:
    shelf = Shelf(bucket, "jobs/a/1")
    assert shelf.put_text(b"small", None) == "small"
    (chunk,) = shelf.put_text(b"\xff\xfe", None)
    assert isinstance(chunk, Chunk)
    assert read_chunk(bucket, chunk) == b"\xff\xfe"


def test_a_file_that_grows_moves_its_new_end_alone(bucket: Counted, tmp_path: Path) -> None:
    shelf, file = Shelf(bucket, "jobs/a/1"), tmp_path / "metrics.jsonl"
    first, more = b"a" * 5000, b"b" * 300
    before = shelf.put_text(first, None)
    bring_text(bucket, before, file)
    bucket.moved.clear()
    after = shelf.put_text(first + more, before)
    bring_text(bucket, after, file)
    assert (bucket.moved, file.read_bytes()) == ([300, 300], first + more)
    bucket.moved.clear()
    cut = shelf.put_text(first[:4999] + more, after)  # a resume has cut it, and written to it since
    bring_text(bucket, cut, file)
    assert (bucket.moved, file.read_bytes()) == ([5299, 5299], first[:4999] + more)
    bring_text(bucket, "small", file)
    assert file.read_bytes() == b"small"


def test_a_file_of_very_many_parts_is_put_as_a_whole_again(bucket: Counted) -> None:
    shelf, data = Shelf(bucket, "jobs/a/1"), b"x" * 5000
    entry = shelf.put_text(data, None)
    longest = 0
    for number in range(200):
        data += bytes([number])
        entry = shelf.put_text(data, entry)
        longest = max(longest, len(entry))
    assert longest == 64
    assert chunks.content(bucket, entry) == data


def test_a_large_file_is_put_and_brought_in_parts(
    bucket: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 10)
    file, rounds = tmp_path / "weights", []
    file.write_bytes(bytes(range(25)))
    found = Shelf(bucket, "files").put_file(file, lambda: rounds.append(1))
    assert ([chunk.size for chunk in found], len(rounds)) == ([10, 10, 5], 3)
    bring_file(bucket, found, tmp_path / "new" / "weights")
    assert is_same(tmp_path / "new" / "weights", found)
    bucket.moved.clear()
    again = Shelf(bucket, "files", bucket.find("files/")).put_file(file, lambda: None)
    assert (again, bucket.moved) == (found, [])
    for wrong in (bytes(range(24)), bytes(range(26)), bytes(25)):
        file.write_bytes(wrong)
        assert not is_same(file, found)
    assert not is_same(tmp_path / "missing", found)


def test_other_bytes_than_were_put_are_not_taken(bucket: Counted) -> None:
    (chunk,) = Shelf(bucket, "files").put_all(b"right")
    bucket.put(chunk.key, b"wrong")
    with pytest.raises(Away, match="holds other bytes"):
        read_chunk(bucket, chunk)
    bucket.delete([chunk.key])
    with pytest.raises(Missing):
        read_chunk(bucket, chunk)


def test_a_tree_is_the_same_for_the_same_folder(bucket: Counted) -> None:
    shelf = Shelf(bucket, "files")
    files = {"b": shelf.put_all(b"1"), "a": shelf.put_all(b"2")}
    tree = shelf.put(to_tree(files))
    assert tree == shelf.put(to_tree(dict(reversed(files.items()))))
    assert read_tree(bucket, tree) == files


def test_an_object_of_others_and_a_name_outside_of_the_folder_are_refused(bucket: Counted) -> None:
    shelf = Shelf(bucket, "files")
    for wrong in ("../../token", "/etc/passwd", "a/../../b"):
        with pytest.raises(Away, match="outside of the folder"):
            read_tree(bucket, shelf.put(to_tree({wrong: []})))
    with pytest.raises(Away, match="not of this program"):
        read_tree(bucket, shelf.put(b"<html>"))


def test_a_key_that_is_forgotten_is_put_again(bucket: Counted) -> None:
    shelf = Shelf(bucket, "files")
    chunk = shelf.put(b"1")
    bucket.delete([chunk.key])
    shelf.forget([chunk.key])
    assert shelf.own == set()
    assert read_chunk(bucket, shelf.put(b"1")) == b"1"


def test_links_hidden_files_and_unfinished_ones_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("a/one", "two", ".state.json.12.tmp", ".hidden/three"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "two")
    assert list(files_in(tmp_path)) == ["two", "a/one"]
