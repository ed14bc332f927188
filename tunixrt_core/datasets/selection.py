"""From candidates to rows: selection and split by prompt."""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.datasets.pool import Candidate, Pool
from tunixrt_core.datasets.rows import DatasetRow, Rows
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.util.files.records import SHA256, Records

if TYPE_CHECKING:
    from tunixrt_core.datasets.spec import DatasetSpec

# bytes of a place, of a draw, and of keys that end with a hash: a draw's, a score's
_PLACE, _DRAW = 8, 8
_DRAWN = _SCORED = 8 + SHA256


def build_dataset(spec: DatasetSpec, candidates: Iterable[Candidate]) -> Rows:
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


def split_rows(spec: DatasetSpec, chosen: Sequence[Candidate], cluster_of: Mapping[str, str] | None = None) -> Rows:
    """Each trace with its side. `cluster_of` leads from a group key to the key that decides for it."""
    clusters = cluster_of or {}

    def key(candidate: Candidate) -> str:
        return clusters.get(candidate.group_key, candidate.group_key)

    on_eval = _eval_groups(spec, lambda: map(key, chosen))
    return Rows((DatasetRow(c.hash, "eval" if on_eval(key(c)) else "train") for c in chosen), folder_of(chosen))


def folder_of(candidates: Iterable[Candidate]) -> Path | None:
    """Where what is made of these candidates may lie, if it is too much for the memory."""
    return candidates.folder if isinstance(candidates, Pool) else None


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
    "budget": "budget: the first trace alone is estimated to have more tokens. Raise the budget.",
}


