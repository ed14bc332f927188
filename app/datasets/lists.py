"""Lists of a dataset's parts, whose rows open by click and keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from app.component.element import element

What = Literal["versions", "datasetRows", "findings"]
_NAMES: dict[What, str] = {"versions": "versions", "datasetRows": "rows", "findings": "findings"}


def small_list(
    what: What,
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    label: str,
    shown: str | None = None,
    in_view: int = 8,
    **more: Any,
) -> None:
    """A list short enough to be passed along: `what` is its kind in `listing/datasets.ts`, `shown` the row read now.

    `page` is the address that rows lead to, before their key; without it they set the query of this page.
    """
    element(
        "listing",
        key=key,
        what=what,
        url="",
        answer={_NAMES[what]: list(rows)},
        shown=shown,
        label=label,
        rows=in_view,
        **more,
    )
