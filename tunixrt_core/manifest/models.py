"""What a model may be called, besides built in and a directory: `org/name[@revision]`, or `kaggle:` and a handle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HUB = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?")
_KAGGLE = re.compile(r"kaggle:(?P<handle>[\w.-]+(?:/[\w.-]+){3,4})")


@dataclass(frozen=True, slots=True)
class HubName:
    """A model on the Hugging Face hub, at a branch, tag or commit where one is named."""

    repository: str
    revision: str | None = None

    @property
    def directory(self) -> Path:
        """Where it lies under the directory of models. Another revision is another model."""
        return Path(self.repository if self.revision is None else f"{self.repository}@{self.revision}")


@dataclass(frozen=True, slots=True)
class KaggleName:
    """A model on Kaggle: owner/model/framework/variation, and the version where one is named."""

    handle: str

    @property
    def directory(self) -> Path:
        """Where it lies under the directory of models."""
        return Path("kaggle", *self.handle.split("/"))


def parse_model_name(reference: str) -> HubName | KaggleName | None:
    """The name of a model that can be downloaded; None for a reference that can only be a path."""
    if found := _KAGGLE.fullmatch(reference):
        return KaggleName(found["handle"])
    if found := _HUB.fullmatch(reference):
        return HubName(found["repository"], found["revision"])
    return None


def public_name(reference: str) -> str:
    """A model's name as it may be shown elsewhere: of a directory, its own name only."""
    is_path = reference.startswith(("/", ".", "~")) or reference.count("/") > 1
    return Path(reference).expanduser().absolute().name if is_path else reference
