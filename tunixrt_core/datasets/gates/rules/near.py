"""Gate: pairs of almost identical rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tunixrt_core.datasets.gates.check import Check, Found, Gate, Read, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.minhash import Clusters, Sketches, jaccard
from tunixrt_core.datasets.gates.texts import shingles, whole_text
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace

_PAIRS = 256  # compared at once: at most twice as many texts are held


class NearCheck:
    """Keeps 128 bytes and the hash of a row; texts are read again for the pairs alone."""

    def __init__(self, settings: Settings, read: Read) -> None:
        self._settings = settings
        self._read = read
        self._sketches = Sketches(settings["ngram"])
        self._hashes: list[str] = []

    def see(self, trace: Trace, split: Split | None) -> None:
        self._sketches.add(self._text(trace))
        self._hashes.append(trace.content_hash)

    def finish(self, gone: set[str]) -> Found:
        """Of a cluster the row with the smallest hash stays; each other one names the row that it is most like."""
        hashes = self._hashes
        order, clusters, best = self._clustered(gone)
        findings = [
            Finding(hashes[n], "near_duplicate", {"other": hashes[best[n][1]], "jaccard": round(best[n][0], 4)})
            for n in order
            if n in best and clusters.root(n) != n
        ]
        return Found(findings, {"near_duplicate": len(findings)} if findings else {})

    def roots(self) -> dict[str, str]:
        """Every row that is like another one, with the row of the smallest hash in its cluster."""
        order, clusters, best = self._clustered(set())
        return {self._hashes[n]: self._hashes[clusters.root(n)] for n in order if n in best}

    def close(self) -> None:
        self._hashes.clear()

    def _clustered(self, gone: set[str]) -> tuple[list[int], Clusters, dict[int, tuple[float, int]]]:
        """The rows in the order of their hashes, their clusters, and for each the likeness of its nearest row."""
        hashes = self._hashes
        order = sorted((n for n, hash in enumerate(hashes) if hash not in gone), key=hashes.__getitem__)
        rank = [0] * len(hashes)
        for position, number in enumerate(order):
            rank[number] = position
        clusters = Clusters(len(hashes))
        best: dict[int, tuple[float, int]] = {}
        for a, b, likeness in self._verified(self._sketches.candidates(order)):
            clusters.join(a, b, rank)
            for one, other in ((a, b), (b, a)):
                best[one] = max(best.get(one, (0.0, other)), (likeness, other))
        return order, clusters, best

    def _text(self, trace: Trace) -> str:
        return trace.prompt if self._settings["of"] == "prompt" else whole_text(trace)

    def _verified(self, pairs: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
        """Pairs whose true similarity reaches the threshold."""
        while chunk := list(islice(pairs, _PAIRS)):
            sets = self._shingled(n for pair in chunk for n in pair)
            for a, b in chunk:
                if a in sets and b in sets and (likeness := jaccard(sets[a], sets[b])) >= self._settings["threshold"]:
                    yield a, b, likeness

    def _shingled(self, numbers: Iterable[int]) -> dict[int, set[str]]:
        wanted = {self._hashes[n]: n for n in numbers}
        size = self._settings["ngram"]
        return {wanted[t.content_hash]: shingles(self._text(t), size) for t in self._read(wanted)}


def _start(settings: Settings, tools: Tools) -> Check:
    return NearCheck(settings, tools.read)


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
