"""Paths of a manifest from elsewhere: within the home and allowed folders only."""

from __future__ import annotations

from pathlib import Path

from tunixrt_core.errors import BrokenFile, InvalidEvaluation, InvalidManifest, UnreadableFile
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import model_directory
from tunixrt_core.settings import Settings
from tunixrt_core.util.files.disks import require_answer
from tunixrt_core.util.files.places import Places
from tunixrt_core.util.files.regular import open_regular

_HOW = "Start the server with --allow DIR (TUNIXRT_ALLOW) to add a folder"


def check_places(manifest: RunManifest, settings: Settings) -> None:
    """Raises InvalidManifest naming the first key whose path leads out of the home and the allowed folders, or whose
    file is no regular file. A run's folder in the home must be in `runs`.
    """
    reading = Places((settings.home, *settings.allow))
    writing = Places((settings.runs_dir, *settings.allow))
    folder = settings.runs_dir / Path(manifest.output_dir).expanduser()
    if not writing.hold(folder):
        raise InvalidManifest(
            "output_dir", f"{folder} is outside of {settings.runs_dir} and of the allowed folders. {_HOW}"
        )
    data = Path(manifest.data.path).expanduser()
    _check_reading("data.path", data, reading)
    _check_regular(data)
    model = model_directory(manifest.model.id, settings.models_dir)
    if model is not None:
        _check_reading("model.id", model, reading)
    if manifest.tokenizer.path is not None:
        _check_reading("tokenizer.path", Path(manifest.tokenizer.path).expanduser(), reading)


def check_eval_file(path: Path, settings: Settings) -> None:
    """Raises InvalidEvaluation for an eval file out of the home and the allowed folders, or no regular file."""
    require_answer(path.expanduser())
    if not Places((settings.home, *settings.allow)).hold(path.expanduser()):
        raise InvalidEvaluation(f"eval_file: {path} is outside of the home and of the allowed folders. {_HOW}.")
    try:
        open_regular(path.expanduser(), follow=True).close()
    except FileNotFoundError:
        raise InvalidEvaluation(f"eval_file: there is no file {path}. Name another one.") from None
    except BrokenFile as error:
        raise InvalidEvaluation(f"eval_file: {path} {error.reason}. Name a regular file.") from None


def _check_reading(key: str, path: Path, places: Places) -> None:
    try:
        require_answer(path)
    except UnreadableFile as error:
        raise InvalidManifest(key, str(error).rstrip(".")) from None
    if not places.hold(path):
        raise InvalidManifest(key, f"{path} is outside of the home and of the allowed folders. {_HOW}")


def _check_regular(path: Path) -> None:
    try:
        open_regular(path, follow=True).close()
    except FileNotFoundError:
        return  # the preflight says what to do
    except BrokenFile as error:
        raise InvalidManifest("data.path", f"{path} {error.reason}; name a regular file") from None
