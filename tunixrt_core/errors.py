"""Every error a user can meet. str(error) is a sentence that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class TunixRTError(Exception):
    """Base of all errors that are the user's to mend; anything else is a bug and keeps its traceback."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details: dict[str, Any] = dict(details or {})


class InvalidSettings(TunixRTError):
    """An environment variable or option holds a value that cannot be used; the message names it."""

    code = "invalid_settings"


class InvalidTrace(TunixRTError):
    """A trace breaks the schema. `field` is the path of the offending value, such as `steps[2].content`."""

    code = "invalid_trace"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}", details={"field": field, "reason": reason})
        self.field = field
        self.reason = reason


class UnreadableFile(TunixRTError):
    """A whole input cannot be read as traces (missing, empty, binary, unknown format). Nothing was stored."""

    code = "unreadable_file"


class InvalidDataset(TunixRTError):
    """A dataset spec cannot be built: bad name, bad share, or nothing selected."""

    code = "invalid_dataset"


class InvalidManifest(TunixRTError):
    """A run manifest breaks its schema. `key` is the dotted path of the value, such as `optimizer.learning_rate`."""

    code = "invalid_manifest"

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}", details={"key": key, "reason": reason})
        self.key = key
        self.reason = reason


class InvalidEvaluation(TunixRTError):
    """An evaluation cannot be made as it is asked for: a scorer, a setting or an eval set is not there."""

    code = "invalid_evaluation"


class InvalidQuery(TunixRTError):
    """A filter, cursor or page size cannot be used."""

    code = "invalid_query"


class NotFound(TunixRTError):
    """No trace, dataset version, run or file goes by that name."""

    code = "not_found"

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        super().__init__(
            f"There is no {kind} {name!r}.{' ' + hint if hint else ''}", details={"kind": kind, "name": name}
        )


class Conflict(TunixRTError):
    """The request is sound, but not in the present state (a run that is over cannot be stopped)."""

    code = "conflict"


class RequestReused(TunixRTError):
    """A request id was used before, for something else than what is asked for now."""

    code = "request_reused"

    def __init__(self, request_id: str, how: str) -> None:
        super().__init__(
            f"The request id {request_id!r} was used before {how}. Make a new one for each new request.",
            details={"request_id": request_id},
        )


class Cancelled(Conflict):
    """The work was cancelled before it was done; nothing of it was kept."""

    code = "cancelled"


class StoreError(TunixRTError):
    """The database cannot be opened, migrated or written."""

    code = "store_error"


class OutputError(TunixRTError):
    """A file or directory cannot be written."""

    code = "output_error"


class ModelError(TunixRTError):
    """A model is missing, incomplete, or of a kind that Tunix cannot train."""

    code = "model_error"


class TrainingError(TunixRTError):
    """A run cannot go on: nothing to train on, the loss is not a number, the checkpoint does not fit."""

    code = "training_error"


class PreflightFailed(TunixRTError):
    """A run must not start as it is. `details["findings"]` holds what blocks it, each with its code, rows and keys."""

    code = "preflight_failed"


class TrackingError(TunixRTError):
    """Metrics were asked to go where they cannot: a package is missing, or there is no key for it."""

    code = "tracking_error"


class TunixMissing(TunixRTError, ImportError):
    """Tunix is not installed; the message holds the pip line that mends it."""

    code = "tunix_missing"
