"""Plans of evaluations: the rows, scorers and checkpoint of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tunixrt_core.evaluation.folder import EvalDir, EvalSpec
from tunixrt_core.evaluation.harvest import model_label
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.sets.eval_set import EvalSet, split_set
from tunixrt_core.evaluation.sets.file import file_set
from tunixrt_core.evaluation.sets.setup import EvalRequest, EvalSetup
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import SIDES, PromptForm, Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.util.files.atomic import write_json


@dataclass(frozen=True, slots=True)
class EvalPlan:
    """An evaluation that can begin: the request with its checkpoint, scorers and rows."""

    manifest: RunManifest
    run_folder: RunDir
    request: EvalRequest
    spec: EvalSpec
    eval_set: EvalSet
    versions: Mapping[str, int]  # of the scorers

    @property
    def folder(self) -> EvalDir:
        return EvalDir(self.run_folder.evals / self.spec.name)

    @property
    def label(self) -> str:
        """The name of the model: `base`, also `base, own prompt`, or the run with the train step."""
        train_step = self.spec.train_step
        if train_step is None:
            return SIDES["base_own" if self.spec.setup.prompt == "own" else "base"]
        return model_label(self.manifest, self.run_folder.path.name, train_step)

    @property
    def is_done(self) -> bool:
        """Whether the same answers, scored by the same scorers, already exist."""
        summary = self.folder.summary()
        return summary is not None and self.folder.spec() == self.spec and summary.get("scorers") == self.versions

    def show_queued(self) -> None:
        """Write to the folder's state that it waits for this process."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        if self.folder.spec() is None:
            write_json(self.folder.spec_file, self.spec.to_dict())
        self.folder.show_waiting()


def plan_evaluations(
    manifest: RunManifest, run_folder: RunDir, targets: Iterable[Target], request: EvalRequest
) -> list[EvalPlan]:
    """A plan per model, asked as the run renders a row; then the base model with its own prompt, if it is among them
    and the request wants it. Raises as `plan_evaluation` does.
    """
    plans: list[EvalPlan] = []
    for target in targets:
        same = plans[0].eval_set if plans else None
        plans.append(plan_evaluation(manifest, run_folder, target, request, eval_set=same))
    base = next((plan for plan in plans if plan.spec.target == "base"), None)
    if base is not None and request.own_prompt:
        plans.append(plan_evaluation(manifest, run_folder, "base", request, eval_set=base.eval_set, prompt="own"))
    return plans


def plan_evaluation(
    manifest: RunManifest,
    run_folder: RunDir,
    target: Target,
    request: EvalRequest,
    *,
    eval_set: EvalSet | None = None,
    prompt: PromptForm = "run",
) -> EvalPlan:
    """Find the checkpoint, the scorers and the rows of a request, unless `eval_set` gives the rows.

    Raises InvalidEvaluation, UnreadableFile for an eval file, InvalidDataset for an empty eval split, InvalidManifest
    for a data file that has changed, NotFound for a missing checkpoint.
    """
    with ScorerSet(request.scorers) as scorers:
        names, versions = scorers.names, scorers.versions
    rows = eval_set or _rows(manifest, request)
    setup = EvalSetup(
        eval_set=rows.ref,
        max_new_tokens=request.max_new_tokens or longest_row(manifest, run_folder),
        samples=request.samples,
        sampling=request.sampling,
        prompt=prompt,
    )
    train_step = run_folder.checkpoint_step(request.checkpoint) if target == "tuned" else None
    spec = EvalSpec(target=target, train_step=train_step, setup=setup, scorers=names)
    return EvalPlan(manifest, run_folder, request, spec, rows, versions)


def _rows(manifest: RunManifest, request: EvalRequest) -> EvalSet:
    if request.eval_file is not None:
        return file_set(request.eval_file, request.limit, columns=request.eval_columns)
    check_data_unchanged(manifest.data)
    return split_set(manifest, request.limit)


def longest_row(manifest: RunManifest, folder: RunDir) -> int:
    """Tokens of the longest row trained on: no completion in the training data is longer."""
    plan = folder.state().plan if folder.state_file.exists() else {}
    return int(plan.get("row_length", manifest.max_seq_length))
