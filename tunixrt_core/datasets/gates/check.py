"""The interface of a gate: settings, one pass over the rows, tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tunixrt_core.datasets.gates.findings import Finding, Findings
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.traces.conversation import Message
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace

Settings = Mapping[str, Any]
Read = Callable[[Iterable[str]], Iterator[Trace]]
CountTokens = Callable[[str], int]
# what one check takes from a trace: of this trace alone, and such that pickle can pass the function to another machine
Look = Callable[[Trace], Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a check came to: the rows it stopped at, rows by outcome, and facts in words."""

    findings: Collection[Finding]
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


class Check(Protocol):
    """One gate at work on the rows of one version. Takes every row once, rows of the eval split first.

    What asks for the text of a row is a look, which may be done elsewhere; the rest is done here, in order.
    """

    def look(self, split: Split | None) -> Look:
        """What it takes from each row of a side; asked for before the first of them. `split` is None before rows have
        a side.
        """

    def take(self, hash: str, split: Split | None, seen: Any) -> None:
        """What the look at one row gave."""

    def finish(self, gone: Container[str]) -> Found:
        """`gone` are rows that gates before this one have excluded; they count for nothing any more."""

    def close(self) -> None:
        """Free what the check holds, also where it was broken off."""


class Asking(NamedTuple):
    """What an eval row asks: its prompt, behind earlier messages."""

    prompt: str
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class EvalSet:
    """An eval file named by the user: its name, the sha256 of its bytes, and its prompts, read once; None for a row
    that asks nothing.
    """

    name: str
    sha256: str
    prompts: Callable[[], Iterator[Asking | None]]


class MapBlocks(Protocol):
    """Does the same work on many blocks, wherever that is."""

    def __call__(self, work: Callable[[bytes], bytes], blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The results in the order of the blocks. `work` is pickled; a few blocks at a time are taken ahead."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Looks done elsewhere: `bodies` gives the canonical JSON of traces, as `Tools.read` gives the traces.

    `block` is how many bytes of traces travel together.
    """

    map_blocks: MapBlocks
    bodies: Callable[[Iterable[str]], Iterator[bytes]]
    block: int


@dataclass(frozen=True, slots=True)
class Tools:
    """What checks may ask for. `read` gives the traces of hashes in order, leaving out those that are gone.

    `beat` is called while a check waits; it raises where the work must end. `folder` takes what is too much for the
    memory, in files without a name. `spread` has the looks done elsewhere.
    """

    read: Read
    eval_set: EvalSet | None = None
    beat: Callable[[], None] = lambda: None
    folder: Path | None = None
    spread: Spread | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a gate: its default, which also gives its type, its range or its choices, and its meaning."""

    default: int | float | str
    about: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()

    def check(self, where: str, value: object) -> None:
        """Raise InvalidDataset, which begins with `where`, for a value that cannot be used."""
        if isinstance(self.default, str):
            if not isinstance(value, str) or (self.choices and value not in self.choices):
                raise InvalidDataset(f"{where}: {value!r} is not {_one_of(self.choices)}.")
            return
        kinds = (int,) if isinstance(self.default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.low <= value <= self.high:
            kind = "a whole number" if kinds == (int,) else "a number"
            raise InvalidDataset(f"{where}: {value!r} is not {kind} from {self.low:,g} to {self.high:,g}.")


def _one_of(choices: tuple[str, ...]) -> str:
    return f"one of {', '.join(choices)}" if choices else "text"


@dataclass(frozen=True, slots=True)
class Gate:
    """A named rule with a version: another rule under the same name gets the next one.

    `sets` is true where rows are compared with each other, `splits` where a row's side matters.
    """

    name: str
    version: int
    title: str
    about: str
    start: Callable[[Settings, Tools], Check]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    sets: bool = False
    splits: bool = False


class Judge(Protocol):
    """A rule about one row."""

    def __call__(self, trace: Trace, settings: Settings) -> Finding | None: ...


class RowCheck:
    """A check that judges each row for itself."""

    def __init__(self, judge: Judge, settings: Settings, folder: Path | None = None) -> None:
        self._judge = judge
        self._settings = settings
        self._findings = Findings(folder=folder)

    def look(self, split: Split | None) -> Look:
        return partial(self._judge, settings=self._settings)

    def take(self, hash: str, split: Split | None, seen: Finding | None) -> None:
        if seen is not None:
            self._findings.append(seen)

    def finish(self, gone: Container[str]) -> Found:
        kept = self._findings.without(gone)
        return Found(kept, dict(Counter(finding.reason for finding in kept)))

    def close(self) -> None:
        """A judged row leaves nothing open."""


def row_gate(
    name: str, title: str, about: str, judge: Judge, *, version: int = 1, settings: Mapping[str, Setting] | None = None
) -> Gate:
    """A gate whose rule is one plain function of a trace and the settings."""
    return Gate(
        name, version, title, about, lambda chosen, tools: RowCheck(judge, chosen, tools.folder), settings or {}
    )
