"""Checkpoints of a run: which are complete, and loading them."""

from __future__ import annotations

from json import JSONDecodeError
from pathlib import Path
from typing import Any

from tunixrt_core.errors import CheckpointError

# orbax writes a checkpoint under another name and renames it when it is complete; this file is in every one
_MARK = "_CHECKPOINT_METADATA"
# in the words of orbax and TensorStore about files that they cannot read
_DAMAGE = ("tensorstore", "TensorStore", "Error opening", "Error reading", "was not found in the checkpoint")


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

    Raises CheckpointError where there is none, where it is damaged, or belongs to another model or LoRA rank. Another
    one is not loaded in its place: answers are labelled with the train step that was requested.
    """
    from tunix.sft.checkpoint_manager import CheckpointManager

    last = directory if (directory / _MARK).is_file() else latest_checkpoint(directory)
    if last is None:
        raise CheckpointError(f"There is no complete checkpoint in {directory}. Train the run first.")
    manager = CheckpointManager(str(last.parent.absolute()))
    try:
        step, _ = manager.maybe_restore(model, step=int(last.name), restore_only_lora_params=lora)
    except Exception as error:  # orbax raises that class itself for files that it cannot read
        raise misfit(last, error) from error
    finally:
        manager.close()
    return int(step)


def misfit(checkpoint: Path, error: Exception) -> CheckpointError:
    """The error for a checkpoint that is damaged, or does not match the manifest's model."""
    first_line = str(error).strip().split("\n", 1)[0][:300]
    if isinstance(error, JSONDecodeError | OSError) or any(mark in str(error) for mark in _DAMAGE):
        others = [step for step in checkpoint_steps(checkpoint.parent) if str(step) != checkpoint.name]
        instead = f"Use --checkpoint {others[-1]}, the one before" if others else "Restore the folder from a copy"
        return CheckpointError(
            f"The checkpoint {checkpoint} is damaged. {instead}, or train the run again.",
            details={"reason": first_line},
        )
    return CheckpointError(
        f"The checkpoint {checkpoint} does not fit the manifest's model, method or LoRA rank. "
        "Use another output_dir, or the manifest of the checkpoint's run.",
        details={"reason": first_line},
    )
