"""What a process has for the jobs that it does."""

from __future__ import annotations

from dataclasses import dataclass

from tunixrt_core.evaluation.questions.execution import LoadedModels
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.training.backend import Backend
from tunixrt_core.util.owners import Attempt, this_owner


@dataclass(frozen=True, slots=True)
class Workplace:
    """A backend, the models that questions loaded, the address that gets alerts and ends of runs, and whose it is."""

    backend: Backend
    models: LoadedModels
    webhook: str | None = None
    owner: str | None = None  # None: this process

    def attempt(self, spec: JobSpec) -> Attempt:
        """The start of a job here."""
        return Attempt(self.owner or this_owner(), spec.attempt)
