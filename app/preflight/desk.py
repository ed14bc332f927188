"""Preflights that pages ask for: made in one thread of this process, and kept until the manifest or its data change."""

from __future__ import annotations

from app.state import PerPipeline
from app.ui.desk import Desk, DeskJob
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.training.preflight import Preflight

PreflightJob = DeskJob[Preflight]


class PreflightDesk:
    """Asked twice for the same manifest it makes one preflight. One that is not begun gives way to a newer one."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._desk = Desk[Preflight]("preflight")

    def ask(self, manifest: RunManifest, *, is_new: bool) -> PreflightJob:
        return self._desk.ask(
            _key(manifest, is_new),
            lambda tell: self._pipeline.manifests.preflight(manifest, is_new=is_new, on_progress=tell),
        )

    def forget(self, manifest: RunManifest, *, is_new: bool) -> None:
        """Check again when next asked."""
        self._desk.forget(_key(manifest, is_new))


def _key(manifest: RunManifest, is_new: bool) -> tuple[str, bool]:
    # the name of a run changes nothing, and is typed letter by letter
    return manifest.model_copy(update={"name": "run"}).content_hash, is_new


_desks: PerPipeline[PreflightDesk] = PerPipeline(PreflightDesk)


def desk_of(pipeline: Pipeline) -> PreflightDesk:
    """The one desk of a Pipeline."""
    return _desks.of(pipeline)
