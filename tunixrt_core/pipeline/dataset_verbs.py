"""Dataset: what a Pipeline does to freeze selections of traces and to read them again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tunixrt_core.datasets.building import Built, Progress, build
from tunixrt_core.datasets.eval_prompts import EvalFile, with_eval_file
from tunixrt_core.datasets.gates.check import Tools
from tunixrt_core.datasets.selection import Candidate
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion, freeze
from tunixrt_core.errors import Cancelled
from tunixrt_core.jobs.builds import Build, Builds
from tunixrt_core.jobs.requests import Requests
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.hashing import content_hash, sha256_hex
from tunixrt_core.util.processes import this_process


class DatasetVerbs:
    """The part of a Pipeline that builds dataset versions."""

    store: Store
    builds: Builds
    requests: Requests

    def build_dataset(
        self,
        spec: DatasetSpec,
        *,
        eval_file: EvalFile | None = None,
        on_progress: Progress = lambda phase, done, total: None,
        stop: threading.Event | None = None,
    ) -> DatasetVersion:
        """Freeze a selection as the next version of its name. The same content again gives the version that has it.

        `eval_file` is what the contamination gate compares with; the version keeps its hash, not its text.
        `on_progress` is told phase, rows done and rows in all. Raises InvalidDataset; Cancelled once `stop` is set.
        """

        def beat() -> None:
            if stop is not None and stop.is_set():
                raise Cancelled(f"The build of {spec.name} was cancelled. Nothing of it was kept.")

        def told(phase: str, done: int, total: int) -> None:
            beat()
            on_progress(phase, done, total)

        spec, eval_set = with_eval_file(spec, eval_file)

        def read(hashes: Iterable[str]) -> Iterator[Trace]:
            for trace in self.store.traces.by_hashes(hashes, on_missing=lambda hash: None):
                beat()
                yield trace

        told("reading", 0, 0)
        scores = self.store.datasets.scores(spec.by) if spec.by and spec.selection != "stratified" else {}
        made = build(spec, self._candidates(spec), Tools(read, eval_set, beat), told, scores)
        beat()
        return self._keep(spec, made)

    def start_build(
        self, spec: DatasetSpec, *, eval_file: EvalFile | None = None, request_id: str | None = None
    ) -> Build:
        """Build in the background. `builds` tells how far it is, and cancels it. The same that is under way already is
        given back.

        A `request_id` that was used before gives the build that it started, until the server ends and with it the
        build. Raises RequestReused.
        """

        def work(on_progress: Progress, stop: threading.Event) -> DatasetVersion:
            return self.build_dataset(spec, eval_file=eval_file, on_progress=on_progress, stop=stop)

        asked = _asked(spec, eval_file)
        return self.requests.once(
            request_id,
            "build",
            asked,
            lambda: self.builds.start(spec.name, work, asked=content_hash(asked)),
            # builds are counted anew by every process
            note=lambda build: {"build": build.id, "process": this_process()},
            find=lambda kept: self.builds.find(kept["build"]) if kept["process"] == this_process() else None,
        )

    def _candidates(self, spec: DatasetSpec) -> Iterator[Candidate]:
        return self.store.traces.select(TraceQuery(**spec.filters()))

    def _keep(self, spec: DatasetSpec, made: Built) -> DatasetVersion:
        parent = self.store.datasets.latest_number(spec.name)
        frozen = freeze(spec, made.rows, version=(parent or 0) + 1, parent=parent, created_at=datetime.now(UTC))
        if known := self.store.datasets.find(spec.name, frozen.content_hash):
            return known
        self.store.datasets.add(frozen, made.rows, made.outcomes, made.findings)
        return frozen

    def rebuild_spec(self, name: str, version: int | None = None, *, new_name: str | None = None) -> DatasetSpec:
        """The spec of a version, to build the next one from."""
        spec = self.dataset(name, version).spec
        return replace(spec, name=new_name) if new_name else spec

    def dataset(self, name: str, version: int | None = None) -> DatasetVersion:
        return self.store.datasets.get(name, version)

    def dataset_versions(self, name: str | None = None) -> list[DatasetVersion]:
        """All versions, newest first."""
        return self.store.datasets.list(name)

    def dataset_rows(
        self,
        name: str,
        version: int | None = None,
        split: Split | None = None,
        *,
        on_deleted: Callable[[str], object] = lambda trace_hash: None,
    ) -> Iterator[tuple[Trace, Split]]:
        """The traces of a version with their side of the split, streamed in order.

        A trace that was deleted since is left out, and `on_deleted` is told its hash.
        """
        frozen = self.dataset(name, version)
        sides: dict[str, Split] = {}

        def hashes() -> Iterator[str]:
            for row in self.store.datasets.rows(frozen.name, frozen.version, split):
                sides[row.hash] = row.split
                yield row.hash

        for trace in self.store.traces.by_hashes(hashes(), on_missing=on_deleted):
            yield trace, sides.pop(trace.content_hash)


def _asked(spec: DatasetSpec, eval_file: EvalFile | None) -> dict[str, Any]:
    """What a build asks for, the content of an upload included."""
    held = eval_file.content if eval_file else None
    return {
        "spec": spec.to_dict(),
        "eval_file": eval_file.name if eval_file else None,
        "content": sha256_hex(held) if isinstance(held, bytes) else None,
    }
