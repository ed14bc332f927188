"""Tiles with the newest numbers of a run."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from app.ui.charts.curves import Curves
from app.ui.words import MISSING, decimals, percent, rate, size, whole


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with its change (lower is better) or with a grey note."""

    label: str
    value: str
    change: float | None = None
    note: str = ""
    help: str = ""

    @property
    def change_words(self) -> str:
        """The change with a true minus sign; empty if there is none."""
        moved = self.change is not None and round(self.change, 3) != 0
        return f"{self.change:+.3f}".replace("-", "−") if moved else ""


_kept: WeakKeyDictionary[Curves, tuple[int, list[Tile]]] = WeakKeyDictionary()


def tiles_of(curves: Curves) -> list[Tile]:
    """The newest numbers, the losses with their change, each with an explanation.

    They are made once for all sessions, until there are new records.
    """
    cursor = curves.cursor  # before: of records that arrive meanwhile it is an old one
    kept = _kept.get(curves)
    if kept is None or kept[0] != cursor:
        kept = _kept[curves] = cursor, _tiles(curves)
    return kept[1]


def _tiles(curves: Curves) -> list[Tile]:
    last, best = curves.train.last, curves.best()
    speed, seconds, mfu = last("tokens_per_second"), last("step_seconds"), last("mfu")
    memory, peak, perplexity = last("memory_bytes"), last("peak_memory_bytes"), curves.evals.last("perplexity")
    return [
        Tile(
            "Train loss",
            decimals(last("loss")),
            curves.change(),
            help="Nats per trained token. The change is over the last 50 train steps.",
        ),
        Tile(
            "Eval loss",
            decimals(curves.evals.last("loss")),
            curves.eval_change(),
            help="Nats per token of the eval split. The change is since the evaluation before.",
        ),
        Tile(
            "Perplexity",
            decimals(last("perplexity"), 2),
            note="" if perplexity is None else f"eval {decimals(perplexity, 2)}",
            help="exp(loss): the number of tokens the model chooses between, on average.",
        ),
        Tile(
            "Best eval",
            decimals(best[1] if best else None),
            note=f"at {best[0]:,}" if best else "",
            help="The lowest eval loss so far, and its train step. Its checkpoint is kept.",
        ),
        Tile("Learning rate", rate(last("learning_rate"))),
        Tile("Gradient norm", decimals(last("grad_norm"), 2), help="L2 norm before clipping."),
        Tile(
            "Tokens/s",
            whole(None if speed is None else round(speed)),
            note="" if mfu is None else f"{percent(mfu)} MFU",
            help="Trained tokens per second. MFU: share of the device's peak arithmetic, where that is known.",
        ),
        Tile(
            "Input wait",
            percent(curves.waiting_share()),
            note="" if seconds is None else f"{seconds:.3g} s per train step",
            help="Share of the last 50 train steps that the device waited for rows.",
        ),
        Tile(
            "Padding",
            percent(last("padding_share")),
            help="Share of padding tokens in the batch, which are not trained on.",
        ),
        Tile(
            "Memory",
            MISSING if memory is None else size(memory),
            note="" if peak is None else f"peak {size(peak)}",
            help="Memory in use on the device, or by the process on a CPU.",
        ),
    ]
