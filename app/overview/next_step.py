"""The recommended next step of a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.ui.words import named
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run, RunStatus


@dataclass(frozen=True, slots=True)
class NextStep:
    """A sentence and its button: the text, the page it opens and that page's query."""

    text: str
    button: str
    page: str
    query: dict[str, str] = field(default_factory=dict)


def next_step(
    traces: int, versions: Sequence[DatasetVersion], runs: Sequence[Run], evals: Sequence[EvalRecord], *, tunix: bool
) -> NextStep:
    """One step, the nearest to a tuned and evaluated model. `runs` and `versions` are newest first."""
    if not traces:
        return NextStep("There are no traces yet.", "Import traces", "import")
    if not versions:
        return NextStep(
            f"{traces:,} traces are ready for a dataset version.", "Build a dataset", "datasets", {"new": "1"}
        )
    newest = versions[0]
    ref = {"dataset": f"{newest.name}:{newest.version}"}
    if not tunix:
        return NextStep(
            f"{newest.name} v{newest.version} is ready. Export it with a manifest and train where Tunix is installed.",
            "Make a manifest",
            "tunix",
            ref,
        )
    if active := next((run for run in runs if not run.status.over), None):
        return NextStep(f"{named(active)} is in progress.", f"Watch {active.id}", "run", {"run": active.id})
    if not runs:
        return NextStep(f"{newest.name} v{newest.version} is ready to train on.", "Set up a run", "new-run", ref)
    evaluated = {record.run_id for record in evals}
    last = next((run for run in runs if run.status is RunStatus.SUCCEEDED), None)
    if last and last.id not in evaluated:
        return NextStep(
            f"{named(last)} finished. Compare it with its base model on the eval split.",
            f"Evaluate {last.id}",
            "evaluations",
            {"run": last.id},
        )
    if last:
        return NextStep(
            f"{named(last)} is evaluated. Read where it is right and where it is wrong.",
            "Read the predictions",
            "evaluations",
            {"run": last.id},
        )
    return NextStep(f"{named(runs[0])} did not finish.", f"Look at {runs[0].id}", "run", {"run": runs[0].id})
