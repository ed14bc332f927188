"""What a run in any process is asked by files in its folder: to stop, to save."""

from __future__ import annotations

from tunixrt_core.errors import Conflict
from tunixrt_core.home.audit import AuditLog
from tunixrt_core.pipeline.acts import Acts
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings


class Asking:
    """Requests of the command to runs, without the database."""

    def __init__(self, settings: Settings) -> None:
        Acts(AuditLog(settings.audit_dir)).guard("asking", self)

    def stop(self, folder: RunDir) -> None:
        """Ask a run to stop after the current train step. Raises Conflict if it is over."""
        name = folder.path.name
        if (state := folder.state()).status.over:
            raise Conflict(f"{name} is over ({state.status}); there is nothing to stop.")
        folder.stop_file.touch()

    def save(self, folder: RunDir) -> None:
        """Ask a run to save a checkpoint after the current train step. Raises Conflict if it does not train."""
        ask_to_save(folder.path.name, folder)


def ask_to_save(name: str, folder: RunDir) -> None:
    """Create the file that requests a checkpoint. Raises Conflict if the run does not train."""
    status = folder.state().status
    if status.over or status in (RunStatus.QUEUED, RunStatus.STOPPING):
        raise Conflict(f"{name} is {status}; a checkpoint can be saved while it trains.")
    folder.save_file.touch()
