"""Dataset: what a Pipeline tells about versions that are there: gates, rows behind them, differences, lengths, card."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from tunixrt_core.datasets.card import dataset_card
from tunixrt_core.datasets.gates.findings import GateOutcome
from tunixrt_core.datasets.gates.why import FindingView, view
from tunixrt_core.datasets.lengths import ESTIMATE, Lengths, estimate_many, measure
from tunixrt_core.datasets.versions import DatasetDiff, diff
from tunixrt_core.errors import NotFound
from tunixrt_core.pipeline.dataset_verbs import DatasetVerbs
from tunixrt_core.settings import Settings
from tunixrt_core.tunix_backend.data.counting import token_counter


class DatasetViews(DatasetVerbs):
    """The part of a Pipeline that looks at dataset versions."""

    settings: Settings

    def dataset_gates(self, name: str, version: int | None = None) -> Sequence[GateOutcome]:
        """What each gate did, in the order of the gates; none for a version without gates."""
        return self.store.datasets.outcomes(name, version)

    def dataset_findings(
        self,
        name: str,
        version: int | None,
        gate: str,
        *,
        reason: str | None = None,
        after: int = -1,
        limit: int = 50,
    ) -> list[FindingView]:
        """The rows behind a gate, beyond the position `after`, each with its traces and why.

        Raises NotFound for a gate that this version was not built with.
        """
        if gate not in {one.gate for one in self.dataset_gates(name, version)}:
            raise NotFound("gate", gate, f"{name} was not built with it.")
        found = self.store.datasets.findings(name, version, gate, reason=reason, after=after, limit=limit)
        wanted = {hash for _, one in found for hash in (one.hash, one.detail.get("other")) if hash}
        traces = {t.content_hash: t for t in self.store.traces.by_hashes(wanted, on_missing=lambda hash: None)}
        return [
            view(position, one, traces.get(one.hash), traces.get(one.detail.get("other", "")))
            for position, one in found
        ]

    def dataset_diff(self, name: str, before: int, after: int, *, other: str | None = None) -> DatasetDiff:
        """What changed from one version to another one, of another dataset where `other` names it. Raises NotFound."""
        later = other or name
        groups = {**self.store.datasets.groups(name, before), **self.store.datasets.groups(later, after)}
        return diff(self.store.datasets.rows(name, before), self.store.datasets.rows(later, after), groups)

    def dataset_card(self, name: str, version: int | None = None) -> str:
        """The card of a version as Markdown."""
        frozen = self.dataset(name, version)
        sources = self.store.datasets.sources(frozen.name, frozen.version)
        return dataset_card(frozen, self.dataset_gates(frozen.name, frozen.version), sources)

    def dataset_lengths(
        self, name: str, version: int | None = None, *, model: str | None = None, most: int | None = None
    ) -> Lengths:
        """Tokens a row, by a model's tokenizer (raises TunixMissing, ModelError) or by an estimate.

        Of `most` rows where given: rows stand in the order of their hashes, so the first ones are a fair sample.
        """
        count = token_counter(model, self.settings.models_dir) if model else estimate_many
        rows = islice(self.dataset_rows(name, version), most)
        return measure(rows, count, f"{model} tokenizer" if model else ESTIMATE)
