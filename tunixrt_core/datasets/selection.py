"""From candidates to rows: selection and split by prompt."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tunixrt_core.errors import InvalidDataset

if TYPE_CHECKING:
    from tunixrt_core.datasets.spec import DatasetSpec
    from tunixrt_core.traces.rows import Split


class Candidate(NamedTuple):
    """A trace as the selection sees it, without its text. `id` is the database's own and decides nothing here.

    The later fields are filled where a selection asks for them: the value it is stratified by, its score, its length
    in bytes, its estimated tokens, and whether its answer is right.
    """

    id: int
    hash: str
    group_key: str
    stratum: str = ""
    score: float | None = None
    size: int = 0
    tokens: int = 0
    right: bool = False


class DatasetRow(NamedTuple):
    """One trace of a version, and its side of the split."""

    hash: str
    split: Split


def build_dataset(spec: DatasetSpec, candidates: Iterable[Candidate]) -> tuple[DatasetRow, ...]:
    """The rows of a version, in the order of their hashes. `candidates` come newest first, already filtered.

    Raises InvalidDataset where nothing is selected. Gates are applied by `datasets.building`.
    """
    return split_rows(spec, choose(spec, candidates))


def choose(spec: DatasetSpec, candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    """What the selection takes. Raises InvalidDataset where that is nothing."""
    chosen = _SELECT[spec.selection](spec, _dedupe(spec, candidates))
    if not chosen:
        raise InvalidDataset(_NOTHING.get(spec.selection, _NO_MATCH))
    return chosen


def split_rows(
    spec: DatasetSpec, chosen: Sequence[Candidate], cluster_of: Mapping[str, str] | None = None
) -> tuple[DatasetRow, ...]:
    """Each trace with its side. `cluster_of` leads from a group key to the key that decides for it."""
    clusters = cluster_of or {}

    def key(candidate: Candidate) -> str:
        return clusters.get(candidate.group_key, candidate.group_key)

    on_eval = _eval_groups(spec, lambda: map(key, chosen))
    return tuple(sorted(DatasetRow(c.hash, "eval" if key(c) in on_eval else "train") for c in chosen))


def draws_eval(spec: DatasetSpec, group: str) -> bool:
    """Whether a group falls to the eval split by its own draw, whatever other groups there are."""
    return _draw(spec.seed, "split", group) < math.floor(spec.eval_share * 2**64)


_NO_MATCH = (
    "No trace matches this dataset's filters. Import traces first, widen source, model and text, or include negative "
    "examples, which are left out by default."
)
_NOTHING = {
    "top": "by: no trace that matches has a score of that name.",
    "best": "by: no trace that matches has a right answer and a score of that name.",
    "shortest": "selection: no trace that matches has an answer that is right by its reference.",
    "budget": "budget: is less than the first row has tokens.",
}


def _draw(seed: int, purpose: str, key: str) -> int:
    """A number from 0 to 2**64 - 1 that depends on nothing but its arguments."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}:{key}".encode()).digest()[:8], "big")


