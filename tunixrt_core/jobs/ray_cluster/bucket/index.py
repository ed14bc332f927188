"""What a job's part of the bucket holds, in objects that are replaced whole."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tunixrt_core.jobs.ray_cluster.bucket.chunks import Chunk, Entry, Tree, check_names, decoded, read_tree
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket

INPUTS = "files"  # chunks of data files and models, which jobs share


class Place(msgspec.Struct, frozen=True):
    """A file or a folder of the home that a job reads, by the path that its spec has for it.

    `named` is its path below the folder of models, of a model that the spec names so.
    """

    path: str
    files: Tree  # of a file: itself, under its name
    is_folder: bool
    named: str | None = None


class Index(msgspec.Struct, frozen=True):
    """The files of a run's folder, by relative path. Folders that are seen whole or not at all (a checkpoint, an
    export) are one chunk each, which holds their tree.

    `places` are what a job reads besides; the worker's index has none.
    """

    files: dict[str, Entry]
    folders: dict[str, Chunk]
    places: tuple[Place, ...] = ()

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)


class Control(msgspec.Struct, frozen=True):
    """What the server tells the worker: the attempt that has the job, whether to stop, and how often to save.

    `folder` is that of the run in the home.
    """

    attempt: int
    stop: bool = False
    save: int = 0
    folder: str = ""


class JobPart:
    """The part of the bucket of one attempt of a job."""

    def __init__(self, bucket: Bucket, job_id: str, attempt: int) -> None:
        self.bucket = bucket
        self.folder = f"jobs/{job_id}/"
        self.prefix = f"{self.folder}{attempt}"

    @property
    def start_key(self) -> str:
        """What the server put for the worker: an Index."""
        return f"{self.prefix}/start.json"

    @property
    def index_key(self) -> str:
        """What the worker has put: an Index."""
        return f"{self.prefix}/index.json"

    @property
    def control_key(self) -> str:
        return f"{self.folder}control.json"

    def index(self, key: str) -> Index | None:
        """Raises Away for one that names files outside of the run's folder."""
        if (data := self.bucket.get(key)) is None:
            return None
        found = decoded(self.bucket, data, Index)
        inside = [name for place in found.places for name in (*place.files, place.named or "")]
        check_names(self.bucket, (*found.files, *found.folders, *inside))
        return found

    def control(self) -> Control | None:
        found = self.bucket.get(self.control_key)
        return None if found is None else decoded(self.bucket, found, Control)

    def put_control(self, control: Control) -> None:
        self.bucket.put(self.control_key, msgspec.json.encode(control))


def keys_of_folders(bucket: Bucket, index: Index) -> Iterator[str]:
    """The keys of the chunks of an index's folders, with those of their trees. Raises Missing."""
    for tree in index.folders.values():
        yield tree.key
        for chunks in read_tree(bucket, tree).values():
            yield from (chunk.key for chunk in chunks)
