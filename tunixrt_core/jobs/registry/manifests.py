"""Manifests in the folders of runs, also of a home that was moved or copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import BrokenFile, InvalidManifest
from tunixrt_core.util.files.regular import read_text

if TYPE_CHECKING:
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.runs.folder import RunDir


def read_manifest(folder: RunDir) -> RunManifest:
    """The manifest in a folder. Raises FileNotFoundError, BrokenFile."""
    from tunixrt_core.manifest.manifest import RunManifest

    try:
        return RunManifest.from_text(read_text(folder.manifest_file))
    except InvalidManifest as error:  # such as that of a later version
        raise BrokenFile(folder.manifest_file, f"is not a manifest of this version ({error})") from None


def moved_manifest(
    folder: RunDir, held: Path, home: Path, known: Callable[[], Mapping[str, Any]]
) -> RunManifest | None:
    """The manifest in a folder of `home` if it is that of the run which the store knows in `held`, a folder of the
    same name in another home: with the paths of that home changed to this one, as a resume must find its rows here.

    `known` reads the manifest in the store. Other files may be broken: they are told of the run that it is.
    """
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.util.files.places import rebased

    if len(held.parents) < 2 or folder.path.relative_to(home) != held.relative_to(held.parents[1]):
        return None
    try:
        manifest = read_manifest(folder)
        if RunManifest.from_dict(known()) != manifest:  # read, as a row of an earlier version lacks what came later
            return None
    except (BrokenFile, InvalidManifest, OSError):
        return None
    return RunManifest.from_dict(rebased(manifest.to_dict(), held.parents[1], home))
