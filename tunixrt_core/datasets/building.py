"""Building a version: gates, selection, split, checks.

    candidates -> gates that exclude -> selection -> split -> gates that warn, and train against eval -> rows

Candidates are held as hashes alone; texts are streamed through twice at most and never held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from tunixrt_core.datasets.facts import FactFinder, asks_for_facts
from tunixrt_core.datasets.gates.check import Check, Found, Tools
from tunixrt_core.datasets.gates.findings import Finding, GateOutcome
from tunixrt_core.datasets.gates.registry import GateChoice, chosen_gates
from tunixrt_core.datasets.gates.rules.near import NearCheck
from tunixrt_core.datasets.pool import Pool
from tunixrt_core.datasets.selection import Candidate, DatasetRow, choose, split_rows
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.traces.rows import Split

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

    rows: tuple[DatasetRow, ...]
    outcomes: tuple[GateOutcome, ...]
    findings: dict[str, list[Finding]]
    left_out: dict[str, int]


def build(
    spec: DatasetSpec,
    candidates: Iterable[Candidate],
    tools: Tools,
    on_progress: Progress = lambda phase, done, total: None,
    scores: Mapping[str, float] | None = None,
) -> Built:
    """`candidates` come newest first, already filtered. `on_progress` is told phase, rows done and rows in all.

    An exception that it raises ends the build. `scores` are those named `spec.by`, by hash. Raises InvalidDataset
    where nothing is left.
    """
    gates = chosen_gates(spec.gates)
    first = [g for g in gates if g.action == "exclude" and not g.gate.splits]
    finder = FactFinder(spec, tools.beat, scores)
    screened = _screen(spec, Pool(candidates), first, tools, on_progress, finder)
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
        _left_out(spec, screened, selected, ordered),
    )


def _left_out(
    spec: DatasetSpec, screened: _Screened, selected: int, found: Sequence[tuple[GateChoice, int, Found]]
) -> dict[str, int]:
    """The candidates that are no row, by the reason. One that several gates exclude counts for the first of them."""
    seen: set[str] = set()
    counts: dict[str, int] = {}
    for choice, _, one in found:
        if choice.action == "exclude":
            hashes = {finding.hash for finding in one.findings} - seen
            seen |= hashes
            counts[f"gate {choice.gate.name}"] = len(hashes)
    left = screened.left
    repeated = len(left) - len({one.group_key for one in left}) if spec.dedupe == "prompt" else 0
    if spec.selection in ("best", "shortest"):
        repeated = 0  # these take one trace per prompt by themselves
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
    if not pool or not (gates or asks_for_facts(spec)):
        return _Screened(pool, [])
    with ExitStack() as stack:
        checks = [_started(choice, tools, stack) for choice in gates]
        stack.callback(finder.close)
        filled = {candidate.hash: candidate for candidate in pool} if asks_for_facts(spec) else {}
        for done, trace in enumerate(tools.read(pool.hashes()), 1):
            for check in checks:
                check.see(trace, None)
            if filled:
                filled[trace.content_hash] = finder.fill(filled[trace.content_hash], trace)
            if done % _TELL == 0:
                on_progress("screening", done, len(pool))
        on_progress("screening", len(pool), len(pool))
        gone: set[str] = set()
        found = [
            (choice, len(pool), _finished(choice, check, gone)) for choice, check in zip(gates, checks, strict=True)
        ]
        left: Sequence[Candidate] = finder.judged(one for one in filled.values() if one.hash not in gone)
        if not filled:
            left = Pool(candidate for candidate in pool if candidate.hash not in gone) if gone else pool
    return _Screened(left, found)


def _check(
    rows: tuple[DatasetRow, ...], gates: Sequence[GateChoice], tools: Tools, on_progress: Progress
) -> tuple[tuple[DatasetRow, ...], list[tuple[GateChoice, int, Found]]]:
    """Show the rows, those of the eval split first, to the gates; leave out what one of them excludes."""
    if not gates:
        return rows, []
    side: dict[str, Split] = dict(rows)
    order = sorted(side, key=lambda hash: (side[hash] != "eval", hash))
    with ExitStack() as stack:
        checks = [_started(choice, tools, stack) for choice in gates]
        for done, trace in enumerate(tools.read(order), 1):
            for check in checks:
                check.see(trace, side[trace.content_hash])
            if done % _TELL == 0:
                on_progress("checking", done, len(order))
        on_progress("checking", len(order), len(order))
        gone: set[str] = set()
        found = [
            (choice, len(order), _finished(choice, check, gone))
            # gates that exclude come first, so that no other gate names an excluded row
            for choice, check in sorted(zip(gates, checks, strict=True), key=lambda pair: pair[0].action != "exclude")
        ]
    left = tuple(row for row in rows if row.hash not in gone)
    if not left:
        raise InvalidDataset("gates: leave no row. Let some of them warn instead of exclude, or widen the filters.")
    return left, found


def _started(choice: GateChoice, tools: Tools, stack: ExitStack) -> Check:
    check = choice.gate.start(choice.settings, tools)
    stack.callback(check.close)
    return check


def _finished(choice: GateChoice, check: Check, gone: set[str]) -> Found:
    """What a check found; its rows join `gone` where it excludes, so that the next one leaves them alone.

    A row that several gates would exclude for itself is named by each of them. Rows that are compared with each other
    are those that are left.
    """
    judges_each = choice.action == "exclude" and not choice.gate.sets
    found = check.finish(set() if judges_each else gone)
    if choice.action == "exclude":
        gone.update(finding.hash for finding in found.findings)
    return found


def _clusters(spec: DatasetSpec, chosen: Sequence[Candidate], tools: Tools, on_progress: Progress) -> dict[str, str]:
    """Group keys whose prompts are almost the same, each with the key that decides for all of them."""
    if spec.split_by != "near_duplicate":
        return {}
    one_of = {candidate.group_key: candidate.hash for candidate in sorted(chosen, key=lambda c: c.hash, reverse=True)}
    group_of = {hash: group for group, hash in one_of.items()}
    check = NearCheck(_CLUSTER_PROMPTS, tools.read)
    for done, trace in enumerate(tools.read(one_of[group] for group in sorted(one_of)), 1):
        check.see(trace, None)
        if done % _TELL == 0:
            on_progress("clustering", done, len(one_of))
    members: dict[str, list[str]] = {}
    for hash, root in check.roots().items():
        members.setdefault(root, []).append(group_of[hash])
    return {group: min(groups) for groups in members.values() for group in groups}


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
        rows=len({finding.hash for finding in found.findings}),
        notes=dict(found.notes),
    )
