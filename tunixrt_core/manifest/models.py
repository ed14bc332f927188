"""Model names: built in, a directory, `org/name[@revision]`, `kaggle:handle`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tunixrt_core.util.files.disks import require_answer

# Models that tunix_backend.tiny writes; their names are here because a manifest is made without Tunix too.
BUILTIN_MODEL_IDS = ("tiny", "tiny-micro")

_HUB = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?")
_KAGGLE = re.compile(r"kaggle:(?P<handle>[\w.-]+(?:/[\w.-]+){3,4})")


@dataclass(frozen=True, slots=True)
class HubName:
    """A model on the Hugging Face hub, at a branch, tag or commit where one is named."""

    repository: str
    revision: str | None = None

    @property
    def directory(self) -> Path:
        """Its path under the directory of models. Another revision is another model."""
        return Path(self.repository if self.revision is None else f"{self.repository}@{self.revision}")


@dataclass(frozen=True, slots=True)
class KaggleName:
    """A model on Kaggle: owner/model/framework/variation, and the version where one is named."""

    handle: str

    @property
    def directory(self) -> Path:
        """Its path under the directory of models."""
        return Path("kaggle", *self.handle.split("/"))


def parse_model_name(reference: str) -> HubName | KaggleName | None:
    """The name of a model that can be downloaded; None for a reference that can only be a path."""
    if found := _KAGGLE.fullmatch(reference):
        return KaggleName(found["handle"])
    if found := _HUB.fullmatch(reference):
        return HubName(found["repository"], found["revision"])
    return None


def model_directory(reference: str, models_dir: Path) -> Path | None:
    """The path of a model on this machine; None if it is missing. A built-in one is written on first use.

    Raises UnreadableFile for one in a network folder that is stuck.
    """
    if reference in BUILTIN_MODEL_IDS:
        return models_dir / reference
    path, name = Path(reference).expanduser(), parse_model_name(reference)
    found = (path.absolute(), models_dir / (name.directory if name else path))
    require_answer(found[0])
    return next((each for each in found if (each / "config.json").is_file()), None)


def missing_model(reference: str) -> str:
    """A sentence on how to get a model that is not on this machine."""
    if parse_model_name(reference):
        return f"The model {reference} is not on this machine yet. Download it with: tunixrt models get {reference}"
    return (
        f"There is no model in {reference}: a directory with config.json, tokenizer.json and *.safetensors is "
        f"needed. Built in are {', '.join(BUILTIN_MODEL_IDS)}."
    )


def public_name(reference: str) -> str:
    """A model's name without paths of this machine: of a directory, its own name only."""
    is_path = reference.startswith(("/", ".", "~")) or reference.count("/") > 1
    return Path(reference).expanduser().absolute().name if is_path else reference
