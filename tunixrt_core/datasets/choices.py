"""The words that a dataset spec chooses among."""

from __future__ import annotations

from typing import Literal, get_args

Selection = Literal["all", "latest", "random", "stratified", "top", "best", "shortest", "budget"]
Dedupe = Literal["none", "prompt"]
Allocation = Literal["proportional", "equal"]
SplitBy = Literal["prompt", "near_duplicate"]
TokenCount = Literal["bytes", "words"]

SELECTIONS: tuple[Selection, ...] = get_args(Selection)
DEDUPES: tuple[Dedupe, ...] = get_args(Dedupe)
ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)
SPLITS_BY: tuple[SplitBy, ...] = get_args(SplitBy)
TOKEN_COUNTS: tuple[TokenCount, ...] = get_args(TokenCount)
