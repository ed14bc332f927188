"""How the fused loss is spread over devices and cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass

from tunixrt_core.manifest.training_sections import LossSection

# Of logits held at once. A chunk reads the whole head, so few tokens at once read it often: at 512 the head's share
# of the traffic is about that of the logits. Where a device holds few rows of the head, more tokens fit into the fast
# memory of a TPU's core (128 MiB), so that their logits are never written to its main memory.
_LEAST_TOKENS, _MOST_TOKENS = 512, 4096
_BYTES = 64 << 20
_LEAST_CHUNK = 8  # tokens per row


@dataclass(frozen=True, slots=True)
class LossLayout:
    """What one device works on: `rows` of the batch and `vocabulary` entries of the head, `chunk` tokens of each row
    at a time. `whole_batch`: each device takes all rows and its own part of the vocabulary.
    """

    whole_batch: bool
    rows: int
    vocabulary: int
    chunk: int


def loss_layout(
    section: LossSection, *, batch: int, length: int, vocabulary: int, fsdp: int = 1, tp: int = 1
) -> LossLayout:
    """The layout on a mesh; an axis that does not divide the vocabulary or the batch splits neither.

    Either every device gets all hidden states of the batch, and holds a part of the head, or it gets the whole head (a
    part, with tp) and keeps its rows. Both move tokens x dim or vocabulary x dim numbers once, so the smaller wins.
    """
    if fsdp > 1 and vocabulary % (fsdp * tp) == 0 and batch * length <= vocabulary:
        whole_batch, rows, part = True, batch, vocabulary // (fsdp * tp)
    else:
        rows = batch // fsdp if batch % fsdp == 0 else batch
        whole_batch, part = False, vocabulary // tp if vocabulary % tp == 0 else vocabulary
    chunk = section.chunk if section.chunk is not None else _chunk(rows, length, part)
    return LossLayout(whole_batch, rows, part, min(chunk, length))


def _chunk(rows: int, length: int, vocabulary: int) -> int:
    """Tokens per row, in chunks of equal length."""
    tokens = max(_LEAST_TOKENS, min(_MOST_TOKENS, _BYTES // (4 * vocabulary)))
    most = max(_LEAST_CHUNK, tokens // rows)
    each = -(-length // -(-length // most))
    return -(-each // _LEAST_CHUNK) * _LEAST_CHUNK
