"""Messages quote names and values: nothing in them is read as Markdown."""

from __future__ import annotations

import pytest

from app.ui.boundary import escape_markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("name: is empty.", "name: is empty."),
        ("/data/my_file*.jsonl", r"/data/my\_file\*.jsonl"),
        ("steps[2].content", r"steps\[2\].content"),
        (":red[x] :material/error:", r"\:red\[x\] \:material/error:"),
        ("<b>$1$</b>", r"\<b\>\$1\$\</b\>"),
        ("http://a.b www.c.d e@f.g", "http:gray[]://a.b www:gray[].c.d e:gray[]@f.g"),
        ("the www of http @ 5", "the www of http @ 5"),
    ],
)
def test_markdown_signs_are_escaped_and_plain_sentences_stay(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped
