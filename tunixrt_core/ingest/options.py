"""Options of reading a file of traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict


class Reading(TypedDict, total=False):
    """`name` stands in messages; `format` is auto where it is to be found; `source_label` is the source of rows that
    name none; `split` is the rule to divide reasoning into steps by; `mapping` says column -> field, in place of a
    format; `think_tags` are the opening and the closing mark of the reasoning, where they are none of the known ones;
    `field` is the key of a JSON document under which its rows are; `encoding` is that of text that is no UTF-8.
    """

    name: str | None
    format: str
    source_label: str | None
    split: str
    mapping: Mapping[str, str] | None
    think_tags: Sequence[str] | None
    field: str | None
    encoding: str | None
