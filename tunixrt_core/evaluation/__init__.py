"""Evaluation: an eval set through a generator, each answer scored; models compared row by row on what they answered."""

from __future__ import annotations

from tunixrt_core.evaluation.answering import evaluate, rescore
from tunixrt_core.evaluation.comparison import Comparison, compare, flipped
from tunixrt_core.evaluation.eval_file import file_set, read_eval_file
from tunixrt_core.evaluation.eval_report import EvalFileReport
from tunixrt_core.evaluation.eval_set import EvalRow, EvalSet, eval_rows, rows_hash, split_set
from tunixrt_core.evaluation.leaks import Leak, Leaks, find_leaks
from tunixrt_core.evaluation.pairs import base_and_tuned, latest_results, newest
from tunixrt_core.evaluation.predictions import (
    TARGETS,
    EvalDir,
    EvalRecord,
    EvalSpec,
    EvalState,
    Prediction,
    Target,
)
from tunixrt_core.evaluation.setup import EvalRequest, EvalSetRef, EvalSetup
from tunixrt_core.evaluation.statistics import mcnemar, wilson_interval
from tunixrt_core.evaluation.summary import summarise

__all__ = [
    "TARGETS",
    "Comparison",
    "EvalDir",
    "EvalFileReport",
    "EvalRecord",
    "EvalRequest",
    "EvalRow",
    "EvalSet",
    "EvalSetRef",
    "EvalSetup",
    "EvalSpec",
    "EvalState",
    "Leak",
    "Leaks",
    "Prediction",
    "Target",
    "base_and_tuned",
    "compare",
    "eval_rows",
    "evaluate",
    "file_set",
    "find_leaks",
    "flipped",
    "latest_results",
    "mcnemar",
    "newest",
    "read_eval_file",
    "rescore",
    "rows_hash",
    "split_set",
    "summarise",
    "wilson_interval",
]
