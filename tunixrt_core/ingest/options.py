"""Options of reading a file of traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict


class Reading(TypedDict, total=False):
    """Options of one file, all optional.

    `name` is shown in messages; `format` is auto for detection; `source_label` is the source of rows without one;
    `split` is the rule that divides reasoning into steps; `mapping` gives column -> field and replaces a format;
    `think_tags` are the opening and the closing mark of the reasoning, where these are not known ones; `field` is the
    key of a JSON document under which its rows are; `encoding` is that of text other than UTF-8.
    """

    name: str | None
    format: str
    source_label: str | None
    split: str
    mapping: Mapping[str, str] | None
    think_tags: Sequence[str] | None
    field: str | None
    encoding: str | None
