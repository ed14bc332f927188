"""What is deleted from the bucket after a job."""

from __future__ import annotations

from pathlib import Path

from tunixrt_core.jobs.ray_cluster.bucket.index import JobPart, keys_of_folders
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
from tunixrt_core.jobs.spec import JobSpec


def tidy(bucket: Bucket, spec: JobSpec) -> None:
    """Keep a training's checkpoints for the jobs that follow, and nothing else of the job; of runs that were deleted
    from the home nothing. Raises Away, Refused, Missing.
    """
    part = JobPart(bucket, spec.id, spec.attempt)
    kept: set[str] = set()
    if spec.kind == "train" and (index := part.index(part.index_key)) is not None:
        kept = {part.index_key, part.control_key, *keys_of_folders(bucket, index)}
    bucket.delete(key for key in bucket.find(part.folder) if key not in kept)
    for name in bucket.folders("jobs"):
        if _is_deleted(JobPart(bucket, name, 0), Scope.of(spec).folder.parent / name):
            bucket.delete(bucket.find(f"jobs/{name}/"))


def _is_deleted(part: JobPart, usual: Path) -> bool:
    """Whether the home has the run of a job no more. Most runs have the folder of their id, which asks no bucket."""
    if usual.is_dir():
        return False
    control = part.control()
    return control is not None and control.folder != "" and not Path(control.folder).is_dir()