def _dedupe(spec: DatasetSpec, candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    if spec.dedupe == "none" or spec.selection in ("best", "shortest"):
        return candidates if isinstance(candidates, Sequence) else list(candidates)
    kept: dict[str, Candidate] = {}
    for candidate in candidates:
        held = kept.get(candidate.group_key)
        # newest first: the first one met is the newest. Elsewhere the choice must not depend on the order.
        if held is None or (spec.selection != "latest" and _by_score(candidate) < _by_score(held)):
            kept[candidate.group_key] = candidate
    return list(kept.values())


def _by_score(candidate: Candidate) -> tuple[float, str]:
    """The highest score first, those without one last; the hash decides between equals."""
    return (math.inf if candidate.score is None else -candidate.score, candidate.hash)


def _seeded(spec: DatasetSpec, candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=_by_draw(spec))


def _by_draw(spec: DatasetSpec) -> Callable[[Candidate], tuple[int, str]]:
    return lambda candidate: (_draw(spec.seed, "select", candidate.hash), candidate.hash)


def _newest(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    return candidates if spec.limit is None else candidates[: spec.limit]


def _random(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    # no more of them at once than are wanted
    return heapq.nsmallest(spec.limit or len(candidates), candidates, key=_by_draw(spec))


def _stratified(spec: DatasetSpec, candidates: Sequence[Candidate]) -> list[Candidate]:
    strata: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        strata.setdefault(candidate.stratum, []).append(candidate)
    sizes = {name: len(found) for name, found in strata.items()}
    shares = (_equal if spec.allocation == "equal" else _proportional)(sizes, spec.limit or 0)
    return [one for name, found in sorted(strata.items()) for one in _seeded(spec, found)[: shares[name]]]


def _proportional(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """Shares by size that add up to the limit: the largest remainders are rounded up."""
    total = sum(sizes.values())
    if limit >= total:
        return dict(sizes)
    shares = {name: limit * size // total for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(limit * sizes[name] % total), name))
    for name in by_remainder[: limit - sum(shares.values())]:
        shares[name] += 1
    return shares


def _equal(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """The same for each; what a small one cannot give is shared out among the others."""
    shares: Counter[str] = Counter()
    open_names, left = sorted(sizes), min(limit, sum(sizes.values()))
    while left:
        each = max(1, left // len(open_names))
        for name in open_names:
            more = min(each, sizes[name] - shares[name], left)
            shares[name] += more
            left -= more
        open_names = [name for name in open_names if shares[name] < sizes[name]]
    return dict(shares) | {name: 0 for name in sizes if name not in shares}


def _top(spec: DatasetSpec, candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted((c for c in candidates if c.score is not None), key=_by_score)[: spec.limit]


def _best(spec: DatasetSpec, candidates: Sequence[Candidate]) -> list[Candidate]:
    scored = [c for c in candidates if c.right and c.score is not None]
    return _one_a_prompt(spec, scored, _by_score)


def _shortest(spec: DatasetSpec, candidates: Sequence[Candidate]) -> list[Candidate]:
    return _one_a_prompt(spec, [c for c in candidates if c.right], lambda c: (c.size, c.hash))


def _one_a_prompt(
    spec: DatasetSpec, candidates: Iterable[Candidate], key: Callable[[Candidate], tuple[float, str]]
) -> list[Candidate]:
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        held = first.get(candidate.group_key)
        if held is None or key(candidate) < key(held):
            first[candidate.group_key] = candidate
    if spec.limit is None:
        return list(first.values())
    # by prompt, so that a better trace of a prompt takes the place of the one before it and moves no other
    return sorted(first.values(), key=lambda c: (_draw(spec.seed, "select", c.group_key), c.hash))[: spec.limit]


def _budget(spec: DatasetSpec, candidates: Sequence[Candidate]) -> list[Candidate]:
    """In order until the next one does not fit. It is not skipped: that would prefer short rows."""
    ordered = sorted(candidates, key=_by_score) if spec.by else _seeded(spec, candidates)
    left, chosen = spec.budget or 0, []
    for candidate in ordered:
        left -= candidate.tokens
        if left < 0:
            break
        chosen.append(candidate)
    return chosen


_SELECT: Mapping[str, Callable[[DatasetSpec, Sequence[Candidate]], Sequence[Candidate]]] = {
    "all": _newest,
    "latest": _newest,
    "random": _random,
    "stratified": _stratified,
    "top": _top,
    "best": _best,
    "shortest": _shortest,
    "budget": _budget,
}


def _eval_groups(spec: DatasetSpec, groups: Callable[[], Iterable[str]]) -> set[str]:
    """The groups of the eval split. With two groups or more, neither side of a wanted split stays empty.

    Each call of `groups` iterates over all of them, with repeats, so that only those of the eval split are held.
    """
    if spec.eval_share == 0:
        return set()
    chosen, left = set(), False
    for group in groups():
        if draws_eval(spec, group):
            chosen.add(group)
        else:
            left = True
    if chosen and left:
        return chosen
    ordered = sorted(set(groups()), key=lambda group: (_draw(spec.seed, "split", group), group))
    if len(ordered) < 2:
        return set()
    return set(ordered[:-1]) if chosen else {ordered[0]}
