"""Dataset versions: build, read, compare and describe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetDiff, DatasetVersion, diff, freeze, version_hash
from tunixrt_core.errors import NotFound, Stopped
from tunixrt_core.store.query import Count, TraceQuery
from tunixrt_core.util.hashing import content_hash, sha256_hex
from tunixrt_core.util.owners import this_owner
from tunixrt_core.util.tasks import Task, Tasks

if TYPE_CHECKING:
    from tunixrt_core.datasets.building import Built, Progress
    from tunixrt_core.datasets.eval_files.prompts import EvalFile
    from tunixrt_core.datasets.gates.findings import GateOutcome
    from tunixrt_core.datasets.gates.why import FindingView
    from tunixrt_core.datasets.held import HeldRows
    from tunixrt_core.datasets.lengths import Lengths
    from tunixrt_core.datasets.pool import Candidate
    from tunixrt_core.jobs.requests import Requests
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.store import Store
    from tunixrt_core.traces.rows import Split
    from tunixrt_core.traces.trace import Trace


_ALL = 2**31 - 1  # a count without a limit


class Datasets:
    """The dataset versions of a home."""

    def __init__(self, settings: Settings, store: Store, requests: Requests) -> None:
        self._settings = settings
        self._store = store
        self._requests = requests
        self.builds: Tasks[DatasetVersion] = Tasks("build")

    def build(
        self,
        spec: DatasetSpec | str,
        *,
        eval_file: EvalFile | None = None,
        on_progress: Progress = lambda phase, done, total: None,
        stop: threading.Event | None = None,
    ) -> DatasetVersion:
        """Freeze a selection as the next version of its name. Identical content returns the version that has it.

        A name alone selects all traces, with a tenth of the prompts in the eval split.
        `eval_file` is what the contamination gate compares with; the version keeps its hash, not its text.
        `on_progress` is told phase, rows done and rows in all. Raises InvalidDataset; Stopped once `stop` is set;
        JobFailed where the cluster of TUNIXRT_EXECUTOR, which works on large builds, cannot be reached or is lost.
        """
        from tunixrt_core.datasets.building import build
        from tunixrt_core.datasets.eval_files.prompts import with_eval_file
        from tunixrt_core.datasets.gates.check import Tools
        from tunixrt_core.pipeline.spreading import spread_of
        from tunixrt_core.traces.trace import Trace

        if isinstance(spec, str):
            spec = DatasetSpec(spec)
        name = spec.name

        def beat() -> None:
            if stop is not None and stop.is_set():
                raise Stopped(f"The build of {name} was stopped. No version was stored.")

        def told(phase: str, done: int, total: int) -> None:
            beat()
            on_progress(phase, done, total)

        spec, eval_set = with_eval_file(spec, eval_file)

        def bodies(hashes: Iterable[str]) -> Iterator[bytes]:
            for body in self._store.traces.bodies(hashes, on_missing=lambda hash: None):
                beat()
                yield body

        def read(hashes: Iterable[str]) -> Iterator[Trace]:
            return map(Trace.from_canonical, bodies(hashes))

        def count(most: int) -> int:
            return int(self._store.traces.count(TraceQuery(**spec.filters()), most=most))

        told("reading", 0, 0)
        scores = self._store.datasets.scores(spec.by) if spec.by and spec.selection != "stratified" else ()
        with spread_of(self._settings, spec, count=count, bodies=bodies, told=told, beat=beat) as spread:
            tools = Tools(read, eval_set, beat, self._settings.home, spread)
            made = build(spec, self._candidates(spec), tools, told, scores)
        beat()
        negative = self.left_out(spec)
        reasons = ({"negative example": int(negative)} if negative else {}) | made.left_out
        return replace(self._keep(spec, made), left_out=reasons)

    def start_build(
        self, spec: DatasetSpec, *, eval_file: EvalFile | None = None, request_id: str | None = None
    ) -> Task[DatasetVersion]:
        """Build in the background. `builds` reports its progress, and stops it. An identical build in progress is
        returned instead.

        A `request_id` that was used before gives the build that it started, until the server ends and with it the
        build. Raises RequestReused.
        """

        def work(on_progress: Progress, stop: threading.Event) -> DatasetVersion:
            return self.build(spec, eval_file=eval_file, on_progress=on_progress, stop=stop)

        asked = _asked(spec, eval_file)
        return self._requests.once(
            request_id,
            "build",
            asked,
            lambda: self.builds.start(work, key=content_hash(asked), title=spec.name),
            # every process counts its builds from 1
            note=lambda build: {"build": build.id, "process": this_owner()},
            find=lambda kept: self.builds.find(kept["build"]) if kept["process"] == this_owner() else None,
        )

    def stop_build(self, task_id: str) -> Task[DatasetVersion]:
        """Stop a build in the background; no version is stored. Raises NotFound."""
        return self.builds.stop(task_id)

    def _candidates(self, spec: DatasetSpec) -> Iterator[Candidate]:
        return self._store.traces.select(TraceQuery(**spec.filters()))

    def _keep(self, spec: DatasetSpec, made: Built) -> DatasetVersion:
        parent = self._store.datasets.latest_number(spec.name)
        frozen = freeze(spec, made.rows, version=(parent or 0) + 1, parent=parent, created_at=datetime.now(UTC))
        if known := self._known(frozen, made):
            return known
        self._store.datasets.add(frozen, made.rows, made.outcomes, made.findings)
        return frozen

    def _known(self, frozen: DatasetVersion, made: Built) -> DatasetVersion | None:
        """The version of that name with that content, if there is one."""
        spec = frozen.spec
        # a version from before `negatives` included them, and has a hash without that word
        before = version_hash(replace(spec, negatives="exclude"), made.rows)
        for one in (frozen.content_hash, before):
            known = self._store.datasets.find(spec.name, one)
            if known is not None and known.spec.negatives == spec.negatives:
                return known
        return None

    def left_out(self, spec: DatasetSpec) -> Count:
        """How many traces that match a spec otherwise are left out as negative examples."""
        if spec.negatives == "include":
            return Count(0)
        return self._store.traces.count(TraceQuery(**spec.filters() | {"negative": True}), most=_ALL)

    def negatives(self, name: str, version: int | None = None) -> frozenset[str]:
        """The hashes of a version's rows that are negative examples: wrong, unwanted or rejected."""
        return self._store.datasets.negatives(name, version)

    def rebuild_spec(self, name: str, version: int | None = None, *, new_name: str | None = None) -> DatasetSpec:
        """The spec of a version, to build the next one from."""
        spec = self.get(name, version).spec
        return replace(spec, name=new_name) if new_name else spec

    def get(self, name: str, version: int | None = None) -> DatasetVersion:
        return self._store.listing.version(name, version)

    def versions(self, name: str | None = None) -> list[DatasetVersion]:
        """All versions, newest first."""
        return self._store.listing.versions(name)

    def rows(
        self,
        name: str,
        version: int | None = None,
        split: Split | None = None,
        *,
        on_deleted: Callable[[str], object] = lambda trace_hash: None,
    ) -> Iterator[tuple[Trace, Split]]:
        """The traces of a version with their side of the split, streamed in order.

        A trace that was deleted since is left out, and `on_deleted` receives its hash.
        """
        frozen = self.get(name, version)
        sides: dict[str, Split] = {}

        def hashes() -> Iterator[str]:
            for row in self._store.datasets.rows(frozen.name, frozen.version, split):
                sides[row.hash] = row.split
                yield row.hash

        for trace in self._store.traces.by_hashes(hashes(), on_missing=on_deleted):
            yield trace, sides.pop(trace.content_hash)

    # --- deleted rows ------------------------------------------------------------------------------------------------

    def missing(self) -> Sequence[HeldRows]:
        """The versions that list deleted traces, with the number of these, their runs and evaluations; newest first.

        What was exported of them before is kept as it was; a new export lacks these rows.
        """
        return self._store.listing.missing()

    def missing_of(self, version: DatasetVersion) -> HeldRows | None:
        """As of `missing`, of one version; None for one that has all of its rows."""
        found = (each for each in self.missing() if (each.name, each.version) == (version.name, version.version))
        return next(found, None)

    def content_now(self, version: DatasetVersion) -> str:
        """A hash of the rows that an export of a version has now: its own, less the deleted ones."""
        gone = self._store.datasets.missing_hashes(version.name, version.version)
        return content_hash({"version": version.content_hash, "deleted": list(gone)})

    # --- look inside -------------------------------------------------------------------------------------------------

    def gates(self, name: str, version: int | None = None) -> Sequence[GateOutcome]:
        """What each gate did, in the order of the gates; none for a version without gates."""
        return self._store.datasets.outcomes(name, version)

    def findings(
        self,
        name: str,
        version: int | None,
        gate: str,
        *,
        reason: str | None = None,
        after: int = -1,
        limit: int = 50,
    ) -> list[FindingView]:
        """The rows that a gate found, after the position `after`, each with its traces and the reason.

        Raises NotFound for a gate that this version was not built with.
        """
        from tunixrt_core.datasets.gates.why import view

        if gate not in {one.gate for one in self.gates(name, version)}:
            raise NotFound("gate", gate, f"{name} was not built with it.")
        found = self._store.datasets.findings(name, version, gate, reason=reason, after=after, limit=limit)
        wanted = {hash for _, one in found for hash in (one.hash, one.detail.get("other")) if hash}
        traces = {t.content_hash: t for t in self._store.traces.by_hashes(wanted, on_missing=lambda hash: None)}
        return [
            view(position, one, traces.get(one.hash), traces.get(one.detail.get("other", "")))
            for position, one in found
        ]

    def diff(self, name: str, before: int, after: int, *, other: str | None = None) -> DatasetDiff:
        """What changed from one version to another one, of another dataset where `other` names it. Raises NotFound."""
        later = other or name
        groups = {**self._store.datasets.groups(name, before), **self._store.datasets.groups(later, after)}
        return diff(self._store.datasets.rows(name, before), self._store.datasets.rows(later, after), groups)

    def card(self, name: str, version: int | None = None) -> str:
        """The card of a version as Markdown."""
        from tunixrt_core.datasets.card import dataset_card

        frozen = self.get(name, version)
        sources = self._store.datasets.sources(frozen.name, frozen.version)
        return dataset_card(frozen, self.gates(frozen.name, frozen.version), sources)

    def lengths(
        self, name: str, version: int | None = None, *, model: str | None = None, most: int | None = None
    ) -> Lengths:
        """Tokens per row, by a model's tokenizer (raises TunixMissing, ModelError) or by an estimate.

        Of the first `most` rows, if given: rows are sorted by their hashes, so the first ones are a fair sample.
        """
        from tunixrt_core.datasets.lengths import ESTIMATE, estimate_many, measure
        from tunixrt_core.tunix_backend.data.counting import token_counter

        count = token_counter(model, self._settings.models_dir) if model else estimate_many
        rows = islice(self.rows(name, version), most)
        return measure(rows, count, f"{model} tokenizer" if model else ESTIMATE)


def _asked(spec: DatasetSpec, eval_file: EvalFile | None) -> dict[str, Any]:
    """What a build requests, the content of an upload included."""
    held = eval_file.content if eval_file else None
    return {
        "spec": spec.to_dict(),
        "eval_file": eval_file.name if eval_file else None,
        "content": sha256_hex(held) if isinstance(held, bytes) else None,
    }
