"""The torture set: for each trap of a text file, the exact rows that are kept and the exact message for the others.

Then generated malformed rows through the real store: no crash, and read = inserted + duplicate + rejected every time.
"""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LONG
from tests.helpers.homes import fake_home
from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.opening import MAX_LINE_BYTES
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import ImportReport, RowError
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.traces.trace import Trace


def row(n: int | str = 1, **more: Any) -> bytes:
    return json.dumps({"prompt": f"p{n}", "steps": ["s"], "final_answer": "1", **more}, ensure_ascii=False).encode()


def raw(text: str) -> bytes:
    """A row with something written into it that no JSON writer would write."""
    return b'{"prompt": "p", "steps": [], "final_answer": "1", "meta": ' + text.encode() + b"}"


Case = tuple[bytes, list[str], list[str]]

# name -> the file, the prompts that are kept, the messages for the others
CASES: dict[str, Case] = {
    "U+2028 in text ends no line": (row("\u2028x") + b"\n" + row(2), ["p\u2028x", "p2"], []),
    "U+0085 in text ends no line": (row("\x85x") + b"\n" + row(2), ["p\x85x", "p2"], []),
    "U+2028 between rows is no line end": (
        row(1) + "\u2028".encode() + row(2),
        [],
        [
            "f:1: not valid JSON: there is more after the object, from column 54: "
            '`{"prompt": "p2", "steps": ["s"], "final_…`. Write each row on its own line'
        ],
    ),
    "CRLF": (row(1) + b"\r\n" + row(2) + b"\r\n", ["p1", "p2"], []),
    "CR alone is no line end": (
        row(1) + b"\r" + row(2),
        [],
        [
            "f:1: not valid JSON: there is more after the object, from column 55: "
            '`{"prompt": "p2", "steps": ["s"], "final_…`. Write each row on its own line'
        ],
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + row(1) + b"\n", ["p1"], []),
    "a second byte order mark is text": (
        row(1) + b"\n\xef\xbb\xbf" + row(2),
        ["p1"],
        ["f:2: not valid JSON: a byte order mark at column 1. Remove it"],
    ),
    "no final newline": (row(1) + b"\n" + row(2), ["p1", "p2"], []),
    "blank lines": (b"\n \n" + row(1) + b"\n\t\n\n" + row(2) + b"\n\n", ["p1", "p2"], []),
    "a bad line": (
        row(1) + b'\n{"prompt": "p", "steps": [\n' + row(3),
        ["p1", "p3"],
        [
            "f:2: not valid JSON: the row breaks off (expecting value at column 27). Write the whole row on one line; "
            "a line end inside text is \\n"
        ],
    ),
    "invalid UTF-8": (
        row(1) + b'\n{"prompt": "\xff", "steps": [], "final_answer": "1"}\n' + row(3),
        ["p1", "p3"],
        [
            "f:2: prompt: holds bytes that are not UTF-8 (byte 13 of the row). Save the file as UTF-8, or name its "
            "encoding: --encoding NAME"
        ],
    ),
    "half a character at the end": (
        row(1) + b"\n" + row("é")[: row("é").index(b"\xa9")],
        ["p1"],
        [
            "f:2: not valid JSON: the row breaks off (unterminated string at column 12). Write the whole row on one "
            "line; a line end inside text is \\n"
        ],
    ),
    "NaN": (
        row(1) + b"\n" + raw('{"a": [1, NaN]}'),
        ["p1"],
        ["f:2: meta.a[1]: nan is not a JSON number. Write null, or leave the key out"],
    ),
    "Infinity": (
        row(1) + b"\n" + raw('{"a": -Infinity}'),
        ["p1"],
        ["f:2: meta.a: -inf is not a JSON number. Write null, or leave the key out"],
    ),
    "a number beyond the largest": (
        row(1) + b"\n" + raw('{"a": 1e400}'),
        ["p1"],
        ["f:2: meta.a: inf is not a JSON number. Write null, or leave the key out"],
    ),
    "an integer over 64 bits": (
        row(1) + b"\n" + raw('{"a": 18446744073709551616}') + b"\n" + row(3, meta={"a": 2**64 - 1}),
        ["p1", "p3"],
        ["f:2: meta.a: integer does not fit in 64 bits. Write it as text"],
    ),
    "mixed types": (
        row(1, meta={"a": 1}) + b"\n" + row(2, meta={"a": "1"}) + b"\n" + row(3, meta={"a": [None, {}]}),
        ["p1", "p2", "p3"],
        [],
    ),
    "a wrong type": (
        row(1) + b"\n" + row(2, prompt=1),
        ["p1"],
        ["f:2: prompt: must be text, not the number 1. Write it in quotes"],
    ),
    "a wrong type of an answer": (
        row(1) + b"\n" + row(2, final_answer=["1", "2"]),
        ["p1"],
        ["f:2: final_answer: must be text, not a list. Write it as one text"],
    ),
    "an answer that is no number": (
        row(1) + b'\n{"prompt": "p", "steps": [], "final_answer": NaN}',
        ["p1"],
        ["f:2: final_answer: nan is not a JSON number. Write null, or leave the key out"],
    ),
    "an answer beyond the largest number below zero": (
        row(1) + b'\n{"prompt": "p", "steps": [], "final_answer": -Infinity}',
        ["p1"],
        ["f:2: final_answer: -inf is not a JSON number. Write null, or leave the key out"],
    ),
    "extra keys": (
        row(1) + b"\n" + row(2, extra=1),
        ["p1"],
        ["f:2: extra: is not a field of a trace; put extra values under `meta`"],
    ),
    "duplicate keys": (
        row(1) + b'\n{"prompt": "a", "steps": [], "final_answer": "1", "prompt": "b"}',
        ["p1"],
        ["f:2: prompt: the key occurs twice in one object. Remove one of them"],
    ),
    "duplicate keys far inside": (
        row(1) + b"\n" + raw('{"a": {"k" : 1, "k": 1}}'),
        ["p1"],
        ["f:2: k: the key occurs twice in one object. Remove one of them"],
    ),
    "a lone surrogate": (
        row(1) + b'\n{"prompt": "\\ud800x", "steps": [], "final_answer": "1"}',
        ["p1"],
        ["f:2: prompt: holds a lone surrogate, which is not valid Unicode. Replace it"],
    ),
    "a surrogate pair is one character": (
        b'{"prompt": "\\ud83d\\ude00", "steps": [], "final_answer": "1"}',
        ["\U0001f600"],
        [],
    ),
    "NUL": (
        row(1) + b'\n{"prompt": "a\\u0000b", "steps": [], "final_answer": "1"}',
        ["p1"],
        ["f:2: prompt: holds a NUL character. Remove it"],
    ),
    "an escaped backslash before u0000 is no NUL": (
        b'{"prompt": "a\\\\u0000b", "steps": [], "final_answer": "1"}',
        ["a\\u0000b"],
        [],
    ),
    "a NUL byte": (
        row(1) + b'\n{"prompt": "a\0b", "steps": [], "final_answer": "1"}',
        ["p1"],
        [
            "f:2: not valid JSON: invalid control character at column 14, where the row reads "
            '`\x00b", "steps": [], "final_answer": "1"}`. Write it with a JSON library'
        ],
    ),
    "a 50 MB line": (
        row(1) + b"\n" + row("x" * 50_000_000) + b"\n" + row(3),
        ["p1", "p3"],
        [f"f:2: line is 50,000,052 bytes long; at most {MAX_LINE_BYTES:,} are read. Split the row"],
    ),
    "a trace over the limit": (
        row(1) + b"\n" + row("x" * (1 << 20)) + b"\n" + row(3),
        ["p1", "p3"],
        [
            "f:2: trace: is 1,048,689 bytes as it is stored; at most 1,048,576 are taken. Shorten it. The row has "
            "1,048,628 bytes in the file"
        ],
    ),
    "deep nesting": (
        row(1) + b"\n" + raw('{"a":' * 150 + "1" + "}" * 150) + b"\n" + raw("[" * 100_000) + b"\n" + row(3),
        ["p1", "p3"],
        [
            "f:2: meta" + ".a" * 38 + ": is nested more than 100 levels deep. Write the inner part as text",
            "f:3: is nested too deeply. At most 100 levels are read",
        ],
    ),
    "a blank prompt": (
        row(1) + b'\n{"prompt": " ", "steps": [], "final_answer": "1"}',
        ["p1"],
        ["f:2: prompt: is empty. Give it a text, or leave the row out"],
    ),
    "not an object": (
        row(1) + b'\n[1]\n"x"\nnull\n1\n' + row(6),
        ["p1", "p6"],
        [
            'f:2: is a list; each row must be a JSON object, such as {"prompt": ...}',
            'f:3: is text; each row must be a JSON object, such as {"prompt": ...}',
            'f:4: is null; each row must be a JSON object, such as {"prompt": ...}',
            'f:5: is a number; each row must be a JSON object, such as {"prompt": ...}',
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_trap_is_kept_exactly_or_named_exactly(name: str) -> None:
    data, prompts, messages = CASES[name]
    if not prompts:  # the format must be found by a row
        data = data + b"\n" + row("last")
        prompts = ["plast"]
    items = list(read_traces(io.BytesIO(data), name="f"))
    assert [item.prompt for item in items if isinstance(item, Trace)] == prompts
    assert [str(item) for item in items if isinstance(item, RowError)] == messages


@pytest.mark.parametrize(
    "text", ["007", "1e5", "2024-01-02", "2024-01-02T03:04:05Z", "1.0", "-0", "true", "null", "NaN", " x "]
)
def test_text_that_looks_like_a_date_or_a_number_is_never_altered(text: str) -> None:
    (trace,) = read_traces(io.BytesIO(row(1, final_answer=text, meta={text: [text]})), name="f")
    assert isinstance(trace, Trace)
    assert (trace.final_answer, trace.meta) == (text, {text: [text]})


def test_a_truncated_gzip_file_is_refused_as_a_whole(rt: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "f.gz"
    noise = random.Random(0)
    lines = (row(n, meta={"x": noise.randbytes(200).hex()}) for n in range(3000))
    path.write_bytes(gzip.compress(b"\n".join(lines))[:-3000])
    with pytest.raises(UnreadableFile, match=r"f\.gz is a gzip file that is damaged or breaks off"):
        rt.traces.ingest(path)
    assert rt.traces.count() == 0


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with fake_home(tmp_path / "home") as pipeline:
        yield pipeline


SEEDS = [
    row(),
    row(2, meta={"k": [1, {"x": None}]}, source="s", steps=[{"i": 0, "type": "plan", "content": "c"}]),
    b'{"prompt": "p", "trace_steps": ["s"], "final_answer": "1", "metadata": {"split": "eval", "meta": {"k": 1}}}',
    b'{"prompt": "p", "completion": "<think>\\n1. a\\n2. b\\n</think>\\n\\n$\\\\boxed{42}$", "label": true}',
    b'{"messages": [{"role": "user", "content": "q"}, '
    b'{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]}',
    b'{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "x\\n#### 1"}], "system": ""}',
    b'{"instruction": "i", "input": "x", "output": "o"}',
    b'{"question": "q", "answer": "a ** b <<1=1>>\\n#### 1"}',
    b'{"problem": "p", "generations": ["<think>x</think>1", "2"], "correctness_math_verify": [true, false]}',
    b'{"problem": "p", "deepseek_reasoning": "r", "deepseek_solution": "s"}',
    b'{"problem": "p", "generated_solution": "s", "pass_rate_72b_tir": "0.1"}',
    b'{"question": "q", "thinking_trajectories": ["t"], "attempt": "a", "solution": "s"}',
    b'{"question": "q", "gemini_thinking_trajectory": "t", "gemini_attempt": "a", "gemini_grade": "Yes"}',
    b'{"question": {"problem": "p", "pre_generated_answer": "1"}, "label": {"steps": '
    b'[{"completions": [{"text": "s", "rating": 1}], "chosen_completion": 0}]}}',
    b'{"prompt": "p", "completions": ["a", "b"], "labels": [true, 0.5]}',
    b'{"prompt": "p", "chosen": "a", "rejected": [{"role": "assistant", "content": "b"}]}',
    b'{"prompts": "p", "question": "q", "answer": "a", "metadata": {"trace_id": "x"}}',
    b'{"schema_version": "ATIF-v1.0", "steps": [{"step_id": 1, "source": "user", "message": "q"}, '
    b'{"source": "agent", "message": "a"}]}',
    b"question,answer,code\nq,1,007\n",
    b'[{"question": "q", "answer": "1"}]',
]
VALUES = [
    b"null",
    b"1",
    b"-1.5e300",
    b"[]",
    b"{}",
    b'""',
    b'" "',
    b"true",
    b'["x", 1]',
    b'{"text": 1}',
    b"9" * 30,
    b"NaN",
]
BYTES = [
    b'"',
    b"\\",
    b"\0",
    b"\xff",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\ud800",
    b"\xe2\x80\xa8",
    b"<think>",
    b"\r",
]


def malformed(noise: random.Random) -> bytes:
    """A row of some format with something wrong in it, or, now and then, nothing."""
    line = bytearray(noise.choice(SEEDS))
    for _ in range(noise.choice((0, 1, 1, 2, 4))):
        at = noise.randrange(len(line) + 1)
        match noise.randrange(4):
            case 0:
                line[at : at + noise.randrange(3)] = noise.choice(BYTES)
            case 1:
                del line[at : at + noise.randrange(20)]
            case 2:  # another value for a key
                colon = line.find(b": ", at)
                if colon >= 0:
                    end = min(
                        (i for i in (line.find(b", ", colon), line.find(b"}", colon)) if i >= 0), default=len(line)
                    )
                    line[colon + 2 : end] = noise.choice(VALUES)
            case _:  # a piece of another row
                other = noise.choice(SEEDS)
                start = noise.randrange(len(other))
                line[at:at] = other[start : start + noise.randrange(30)]
    return bytes(line)


def ingested(rt: Pipeline, data: bytes, words: dict[str, str]) -> ImportReport | None:
    """The report, or None where the file as a whole is refused with a sentence."""
    try:
        return rt.traces.ingest(io.BytesIO(data), **words)  # type: ignore[arg-type]
    except UnreadableFile:
        return None


def check_malformed(rt: Pipeline, rows: int, batch: int) -> None:
    noise = random.Random(8)
    formats = ["auto", *rt.traces.formats()]
    read = 0
    while read < rows:
        data = b"\n".join(malformed(noise) for _ in range(noise.randrange(1, batch)))
        before = rt.traces.count()
        words = {"format": noise.choice(formats), "split": noise.choice(("auto", "lines", "numbered"))}
        report = ingested(rt, data, words)
        if report is None:
            assert rt.traces.count() == before
            read += data.count(b"\n") + 1
            continue
        assert report.balanced
        assert rt.traces.count() == before + report.inserted
        assert len(report.errors) == min(report.rejected, 1000)
        read += report.read


def test_malformed_rows_never_crash_and_are_all_accounted_for(rt: Pipeline) -> None:
    check_malformed(rt, 4_000, 200)


@LONG
def test_a_hundred_thousand_of_them(rt: Pipeline) -> None:
    check_malformed(rt, 100_000, 2_000)
