"""What is said of rows that are no JSON: what was found, and what to do."""

from __future__ import annotations

import pytest

from tunixrt_core.ingest.files.parse import BadRow, parse_row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (r'"{\"a\": 1}"', "the row was encoded twice. Decode it once more"),
        ("{'a': 'b', 'c': None}", "it is a Python dict, with single quotes, True or None. Write the row with"),
        ("{'a': \"it's\"},", "it is a Python dict"),
        ('{"a": True}', "it is a Python dict"),
        ('{"a": 1},', "there is a comma after the object at column 9. Remove it, or put all rows between [ and ]"),
        ('{"a": 1, }', "there is a comma before the end of an object or a list at column 8. Remove it"),
        ('{"a": [1,]}', "there is a comma before the end of an object or a list at column 9. Remove it"),
        ('{"a": ",]", "b": [1 , ]}', "there is a comma before the end of an object or a list at column 21. Remove it"),
        ('{"a": ",]" "b": 1}', "at column 12, where the row reads"),
        ('{"a": 1}{"b": 2}', "there is more after the object, from column 9: `{\"b\": 2}`. Write each row"),
        ('{a: 1}', "a key without quotes at column 2. Write keys in double quotes"),
        ("{“a”: 1}", 'typographic quotes at column 2. Write straight ones, "'),
        ('{"a": "b', "the row breaks off (unterminated string at column 7). Write the whole row on one line"),
        ('{"a": 1', "the row breaks off"),
        ("hello", "expecting value at column 1, where the row reads `hello`. Write it with a JSON library"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_what_to_do(row: str, said: str) -> None:
    found = parse_row(row.encode())
    assert isinstance(found, BadRow)
    assert said in found.reason