def _draw(seed: int, purpose: str, key: str) -> int:
    """A number from 0 to 2**64 - 1 that depends on nothing but its arguments."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}:{key}".encode()).digest()[:8], "big")


def _dedupe(spec: DatasetSpec, candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    """One trace per prompt, where that is wanted, at the place of the newest of it."""
    found = candidates if isinstance(candidates, Sequence) else list(candidates)
    if spec.dedupe == "none" or spec.selection in ("best", "shortest"):
        return found
    if spec.selection == "latest":
        ordered = _ordered(found, _group, SHA256)  # newest first: the first one met is the newest
    else:  # the choice must not depend on the order
        ordered = _ordered(found, lambda one: _group(one) + _by_score(one), SHA256 + _SCORED)
    kept = (_first_of(same) for _, same in groupby(ordered, lambda record: record[:SHA256]))
    return _at(found, Records(2 * _PLACE, kept, folder=folder_of(found)).sorted())


def _first_of(same: Iterator[bytes]) -> bytes:
    """Of records of one prompt: the place of the newest, then that of the one that sorts first."""
    places = [record[-_PLACE:] for record in same]
    return min(places) + places[0]


def _ordered(
    found: Sequence[Candidate],
    key: Callable[[Candidate], bytes],
    width: int,
    wanted: Callable[[Candidate], bool] = lambda candidate: True,
) -> Iterator[bytes]:
    """The keys of `width` bytes of those candidates, in their order, each with the place of its candidate behind it."""
    keyed = (key(one) + place.to_bytes(_PLACE, "big") for place, one in enumerate(found) if wanted(one))
    return Records(width + _PLACE, keyed, folder=folder_of(found)).sorted()


def _at(found: Sequence[Candidate], records: Iterable[bytes]) -> Sequence[Candidate]:
    """The candidates whose places are at the end of these records, in their order."""
    taken = (found[int.from_bytes(record[-_PLACE:], "big")] for record in records)
    return Pool(taken, found.folder) if isinstance(found, Pool) else list(taken)


def _group(candidate: Candidate) -> bytes:
    return bytes.fromhex(candidate.group_key)


def _by_score(candidate: Candidate) -> bytes:
    """The highest score first, those without one last; the hash decides between equals.

    Bytes sort as the negative scores do where those of a number below 0 are turned round (IEEE 754).
    """
    packed = struct.pack(">d", 0.0 - (-math.inf if candidate.score is None else candidate.score))
    sorts = bytes(~byte & 255 for byte in packed) if packed[0] & 128 else bytes([packed[0] | 128]) + packed[1:]
    return sorts + bytes.fromhex(candidate.hash)


def _by_draw(spec: DatasetSpec) -> Callable[[Candidate], bytes]:
    return lambda one: _draw(spec.seed, "select", one.hash).to_bytes(_DRAW, "big") + bytes.fromhex(one.hash)


def _newest(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    return candidates if spec.limit is None else candidates[: spec.limit]


def _random(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    if spec.limit is None:
        return candidates
    return _at(candidates, islice(_ordered(candidates, _by_draw(spec), _DRAWN), spec.limit))


def _stratified(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    sizes = Counter(candidate.stratum for candidate in candidates)
    shares = (_equal if spec.allocation == "equal" else _proportional)(sizes, spec.limit or 0)
    names = sorted(sizes)
    place = {name: n.to_bytes(_PLACE, "big") for n, name in enumerate(names)}
    draw = _by_draw(spec)
    ordered = _ordered(candidates, lambda one: place[one.stratum] + draw(one), _PLACE + _DRAWN)
    strata = groupby(ordered, lambda record: int.from_bytes(record[:_PLACE], "big"))
    return _at(candidates, (record for n, same in strata for record in islice(same, shares[names[n]])))


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


def _top(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    return _at(candidates, islice(_ordered(candidates, _by_score, _SCORED, _has_score), spec.limit))


def _has_score(candidate: Candidate) -> bool:
    return candidate.score is not None


def _best(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    return _one_a_prompt(spec, candidates, _by_score, lambda one: one.right and _has_score(one))


def _shortest(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    def by_size(candidate: Candidate) -> bytes:
        return candidate.size.to_bytes(_SCORED - SHA256, "big") + bytes.fromhex(candidate.hash)

    return _one_a_prompt(spec, candidates, by_size, lambda one: one.right)


def _one_a_prompt(
    spec: DatasetSpec,
    candidates: Sequence[Candidate],
    key: Callable[[Candidate], bytes],
    wanted: Callable[[Candidate], bool],
) -> Sequence[Candidate]:
    """Of each prompt the first one by a key of `_SCORED` bytes."""
    ordered = _ordered(candidates, lambda one: _group(one) + key(one), SHA256 + _SCORED, wanted)
    first = _at(candidates, (next(same) for _, same in groupby(ordered, lambda record: record[:SHA256])))
    if spec.limit is None:
        return first

    # by prompt, so that a better trace of a prompt takes the place of the one before it and moves no other
    def drawn(candidate: Candidate) -> bytes:
        return _draw(spec.seed, "select", candidate.group_key).to_bytes(_DRAW, "big") + bytes.fromhex(candidate.hash)

    return _at(first, islice(_ordered(first, drawn, _DRAWN), spec.limit))


def _budget(spec: DatasetSpec, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """In order until the next one does not fit. It is not skipped: that would prefer short rows."""
    if spec.by and not any(map(_has_score, candidates)):
        raise InvalidDataset(_NOTHING["top"])
    ordered = _ordered(candidates, _by_score if spec.by else _by_draw(spec), _SCORED if spec.by else _DRAWN)

    def fitting() -> Iterator[bytes]:
        left = spec.budget or 0
        for record in ordered:
            left -= candidates[int.from_bytes(record[-_PLACE:], "big")].tokens
            if left < 0:
                return
            yield record

    return _at(candidates, fitting())


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


def _eval_groups(spec: DatasetSpec, groups: Callable[[], Iterable[str]]) -> Callable[[str], bool]:
    """Which groups are on the eval split. With two groups or more, neither side of a wanted split stays empty.

    Each call of `groups` iterates over all of them, with repeats: none of them is held.
    """
    if spec.eval_share == 0:
        return lambda group: False
    sides = set()
    for group in groups():
        sides.add(draws_eval(spec, group))
        if len(sides) == 2:
            return lambda group: draws_eval(spec, group)

    def drawn(group: str) -> tuple[int, str]:
        return _draw(spec.seed, "split", group), group

    first, last = min(groups(), key=drawn, default=""), max(groups(), key=drawn, default="")
    if first == last:
        return lambda group: False
    return (lambda group: group != last) if True in sides else (lambda group: group == first)
