"""The curves of runs as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from app.runs.figures.kept import curves_of, state_of
from app.ui.charts.curves import Curves
from tunixrt_core.runs.record import Run

HEADER = "run,train_step,trained_tokens,seconds,train_loss,eval_loss\n"


def curves_csv(runs: Iterable[Run]) -> Iterator[str]:
    """Every train record and every evaluation, one per line, run by run."""
    yield HEADER
    for run in runs:
        yield _lines(run.id, curves_of(run, state_of(run)))


def _lines(run_id: str, curves: Curves) -> str:
    train, evals = curves.train, curves.evals
    tokens = np.nan_to_num(train.values("trained_tokens")).cumsum()
    columns = [column.tolist() for column in (tokens, train.values("time"), train.values("loss"))]
    eval_losses = dict(zip(*(column.tolist() for column in evals.series("loss")), strict=True))
    lines = []
    for step, *values in zip(train.steps.tolist(), *columns, strict=True):
        numbers = (*values, eval_losses.pop(step, np.nan))
        lines.append(f"{run_id},{step},{','.join(map(_plain, numbers))}\n")
    lines += [f"{run_id},{step},,,,{_plain(loss)}\n" for step, loss in eval_losses.items()]
    return "".join(lines)


def _plain(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.10g}"
