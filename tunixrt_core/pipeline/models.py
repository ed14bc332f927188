"""Models in a home: list them and download others. Needs no database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS
from tunixrt_core.settings import Settings
from tunixrt_core.tunix_backend.model.files.hub import downloaded_models, no_progress

BUILT_IN = "built in"


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that a manifest can name. `bytes` is None for a built-in one, which is written on first use."""

    name: str
    type: str  # model_type of its config.json, or BUILT_IN
    bytes: int | None
    commit: str  # of the hub's repository; empty where the files were put there by hand


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A model in the home whose files are complete."""

    name: str
    path: Path
    type: str
    layers: int


class Models:
    """The models of a home."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.models_dir

    def available(self) -> list[ListedModel]:
        """The built-in models, then those in the home by name. Raises ModelError for a broken config.json."""
        found = [model for model in downloaded_models(self._folder) if model.name not in BUILTIN_MODEL_IDS]
        return [
            *(ListedModel(name, BUILT_IN, None, "") for name in BUILTIN_MODEL_IDS),
            *(ListedModel(model.name, model.kind, model.bytes, model.commit) for model in found),
        ]

    def get(self, name: str, on_progress: Callable[[int, int, str], None] = no_progress) -> CheckedModel:
        """Download a model if it is not in the home yet, and check its files. Raises ModelError.

        `on_progress` is told bytes done, bytes in all and the file.
        """
        from tunixrt_core.tunix_backend.model.files.fit import check_weights
        from tunixrt_core.tunix_backend.model.models import resolve_model

        folder = resolve_model(name, self._folder, on_progress)
        architecture = check_weights(folder)
        return CheckedModel(name, folder, architecture.kind, architecture.layers)
