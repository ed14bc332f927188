"""Gate: pairs of almost identical rows."""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterator
from functools import partial
from pathlib import Path

from tunixrt_core.datasets.gates.check import Check, Found, Gate, Look, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding, Findings
from tunixrt_core.datasets.gates.minhash import Clusters, Sketches, bands_of, jaccard
from tunixrt_core.datasets.gates.texts import shingles, whole_text
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.files.records import SHA256, Records


class NearCheck:
    """Keeps 128 bytes and the hash of a row; texts are read again for the pairs alone."""

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._folder = tools.folder
        self._sketches = Sketches(tools.folder)
        self._hashes = Records(SHA256, folder=tools.folder)

    def look(self, split: Split | None) -> Look:
        return partial(_bands, of=self._settings["of"], size=self._settings["ngram"])

    def take(self, hash: str, split: Split | None, seen: bytes) -> None:
        self._sketches.add(seen)
        self._hashes.append(bytes.fromhex(hash))

    def finish(self, gone: Container[str]) -> Found:
        """Of a cluster the row with the smallest hash stays; each other one names the row that it is most like."""
        found = self._clustered(gone)
        findings = Findings(folder=self._folder)
        for number in found.alike(self._folder):
            if found.clusters.root(number) != number:
                likeness, other = found.best(number)
                detail = {"other": self._hash(other), "jaccard": round(likeness, 4)}
                findings.append(Finding(self._hash(number), "near_duplicate", detail))
        return Found(findings, {"near_duplicate": len(findings)} if findings else {})

    def roots(self) -> dict[str, str]:
        """Every row that is like another one, with the row of the smallest hash in its cluster."""
        found = self._clustered(())
        return {self._hash(n): self._hash(found.clusters.root(n)) for n in found.alike(self._folder)}

    def close(self) -> None:
        """What is kept on the disk goes with the check."""

    def _clustered(self, gone: Container[str]) -> _Clustered:
        found = _Clustered(self._ranks(gone))
        for a, b, likeness in self._verified(self._sketches.candidates(found.rank)):
            found.join(a, b, likeness)
        return found

    def _ranks(self, gone: Container[str]) -> array[int]:
        """The place of each row in the order of the hashes of those that are left; -1 where it is gone."""
        numbered = (hash + number.to_bytes(4, "big") for number, hash in enumerate(self._hashes))
        rank = array("i", [-1]) * len(self._hashes)
        place = 0
        for record in Records(SHA256 + 4, numbered, folder=self._folder).sorted():
            if record[:SHA256].hex() not in gone:
                rank[int.from_bytes(record[SHA256:], "big")] = place
                place += 1
        return rank

    def _hash(self, number: int) -> str:
        return self._hashes[number].hex()

    def _verified(self, pairs: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
        """Pairs whose true similarity reaches the threshold."""
        from tunixrt_core.datasets.gates.comparing import compared

        look = partial(_shingles, of=self._settings["of"], size=self._settings["ngram"])
        found = compared(self._tools, ((a, b, self._hash(a), self._hash(b)) for a, b in pairs), look, jaccard)
        return (one for one in found if one[2] >= self._settings["threshold"])


def _text(trace: Trace, of: str) -> str:
    return trace.prompt if of == "prompt" else whole_text(trace)


def _shingles(trace: Trace, of: str, size: int) -> set[str]:
    return shingles(_text(trace, of), size)


def _bands(trace: Trace, of: str, size: int) -> bytes:
    return bands_of(_text(trace, of), size)


class _Clustered:
    """Clusters of rows that are alike, and for each row the one that it is most like: 20 bytes per row."""

    def __init__(self, rank: array[int]) -> None:
        self.rank = rank
        self.clusters = Clusters(rank)
        self._likeness = array("d", [0.0]) * len(rank)
        self._other = array("i", [-1]) * len(rank)

    def join(self, a: int, b: int, likeness: float) -> None:
        self.clusters.join(a, b)
        for one, other in ((a, b), (b, a)):
            self._likeness[one], self._other[one] = max(self.best(one), (likeness, other))

    def best(self, number: int) -> tuple[float, int]:
        """The likeness of the row that a row is most like, and its number; -1 where there is none."""
        return self._likeness[number], self._other[number]

    def alike(self, folder: Path | None) -> Iterator[int]:
        """The numbers of rows that are like another one, in the order of their ranks."""
        found = (self.rank[n].to_bytes(4, "big") + n.to_bytes(4, "big") for n, o in enumerate(self._other) if o >= 0)
        return (int.from_bytes(record[4:], "big") for record in Records(8, found, folder=folder).sorted())


def _start(settings: Settings, tools: Tools) -> Check:
    return NearCheck(settings, tools)


GATE = Gate(
    "near_duplicate",
    2,
    "Near-duplicates",
    "MinHash over word n-grams finds pairs, their true Jaccard similarity decides",
    _start,
    {
        "threshold": Setting(0.85, "Jaccard similarity from which two rows are alike", 0.5, 1.0),
        "ngram": Setting(3, "words of an n-gram", 1, 20),
        "of": Setting("trace", "trace: prompt, reasoning and answer; or prompt alone", choices=("trace", "prompt")),
    },
    sets=True,
)
