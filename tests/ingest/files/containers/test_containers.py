"""Folders, archives, packed files, Arrow, Excel, and files that unpack to more than they should."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from openpyxl import Workbook

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files import packed
from tunixrt_core.ingest.files.containers import members
from tunixrt_core.ingest.files.rejects import Rejects
from tunixrt_core.ingest.preview import diagnose, preview_of
from tunixrt_core.ingest.reader import AnyReader, read_traces
from tunixrt_core.traces.trace import Trace


def lines(*numbers: int) -> bytes:
    return b"".join(orjson.dumps({"question": f"q{n}", "answer": str(n)}) + b"\n" for n in numbers)


def prompts(found: AnyReader) -> list[str]:
    return [item.prompt if isinstance(item, Trace) else str(item) for item in found]


def read(data: bytes, name: str = "f", **options: Any) -> AnyReader:
    return read_traces(io.BytesIO(data), name=name, **options)


def zipped(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


PACK = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}


@pytest.mark.parametrize("packing", PACK)
def test_a_packed_file_is_known_by_its_content(packing: str) -> None:
    data = PACK[packing](lines(*range(5000)))
    assert prompts(read(data)) == [f"q{n}" for n in range(5000)]
    found = read(PACK[packing](b"question;answer\nq1;1\n"), name=f"x.csv.{packing}")
    assert (found.container, prompts(found)) == ("csv", ["q1"])


@pytest.mark.parametrize("packing", PACK)
def test_a_packed_file_that_breaks_off_is_a_sentence(packing: str) -> None:
    noise = b"".join(orjson.dumps({"question": str(hash((n, 1))), "answer": "1"}) + b"\n" for n in range(6_000))
    with pytest.raises(UnreadableFile, match=r"is a .* file that is damaged or breaks off"):
        list(read(PACK[packing](noise)[:-2000]))


def test_a_file_of_nothing_but_blank_lines_ends_soon() -> None:
    began = time.process_time()
    with pytest.raises(UnreadableFile, match=r"unpacks to more than 200 times its size"):
        read(gzip.compress(b"\n" * (300 << 20), 1))
    assert time.process_time() - began < 20
    rows = list(read(gzip.compress(b"\n \n" * (1 << 20) + lines(1) + b"\n" * (1 << 20) + b"{")))
    assert [getattr(row, "line", row) for row in rows[1:]] == [(3 << 20) + 2]


FILES = {
    "b/two.csv": b"question,answer\nq3,3\n",
    "a.jsonl": lines(1) + b"{broken\n" + lines(2),
    "README.md": b"# About",
    "b/dataset_info.json": b"{}",
    "__MACOSX/a.jsonl": b"\0",
    ".hidden.jsonl": b"\0",
}


def check_files(found: AnyReader, name: str) -> None:
    said = prompts(found)
    assert (said[0], said[2:]) == ("q1", ["q2", "q3"])
    assert said[1].startswith(f"{name}/a.jsonl:2: not valid JSON")
    assert (found.rows, found.container, found.format) == (4, "files", "question_answer")


def test_the_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "outside.jsonl").symlink_to("/etc/hostname")
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "outside.jsonl").unlink()
    found = read_traces(tmp_path, name="f")
    check_files(found, str(tmp_path))
    assert found.notes == ["2 files were read.", "Left out (README.md): no kind of file that holds rows."]
    with pytest.raises(UnreadableFile, match="holds no file that can be read"):
        read_traces(tmp_path / "link", name="f")


def test_the_files_of_an_archive_are_read_without_being_unpacked_on_disk(tmp_path: Path) -> None:
    check_files(read(zipped(FILES)), "f")
    ordered = dict(sorted(FILES.items()))
    check_files(read(tarred(ordered)), "f")
    check_files(read(zstd(tarred(ordered))), "f")
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(tarred(ordered)))
    check_files(read_traces(path, name="f"), "f")


def test_settings_beside_the_data_are_left_out_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(1))
    (tmp_path / "settings.json").write_text('{"rate": 0.1}')
    found = read_traces(tmp_path, name="d")
    assert len(prompts(found)) == 1
    assert "settings.json: is one object of no known format" in found.warnings.found[0].text
    with pytest.raises(UnreadableFile, match="Keys seen: rate"):
        list(read_traces([tmp_path / "rows.jsonl", tmp_path / "settings.json"], name="d"))


def test_several_files_are_one_import_with_one_file_of_rejected_rows(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.csv"
    first.write_bytes(lines(1) + b'{"question": 1, "answer": "x"}\n')
    second.write_bytes(b"question,answer\nq2,2\nq3,\n")
    sink = io.BytesIO()
    rejects = Rejects(sink)
    found = read_traces([first, second], name="2 files", rejects=rejects)
    assert [said for said in prompts(found) if ":" not in said] == ["q1", "q2"]
    assert [orjson.loads(line) for line in sink.getvalue().splitlines()] == [
        {"question": 1, "answer": "x"},
        {"question": "q3"},
    ]
    assert diagnose(read_traces([first, second], name="2 files")).rejected == 2
    assert preview_of(read_traces([first, second], name="2 files")).good == 2


def test_a_file_that_cannot_be_read_among_others_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    (tmp_path / "b.jsonl").write_bytes(b'{"width": 1}\n')
    with pytest.raises(UnreadableFile, match=r"b\.jsonl: The format is not known"):
        list(read_traces(tmp_path, name="f"))


def test_archives_that_ask_for_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_FREE_BYTES", 1 << 20)
    with pytest.raises(UnreadableFile, match="unpacks to more than 200 times its size"):
        read(zipped({"a.jsonl": b"\n" * (8 << 20)}))
    monkeypatch.setattr(members, "MAX_MEMBERS", 3)
    for data in (zipped({f"{n}.jsonl": b"" for n in range(4)}), tarred({f"{n}.txt": b"" for n in range(4)})):
        with pytest.raises(UnreadableFile, match="holds more than 3 files"):
            read(data)
    with pytest.raises(UnreadableFile, match=r"holds no file that can be read \(a\.txt\)"):
        read(zipped({"a.txt": b""}))
    with pytest.raises(UnreadableFile, match="is a zip file that is damaged"):
        read(zipped({"a.jsonl": lines(1)})[:-30])


TABLE = pa.table(
    {"question": ["q1", "q2", "q3"], "answer": [1.0, float("nan"), 2.5], "score": [float("nan"), 1.0, 2.0]}
)


def arrow(kind: str) -> bytes:
    sink = io.BytesIO()
    if kind == "feather":
        pyarrow.feather.write_feather(TABLE, sink)
    elif kind == "feather1":
        pyarrow.feather.write_feather(TABLE, sink, version=1)
    elif kind == "parquet":
        pyarrow.parquet.write_table(TABLE, sink)
    else:
        make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with make(sink, TABLE.schema) as writer:
            writer.write_table(TABLE)
    return sink.getvalue()


@pytest.mark.filterwarnings("ignore:Feather V1 files are deprecated")  # old ones are read as long as pyarrow does
@pytest.mark.parametrize("kind", ["parquet", "feather", "feather1", "file", "stream"])
def test_tables_of_arrow_are_read_and_nan_is_no_value(kind: str) -> None:
    first, second, third = read(arrow(kind), format="question_answer")
    assert isinstance(first, Trace)
    assert isinstance(third, Trace)
    assert (first.final_answer, first.meta["score"], third.final_answer) == ("1", None, "2.5")
    assert str(second).startswith("f:row 2: answer: is missing")
    with pytest.raises(UnreadableFile, match="damaged or cannot be read"):
        list(read(arrow(kind)[:150]))


def test_a_folder_that_datasets_saved_is_read_by_its_own_list(tmp_path: Path) -> None:
    for split, number in (("train", 1), ("test", 2)):
        folder = tmp_path / split
        folder.mkdir()
        for name, n in (("data-00000-of-00001.arrow", number), ("cache-1234.arrow", 8), ("old.arrow", 9)):
            with pa.ipc.new_stream(folder / name, pa.schema([("question", pa.string()), ("answer", pa.string())])) as w:
                w.write_table(pa.table({"question": [f"q{n}"], "answer": ["1"]}))
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "x"}
        (folder / "state.json").write_text(json.dumps(state))
        (folder / "dataset_info.json").write_text("{}")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert prompts(read_traces(tmp_path, name="f")) == ["q2", "q1"]


def excel(*sheets: list[list[Any]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for i, rows in enumerate(sheets):
        sheet = book.create_sheet(f"S{i}")
        for row in rows:
            sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def test_an_excel_sheet_is_read_below_its_header() -> None:
    data = excel([], [["Question", "Answer", "n", None], ["q1", 12, 1.5], [], ["q2", "x", None, "side"]], [["other"]])
    found = read(data, name="x.xlsx")
    first, second = found
    assert isinstance(first, Trace)
    assert isinstance(second, Trace)
    assert (found.container, first.prompt, first.final_answer, first.meta["n"]) == ("excel", "q1", "12", 1.5)
    assert second.meta == {"splitting": second.meta["splitting"]}
    assert found.notes == ["Only the sheet 'S1' is read, not 'S2'."]
    (error,) = [
        str(item)
        for item in read(excel([["question", "answer"], ["q", "a"], ["q", None]]))
        if not isinstance(item, Trace)
    ]
    assert error.startswith("f:row 3: answer: is missing")
    with pytest.raises(UnreadableFile, match="none of its sheets has a filled cell"):
        read(excel([]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer.*git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", "is an HTML page, not data"),
        (b"\n <html lang=en>", "is an HTML page, not data"),
        (b"<?xml version='1.0'?><Error/>", "is an XML file"),
        (b"%PDF-1.7\n", "is a PDF file"),
        (b"SQLite format 3\0", "is a SQLite database"),
        (b"\x80\x04\x95", "is a pickle"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, r"Save it as \.xlsx or CSV"),
    ],
)
def test_what_holds_no_rows_is_named_with_what_to_do(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(data)


def test_an_open_document_is_refused_with_the_way_to_convert_it() -> None:
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    with pytest.raises(UnreadableFile, match=r"\(\.ods\)\. Save it as \.xlsx or CSV .* --convert-to xlsx"):
        read(zipped({"mimetype": kind, "content.xml": b"<x/>"}))


def test_of_the_file_that_names_the_kind_of_an_archive_no_more_is_unpacked_than_a_name_takes() -> None:
    data = zipped({"mimetype": b"x" * (32 << 20), "a.jsonl": lines(1)})
    tracemalloc.start()
    try:
        assert prompts(read(data)) == ["q1"]
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_whose_kind_cannot_be_unpacked_is_a_sentence() -> None:
    data = bytearray(zipped({"mimetype": bytes(range(256)) * 40, "a.jsonl": lines(1)}))
    data[38:60] = b"\xff" * 22  # behind the header of the first file
    with pytest.raises(UnreadableFile, match="is a zip file that is damaged"):
        read(bytes(data))


def test_a_damaged_member_packed_with_zstandard_is_a_sentence() -> None:
    whole = (Path(__file__).parents[3] / "data" / "exports" / "inspect.eval").read_bytes()
    at = zipfile.ZipFile(io.BytesIO(whole)).getinfo("samples/2_epoch_1.json").header_offset + 200
    broken = whole[:at] + bytes(byte ^ 255 for byte in whole[at : at + 40]) + whole[at + 40 :]
    with pytest.raises(UnreadableFile, match=r"cannot be unpacked .* Copy the archive again"):
        list(read(broken, "f.eval"))
