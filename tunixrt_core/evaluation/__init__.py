"""Evaluation: an eval set through a generator, each answer scored; models compared row by row on what they answered."""

from __future__ import annotations

from tunixrt_core.eval_records import TARGETS, EvalRecord, Target
from tunixrt_core.evaluation.answering import evaluate, prompt_of, render_asked, rescore
from tunixrt_core.evaluation.comparison import Comparison, Flip, compare, flipped
from tunixrt_core.evaluation.eval_file import file_set, read_eval_file
from tunixrt_core.evaluation.eval_report import EvalFileReport
from tunixrt_core.evaluation.eval_set import EvalRow, EvalSet, eval_rows, rows_hash, split_set
from tunixrt_core.evaluation.figures import Figures
from tunixrt_core.evaluation.groups import Group
from tunixrt_core.evaluation.harvest import harvest, model_label, origin, read_output, trace_of
from tunixrt_core.evaluation.leaderboard import Board, Entry, Leaderboard, leaderboard
from tunixrt_core.evaluation.leaks import Leak, Leaks, find_leaks
from tunixrt_core.evaluation.pairs import base_and_tuned, latest_results, newest
from tunixrt_core.evaluation.predictions import EvalDir, EvalSpec, EvalState, Prediction
from tunixrt_core.evaluation.regression import Outcome, Verdict, worse
from tunixrt_core.evaluation.setup import EvalRequest, EvalSetRef, EvalSetup
from tunixrt_core.evaluation.statistics import Estimate, holm, mcnemar, mean_interval, pass_at_k, wilson_interval
from tunixrt_core.evaluation.summary import summarise

__all__ = [
    "TARGETS",
    "Board",
    "Comparison",
    "Entry",
    "Estimate",
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
    "Figures",
    "Flip",
    "Group",
    "Outcome",
    "Leaderboard",
    "Leak",
    "Leaks",
    "Prediction",
    "Target",
    "Verdict",
    "base_and_tuned",
    "compare",
    "eval_rows",
    "evaluate",
    "file_set",
    "find_leaks",
    "flipped",
    "harvest",
    "holm",
    "latest_results",
    "leaderboard",
    "mcnemar",
    "mean_interval",
    "model_label",
    "newest",
    "prompt_of",
    "origin",
    "pass_at_k",
    "read_eval_file",
    "read_output",
    "render_asked",
    "rescore",
    "rows_hash",
    "split_set",
    "summarise",
    "trace_of",
    "wilson_interval",
    "worse",
]
