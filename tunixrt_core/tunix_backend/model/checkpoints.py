"""Checkpoints of a run: which are complete, and loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunixrt_core.errors import CheckpointError

# orbax writes a checkpoint under another name and renames it when it is complete; this file is in every one
_MARK = "_CHECKPOINT_METADATA"


def checkpoint_steps(directory: Path) -> list[int]:
    """The train steps of the complete checkpoints, ascending; empty where there are none."""
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit() and (path / _MARK).is_file())


def latest_checkpoint(directory: Path) -> Path | None:
    """The folder of the last complete checkpoint."""
    steps = checkpoint_steps(directory)
    return directory / str(steps[-1]) if steps else None


def restore_weights(model: Any, directory: Path, *, lora: bool) -> int:
    """Load a checkpoint into the model, in place, and return its train step: the last complete one in `directory`, or
    `directory` itself where it is a checkpoint.

    Raises CheckpointError where there is none, or where it belongs to another model or LoRA rank.
    """
    from tunix.sft.checkpoint_manager import CheckpointManager

    last = directory if (directory / _MARK).is_file() else latest_checkpoint(directory)
    if last is None:
        raise CheckpointError(f"There is no complete checkpoint in {directory}. Train the run first.")
    manager = CheckpointManager(str(last.parent.absolute()))
    try:
        step, _ = manager.maybe_restore(model, step=int(last.name), restore_only_lora_params=lora)
    except (ValueError, KeyError, TypeError) as error:
        raise misfit(last, error) from error
    finally:
        manager.close()
    return int(step)


def misfit(checkpoint: Path, error: Exception) -> CheckpointError:
    """The error for weights that do not match the manifest's model."""
    first_line = str(error).strip().split("\n", 1)[0][:300]
    return CheckpointError(
        f"The checkpoint {checkpoint} does not fit the manifest's model, method or LoRA rank. "
        "Use another output_dir, or the manifest of the checkpoint's run.",
        details={"reason": first_line},
    )
