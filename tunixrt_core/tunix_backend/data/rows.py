"""Rows of a manifest: rendered, encoded and fitted to the length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.rendering.chats import stop_tokens
from tunixrt_core.traces.rows import Split, read_rows
from tunixrt_core.traces.trace import Trace
from tunixrt_core.tunix_backend.data.encoding import FIRST_TRAINED, Parts, RowEncoder, TokenRows
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.model.models import resolve_model


@dataclass(frozen=True, slots=True)
class Data:
    """The rows of both splits. `parts` names the parts that their tokens belong to."""

    train: TokenRows
    eval: TokenRows
    parts: Parts
    pad_id: int
    vocab_size: int

    @property
    def dropped(self) -> int:
        return self.train.dropped + self.eval.dropped

    @property
    def shortened(self) -> int:
        return len(self.train.shortened) + len(self.eval.shortened)

    def fingerprint(self) -> str:
        """sha256 over the token ids of the train rows in order, and over what is trained of the prompts: equal for
        checkpoints trained on the same rows.
        """
        digest = hashlib.sha256()
        for row in self.train.rows:
            digest.update(len(row).to_bytes(8, "little") + row.prompt_length.to_bytes(8, "little"))
            digest.update(row.tokens.tobytes())
            if row.replied:  # all other rows keep the fingerprints that they had before there were conversations
                digest.update((row.parts >= FIRST_TRAINED).tobytes())
        return digest.hexdigest()


def load_data(manifest: RunManifest, models_dir: Path) -> Data:
    """The manifest's rows as token ids. Raises ModelError for a missing tokenizer, UnreadableFile for a bad row."""
    tokenizer = load_tokenizer(manifest, models_dir)
    encoder = row_encoder(manifest, tokenizer)
    train = encoder.encode_all(traces_of(manifest, "train"))
    evals = encoder.encode_all(traces_of(manifest, "eval"))
    return Data(train, evals, encoder.parts, tokenizer.pad_id(), tokenizer.vocab_size)


def load_tokenizer(manifest: RunManifest, models_dir: Path) -> TextTokenizer:
    """The manifest's tokenizer, or that of the model's directory."""
    return TextTokenizer(tokenizer_directory(manifest, models_dir))


def tokenizer_directory(manifest: RunManifest, models_dir: Path) -> Path:
    if manifest.tokenizer.path is not None:
        return Path(manifest.tokenizer.path).expanduser()
    return resolve_model(manifest.model.id, models_dir)


def row_encoder(manifest: RunManifest, tokenizer: TextTokenizer) -> RowEncoder:
    """Encodes traces as the manifest says."""
    rendering = manifest.rendering
    # where the chat format has no token that ends a turn, the model must learn to end with the tokenizer's own
    end = () if stop_tokens(rendering.chat) else (tokenizer.eos_id(),)
    return RowEncoder(tokenizer, rendering.row, max_length=manifest.max_seq_length, policy=manifest.too_long, end=end)


def traces_of(manifest: RunManifest, split: Split) -> Iterator[Trace]:
    for row in read_rows(Path(manifest.data.path), split):
        yield row.trace
