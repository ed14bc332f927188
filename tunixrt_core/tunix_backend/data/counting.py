"""Token counts of plain text by a local model's tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunixrt_core.datasets.lengths import CountMany
from tunixrt_core.tunix_backend.availability import require_tunix


def token_counter(reference: str, models_dir: Path) -> CountMany:
    """A function from texts to their numbers of tokens. Raises TunixMissing, ModelError; downloads nothing."""
    require_tunix()
    from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
    from tunixrt_core.tunix_backend.model.models import local_model

    tokenizer = TextTokenizer(local_model(reference, models_dir))

    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in tokenizer.encode_prompts(texts)]

    return count
