"""Text that is not UTF-8: guessed once for a file and named, told by hand, or rejected with a hint."""

from __future__ import annotations

import io

import pytest

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.reader import AnyReader, read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.trace import Trace

TEXTS = {
    "gb18030": "一个农民有十七只羊，请问还有几只？",
    "big5hkscs": "一個農民有十七隻羊，請問還有幾隻？",
    "cp932": "三たす四はいくつですか。",
    "euc_jp": "三たす四はいくつですか。",
    "cp949": "양이 모두 몇 마리 있습니까?",
    "cp1252": "Où est l’élève déjà allé cet été, à Noël ou à Pâques ?",
    "cp1250": "Ile jest jabłek, jeśli zjadłeś sześć z dziesięciu? Źródło: książka",
    "cp1251": "Сколько будет два плюс два, если сложить их вместе?",
    "koi8-r": "Сколько будет два плюс два, если сложить их вместе?",
    "utf-16": "Où ça ?",
    "utf-16-le": "Where is it?",
    "utf-32": "Où ça ?",
}


def read(data: bytes, **options: str) -> AnyReader:
    return read_traces(io.BytesIO(data), name="f.csv", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", TEXTS)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_encoding_is_guessed_and_named(encoding: str, form: str) -> None:
    text = TEXTS[encoding]
    row = f'question,answer\n"{text}",4\n' if form == "csv" else f'{{"question": "{text}", "answer": "4"}}\n'
    found = read(row.encode(encoding))
    (trace,) = found
    assert isinstance(trace, Trace)
    assert trace.prompt == text
    assert found.notes[0].startswith(f"The text is read as {encoding.replace('koi8-', 'koi8_')} (")
    assert found.notes[0].endswith("Name another one with --encoding.")


def test_an_encoding_that_is_told_is_used_and_bytes_that_it_does_not_have_reject_their_row() -> None:
    found = read("question,answer\ncafé,1\n".encode("cp1252"), encoding="latin-1")
    assert [item.prompt for item in found if isinstance(item, Trace)] == ["café"]
    good, bad = read('question,answer\n"羊",1\n'.encode("gb18030") + b'"\xff",2\n', encoding="gb18030")
    assert (isinstance(good, Trace), isinstance(bad, RowError)) == (True, True)
    with pytest.raises(UnreadableFile, match="There is no encoding 'gbk2'"):
        read(b"question,answer\n", encoding="gbk2")
    with pytest.raises(UnreadableFile, match="There is no encoding 'base64'"):
        read(b"question,answer\n", encoding="base64")


def test_a_few_bad_bytes_reject_their_row_and_name_what_may_be_meant() -> None:
    lines = ['{"question": "naïve", "answer": "1"}'.encode(), '{"question": "été", "answer": "1"}'.encode("cp1252")]
    good, bad = read(b"\n".join(lines))
    assert isinstance(good, Trace)
    assert str(bad) == (
        "f.csv:2: question: holds bytes that are not UTF-8 (byte 15 of the row). Save the file as UTF-8, or name its "
        "encoding: --encoding cp1252, if the file is written in that"
    )


def test_most_rows_of_utf_8_keep_the_file_utf_8() -> None:
    rows = [f'{{"question": "{text}", "answer": "1"}}'.encode() for text in list(TEXTS.values())[:3]]
    rows.append('{"question": "一个农民有十七只羊", "answer": "1"}'.encode("gb18030"))
    found = read(b"\n".join(rows))
    assert [isinstance(item, Trace) for item in found] == [True, True, True, False]
    assert found.notes == []
