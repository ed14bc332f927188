"""Errors of the core, each a sentence with what is wrong and what to do.

    TunixRTError
    ├── InvalidInput          the values that were given cannot be used
    │   ├── InvalidSettings   an environment variable or option
    │   ├── InvalidTrace      a trace, by the path of its field
    │   ├── UnreadableFile    a whole input file
    │   ├── InvalidDataset    a dataset spec
    │   ├── InvalidManifest   a run manifest, by its key
    │   ├── InvalidEvaluation an evaluation: scorer, setting or eval set
    │   ├── InvalidQuery      a filter, cursor or page size
    │   ├── InvalidSlice      the name of a TPU slice
    │   └── RequestReused     a request id that stands for another request
    ├── NotFound              nothing has that name
    ├── NotAllowed            the user has no right to do it
    ├── Conflict              not in the present state
    │   ├── Stopped           the work was stopped by its user
    │   ├── BaseChanged       a run's base model is another one than it was trained on
    │   ├── BrokenFile        a file of the home cannot be read
    │   ├── Superseded        another process has started the same work again
    │   └── Busy          (*) something else has to end first
    ├── ShuttingDown      (*) the server is about to end
    ├── JobFailed             a job ended without a result
    │   ├── ModelError        a model is missing or incomplete
    │   ├── CheckpointError   a checkpoint is missing or does not fit
    │   ├── PreflightFailed   a run must not start as it is
    │   ├── TrainingError     a run cannot continue
    │   ├── ExportError       a model cannot be exported
    │   └── TrackingError     metrics cannot be sent to their destination
    ├── StoreError            the database cannot be used
    │   └── StoreBusy     (*) another process has been writing to it for long
    ├── OutputError           a file or directory cannot be written
    ├── TunixMissing          Tunix is not installed
    └── CompilerMissing       the TPU compiler is not installed

(*) `retryable`: the same request can succeed later, unchanged. All others are final.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar


class TunixRTError(Exception):
    """Base of all errors that a user can fix; anything else is a bug and keeps its traceback."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details: dict[str, Any] = dict(details or {})


class InvalidInput(TunixRTError):
    """Base of errors in the values given."""

    code = "invalid_input"


class InvalidSettings(InvalidInput):
    """An environment variable or option holds a value that cannot be used; the message names it."""

    code = "invalid_settings"


class InvalidTrace(InvalidInput):
    """A trace breaks the schema. `field` is the path of the offending value, such as `steps[2].content`."""

    code = "invalid_trace"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}", details={"field": field, "reason": reason})
        self.field = field
        self.reason = reason


class UnreadableFile(InvalidInput):
    """A whole input cannot be read as traces (missing, empty, binary, unknown format). Nothing was stored."""

    code = "unreadable_file"


class InvalidDataset(InvalidInput):
    """A dataset spec cannot be built: bad name, bad share, or nothing selected."""

    code = "invalid_dataset"


class InvalidManifest(InvalidInput):
    """A run manifest breaks its schema. `key` is the dotted path of the value, such as `optimizer.learning_rate`."""

    code = "invalid_manifest"

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}", details={"key": key, "reason": reason})
        self.key = key
        self.reason = reason


class InvalidEvaluation(InvalidInput):
    """An evaluation cannot be made: its scorer, a setting or its eval set is missing or wrong."""

    code = "invalid_evaluation"


class InvalidQuery(InvalidInput):
    """A filter, cursor or page size cannot be used."""

    code = "invalid_query"


class InvalidSlice(InvalidInput):
    """There is no TPU slice of that name; the message lists those that exist."""

    code = "invalid_slice"


class RequestReused(InvalidInput):
    """A request id was used before, for another request."""

    code = "request_reused"

    def __init__(self, request_id: str, how: str) -> None:
        super().__init__(
            f"The request id {request_id!r} was used before {how}. Make a new one for each new request.",
            details={"request_id": request_id},
        )


class NotFound(TunixRTError):
    """No trace, dataset version, run or file has that name."""

    code = "not_found"

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        super().__init__(
            f"There is no {kind} {name!r}.{' ' + hint if hint else ''}", details={"kind": kind, "name": name}
        )


class NotAllowed(TunixRTError):
    """Who asks may only read, or has lost the right to do anything."""

    code = "not_allowed"


class Conflict(TunixRTError):
    """The request is sound, but not in the present state (a run that is over cannot be stopped)."""

    code = "conflict"


class Stopped(Conflict):
    """The work was stopped before it was done; no result was kept."""

    code = "stopped"


class BaseChanged(Conflict):
    """The base model on this machine is not the one that the run was trained on."""

    code = "base_changed"

    def __init__(self, run: str, model: str, changed: Sequence[str]) -> None:
        super().__init__(
            f"{model}: it is not the base model that {run} was trained on ({'; '.join(changed)}). Put the files "
            f"back, or, where the change is meant, accept them with: tunixrt runs base {run} --accept",
            details={"run": run, "model": model, "changed": list(changed)},
        )


class BrokenFile(Conflict):
    """A file or folder of the home cannot be read: empty, cut, no JSON, a pipe, no permission."""

    code = "broken_file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path}: {reason}. Repair it, or move it aside, with: tunixrt doctor home --repair",
            details={"file": str(path), "reason": reason},
        )
        self.path = path
        self.reason = reason


class Superseded(Conflict):
    """Another process has started the same work again, as this one had shown no sign of life; this one stops."""

    code = "superseded"

    def __init__(self, name: str, attempt: int, held: int) -> None:
        super().__init__(
            f"{name}: it was started again elsewhere (attempt {held}, this is attempt {attempt}). This process has "
            "stopped and wrote nothing more to it.",
            details={"name": name, "attempt": attempt, "held": held},
        )


class Busy(Conflict):
    """Something else has to end first: an active run, the holder of the accelerator, another request."""

    code = "busy"
    retryable = True


class ShuttingDown(TunixRTError):
    """The server is about to end and accepts no new work. It will after a restart."""

    code = "shutting_down"
    retryable = True


class JobFailed(TunixRTError):
    """Base of errors that end a job: a training, an evaluation, a model export."""

    code = "job_failed"


class ModelError(JobFailed):
    """A model is missing, incomplete, or of a kind that Tunix cannot train."""

    code = "model_error"


class CheckpointError(JobFailed):
    """A checkpoint is missing, or does not fit the manifest's model, method or LoRA rank."""

    code = "checkpoint_error"


class PreflightFailed(JobFailed):
    """A run must not start as it is. `details["findings"]` holds what blocks it, each with its code, rows and keys."""

    code = "preflight_failed"


class TrainingError(JobFailed):
    """A run cannot continue: nothing to train on, the loss is not a number, the accelerator is missing."""

    code = "training_error"


class ExportError(JobFailed):
    """A trained model cannot be exported, or the exported files do not give the trained model's answers."""

    code = "export_error"


class TrackingError(JobFailed):
    """Metrics cannot be sent where the manifest says: a package or its key is missing."""

    code = "tracking_error"


class StoreError(TunixRTError):
    """The database cannot be opened, migrated or written."""

    code = "store_error"


class StoreBusy(StoreError):
    """Another process or import has held the database for long."""

    code = "store_busy"
    retryable = True


class OutputError(TunixRTError):
    """A file or directory cannot be written."""

    code = "output_error"


class TunixMissing(TunixRTError, ImportError):
    """Tunix is not installed; the message holds the pip line that installs it."""

    code = "tunix_missing"


class CompilerMissing(TunixRTError, ImportError):
    """The compiler for TPUs is not installed, or does not exist for this machine; the message says which."""

    code = "compiler_missing"
