"""The files and folders of a run, by name."""

from __future__ import annotations

from pathlib import Path


class RunPaths:
    """Where a run keeps each of its files; docs/architecture.md tells who writes them."""

    path: Path

    @property
    def manifest_file(self) -> Path:
        return self.path / "manifest.yaml"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples_file(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def log_file(self) -> Path:
        return self.path / "train.log"

    @property
    def result_file(self) -> Path:
        return self.path / "result.json"

    @property
    def save_file(self) -> Path:
        """If it exists, the process that runs this saves a checkpoint now, and removes it."""
        return self.path / "save"

    @property
    def env_file(self) -> Path:
        return self.path / "env.json"

    @property
    def preflight_file(self) -> Path:
        return self.path / "preflight.json"

    @property
    def parent_file(self) -> Path:
        """Of a clone: its parent run, and the values that differ."""
        return self.path / "parent.json"

    @property
    def annotations_file(self) -> Path:
        """Tags, note and archive mark, written by people."""
        return self.path / "annotations.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best_file(self) -> Path:
        """The best evaluation, written by the trainer."""
        return self.path / "best.json"

    @property
    def evals(self) -> Path:
        return self.path / "evals"
