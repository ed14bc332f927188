"""Building a version: gates, selection, split, checks.

    candidates -> gates that exclude -> selection -> split -> gates that warn, and train against eval -> rows

Candidates are held as hashes alone, on the disk where they are many; texts are streamed through twice at most and never
held. What is left in memory grows with the rows that gates exclude, by 32 bytes each, and with near-duplicates, by 20
bytes per row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tunixrt_core.datasets.facts import FactFinder, asks_for_facts
from tunixrt_core.datasets.gates.check import Check, Found, Look, Tools
from tunixrt_core.datasets.gates.findings import Finding, GateOutcome
from tunixrt_core.datasets.gates.looking import look_at
from tunixrt_core.datasets.gates.registry import GateChoice, chosen_gates
from tunixrt_core.datasets.gates.rules.near import NearCheck
from tunixrt_core.datasets.pool import Candidate, Pool, distinct_groups
from tunixrt_core.datasets.rows import Rows
from tunixrt_core.datasets.selection import choose, split_rows
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.traces.rows import Split
from tunixrt_core.util.files.records import SHA256, HashSet, Records

Progress = Callable[[str, int, int], None]
_TELL = 250  # rows between two words of progress

# Prompts are short, so one changed word weighs more than in a whole trace: fewer words an n-gram, a lower threshold.
_CLUSTER_PROMPTS = {"of": "prompt", "ngram": 2, "threshold": 0.8}


class _Screened(NamedTuple):
    """Candidates that are left, and what each gate found among all of them."""

    left: Sequence[Candidate]
    found: list[tuple[GateChoice, int, Found]]


@dataclass(frozen=True, slots=True)
class Built:
    """The rows of a version, with what each gate did and found, in the order of the gates.

    `left_out` counts candidates that are no row, each once, by the reason.
    """

    rows: Rows
    outcomes: tuple[GateOutcome, ...]
    findings: dict[str, Collection[Finding]]
    left_out: dict[str, int]


def build(
    spec: DatasetSpec,
    candidates: Iterable[Candidate],
    tools: Tools,
    on_progress: Progress = lambda phase, done, total: None,
    scores: Iterable[tuple[str, float]] = (),
) -> Built:
    """`candidates` come newest first, already filtered. `on_progress` is told phase, rows done and rows in all.

    An exception that it raises ends the build. `scores` are those named `spec.by`, by hash. Raises InvalidDataset
    where nothing is left.
    """
    gates = chosen_gates(spec.gates)
    first = [g for g in gates if g.action == "exclude" and not g.gate.splits]
    finder = FactFinder(spec, tools.beat, scores, tools.folder)
    screened = _screen(spec, Pool(candidates, tools.folder), first, tools, on_progress, finder)
    chosen = choose(spec, screened.left) if screened.left else _nothing(spec, screened)
    rows = split_rows(spec, chosen, _clusters(spec, chosen, tools, on_progress))
    selected = len(rows)
    rest = [g for g in gates if g not in first]
    rows, found = _check(rows, rest, tools, on_progress)
    by_gate = {choice.gate.name: (choice, checked, one) for choice, checked, one in (*screened.found, *found)}
    ordered = [by_gate[choice.gate.name] for choice in gates]
    return Built(
        rows,
        tuple(_outcome(choice, checked, one) for choice, checked, one in ordered),
        {choice.gate.name: one.findings for choice, _, one in ordered},
        _left_out(spec, screened, selected, ordered, tools.folder),
    )


def _left_out(
    spec: DatasetSpec,
    screened: _Screened,
    selected: int,
    found: Sequence[tuple[GateChoice, int, Found]],
    folder: Path | None,
) -> dict[str, int]:
    """The candidates that are no row, by the reason. One that several gates exclude counts for the first of them."""
    seen = HashSet(folder=folder)
    counts: dict[str, int] = {}
    for choice, _, one in found:
        if choice.action == "exclude":
            before = len(seen)
            seen.update(finding.hash for finding in one.findings)
            counts[f"gate {choice.gate.name}"] = len(seen) - before
    left = screened.left
    # `best` and `shortest` take one trace per prompt by themselves
    by_prompt = spec.dedupe == "prompt" and spec.selection not in ("best", "shortest")
    repeated = len(left) - distinct_groups(left, folder) if by_prompt else 0
    counts |= {"same prompt": repeated, "selection": len(left) - repeated - selected}
    return {reason: number for reason, number in counts.items() if number}


def _screen(
    spec: DatasetSpec,
    pool: Pool,
    gates: Sequence[GateChoice],
    tools: Tools,
    on_progress: Progress,
    finder: FactFinder,
) -> _Screened:
    """Leave out what the excluding gates find, and fill in what the selection asks for."""
    facts = asks_for_facts(spec)
    if not pool or not (gates or facts):
        return _Screened(pool, [])
    with ExitStack() as stack:
        checks = [_started(choice, tools, stack) for choice in gates]
        stack.callback(finder.close)
        left = Pool(folder=tools.folder) if facts else pool
        looks = [*(check.look(None) for check in checks), *([finder.look()] if facts else [])]
        for done, (candidate, seen) in enumerate(_looked_at(pool, tools, looks), 1):
            if facts:
                left.append(finder.fill(candidate, seen.pop()))
            _take(checks, candidate.hash, None, seen)
            if done % _TELL == 0:
                on_progress("screening", done, len(pool))
        on_progress("screening", len(pool), len(pool))
        gone = HashSet(folder=tools.folder)
        found = [
            (choice, len(pool), _finished(choice, check, gone)) for choice, check in zip(gates, checks, strict=True)
        ]
        if gone:
            left = Pool((one for one in left if one.hash not in gone), tools.folder)
        return _Screened(finder.completed(left) if facts else left, found)


def _looked_at(pool: Pool, tools: Tools, looks: Sequence[Look]) -> Iterator[tuple[Candidate, list[Any]]]:
    """Each candidate with what the looks gave; those that were deleted meanwhile are passed over."""
    candidates = iter(pool)
    for hash, seen in look_at(tools, pool.hashes(), looks):
        yield next(one for one in candidates if one.hash == hash), seen


def _check(
    rows: Rows, gates: Sequence[GateChoice], tools: Tools, on_progress: Progress
) -> tuple[Rows, list[tuple[GateChoice, int, Found]]]:
    """Show the rows, those of the eval split first, to the gates; leave out what one of them excludes."""
    if not gates:
        return rows, []
    with ExitStack() as stack:
        checks = [_started(choice, tools, stack) for choice in gates]
        done = 0
        sides: tuple[Split, ...] = ("eval", "train")
        for side in sides:
            for hash, seen in look_at(tools, rows.hashes(side), [check.look(side) for check in checks]):
                _take(checks, hash, side, seen)
                done += 1
                if done % _TELL == 0:
                    on_progress("checking", done, len(rows))
        on_progress("checking", len(rows), len(rows))
        gone = HashSet(folder=tools.folder)
        found = [
            (choice, len(rows), _finished(choice, check, gone))
            # gates that exclude come first, so that no other gate names an excluded row
            for choice, check in sorted(zip(gates, checks, strict=True), key=lambda pair: pair[0].action != "exclude")
        ]
    left = Rows((row for row in rows if row.hash not in gone), tools.folder) if gone else rows
    if not left:
        raise InvalidDataset("gates: leave no row. Let some of them warn instead of exclude, or widen the filters.")
    return left, found


def _started(choice: GateChoice, tools: Tools, stack: ExitStack) -> Check:
    check = choice.gate.start(choice.settings, tools)
    stack.callback(check.close)
    return check


def _take(checks: Sequence[Check], hash: str, split: Split | None, seen: Sequence[Any]) -> None:
    for check, one in zip(checks, seen, strict=True):
        check.take(hash, split, one)


def _finished(choice: GateChoice, check: Check, gone: HashSet) -> Found:
    """What a check found; its rows join `gone` where it excludes, so that the next one leaves them alone.

    A row that several gates would exclude for itself is named by each of them. Rows that are compared with each other
    are those that are left.
    """
    judges_each = choice.action == "exclude" and not choice.gate.sets
    found = check.finish(() if judges_each else gone)
    if choice.action == "exclude":
        gone.update(finding.hash for finding in found.findings)
    return found


def _clusters(spec: DatasetSpec, chosen: Sequence[Candidate], tools: Tools, on_progress: Progress) -> dict[str, str]:
    """Group keys whose prompts are almost the same, each with the key that decides for all of them."""
    if spec.split_by != "near_duplicate":
        return {}
    prompts = Records(2 * SHA256, _one_a_group(chosen, tools.folder), folder=tools.folder)
    check = NearCheck(_CLUSTER_PROMPTS, tools)
    hashes = (record[SHA256:].hex() for record in prompts)
    for done, (hash, seen) in enumerate(look_at(tools, hashes, [check.look(None)]), 1):
        check.take(hash, None, seen[0])
        if done % _TELL == 0:
            on_progress("clustering", done, len(prompts))
    roots = check.roots()
    members: dict[str, list[str]] = {}
    for record in prompts:
        if (root := roots.get(record[SHA256:].hex())) is not None:
            members.setdefault(root, []).append(record[:SHA256].hex())
    return {group: min(groups) for groups in members.values() for group in groups}


def _one_a_group(chosen: Iterable[Candidate], folder: Path | None) -> Iterator[bytes]:
    """Each group key with the smallest hash of its traces, packed, in their order."""
    packed = Records(2 * SHA256, (bytes.fromhex(one.group_key + one.hash) for one in chosen), folder=folder)
    return (next(same) for _, same in groupby(packed.sorted(), lambda record: record[:SHA256]))


def _nothing(spec: DatasetSpec, screened: _Screened) -> Sequence[Candidate]:
    if not screened.found:
        return choose(spec, [])
    said = ", ".join(f"{choice.gate.name} {len(one.findings):,}" for choice, _, one in screened.found if one.findings)
    raise InvalidDataset(
        f"gates: leave no trace of {screened.found[0][1]:,} ({said}). Let some of them warn instead of exclude."
    )


def _outcome(choice: GateChoice, checked: int, found: Found) -> GateOutcome:
    return GateOutcome(
        gate=choice.gate.name,
        version=choice.gate.version,
        action=choice.action,
        settings=dict(choice.settings),
        checked=checked,
        counts=dict(sorted(found.counts.items())),
        rows=len(found.findings),
        notes=dict(found.notes),
    )
