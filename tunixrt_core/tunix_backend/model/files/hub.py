"""Downloads of models, complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.models import HubName, KaggleName
from tunixrt_core.tunix_backend.model.configs.reading import architecture_of, read_config

OnProgress = Callable[[int, int, str], None]  # bytes done, total bytes, the current file

_WANTED = (
    *("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*"),
    *("LICENSE*", "NOTICE*", "USE_POLICY*"),
)
_UNWANTED = ("consolidated*", "adapter_model*")  # the same weights in the formats of other programs, and LoRA
_CONFIG = "config.json"
_TIMEOUT = 30.0  # seconds, for the list of files
REVISION_FILE = "REVISION"  # in a downloaded model's folder: the commit of its files


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model in the directory of models, by the name that selects it."""

    name: str
    kind: str  # model_type of its config.json
    bytes: int
    commit: str  # of the hub's repository; empty where the files were copied by hand


def downloaded_models(models_dir: Path) -> list[LocalModel]:
    """The complete models in a directory, by name. Raises ModelError for a broken config.json."""
    found = []
    for config in sorted(models_dir.rglob("config.json")):
        folder = config.parent.relative_to(models_dir)
        if any(part.startswith(".") for part in folder.parts):
            continue  # still downloading
        revision = config.with_name(REVISION_FILE)
        name = folder.as_posix()
        found.append(
            LocalModel(
                name=f"kaggle:{name.removeprefix('kaggle/')}" if folder.parts[:1] == ("kaggle",) else name,
                kind=str(read_config(config.parent).get("model_type", "")),
                bytes=sum(file.stat().st_size for file in config.parent.iterdir() if file.is_file()),
                commit=revision.read_text(encoding="utf-8").strip() if revision.is_file() else "",
            )
        )
    return found


def no_progress(done: int, total: int, file: str) -> None:
    """An OnProgress that does nothing."""


def download_model(name: HubName | KaggleName, target: Path, on_progress: OnProgress = no_progress) -> Path:
    """Download a model to `target`, which appears once all its files are downloaded, and return it.

    Files that an earlier try has downloaded completely are kept and not downloaded again. HF_TOKEN and HF_ENDPOINT are
    those of the environment. Raises ModelError with the fix: the hub cannot be reached, does not have the model or
    denies access to it, its config is of a model that cannot be trained, the disk is full, or there are no weights that
    Tunix can read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(name, KaggleName):
        return _from_kaggle(name, target, on_progress)
    with _said_in_words(name, target):
        return _from_hub(name, target, on_progress)


@contextmanager
def _said_in_words(name: HubName, target: Path) -> Iterator[None]:
    try:
        import httpx
        from huggingface_hub import errors
    except ModuleNotFoundError as error:
        raise ModelError(
            f"The model {name.repository} is not on this machine, and downloading it needs {error.name}: "
            'pip install "tunix-rt[tunix]".'
        ) from None
    try:
        yield
    except errors.GatedRepoError:
        raise ModelError(
            f"The model {name.repository} is gated: accept its terms on its page with your account, then set HF_TOKEN "
            "to a token of that account."
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelError(
            f"The hub has no model {name.repository}, or it is private. Check the name; for a private one set HF_TOKEN "
            "to a token of an account that may read it."
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(
            f"The model {name.repository} has no revision {name.revision}. Check it on its page."
        ) from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise ModelError(
                f"The hub denies access to {name.repository} with this token (HTTP {status}). Set HF_TOKEN to a token "
                "of an account that may read it."
            ) from None
        raise ModelError(f"The hub cannot serve {name.repository} now (HTTP {status}). Try again later.") from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx.HTTPError) as error:
        reason = str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
        revision = f" --revision {name.revision}" if name.revision else ""
        raise ModelError(
            f"The model {name.repository} is not on this machine and the hub cannot be reached ({reason}). "
            "Try again (complete files are kept), or download it with: "
            f"hf download {name.repository}{revision} --local-dir {target}"
        ) from None
    except OSError as error:
        raise ModelError(
            f"The model {name.repository} cannot be written to {target.parent} ({error.strerror or error}). "
            "Make room or choose another TUNIXRT_HOME, then try again."
        ) from None


def _client() -> Any:
    """The client of the hub, with the address and the token of the environment."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN"))


def _from_hub(name: HubName, target: Path, on_progress: OnProgress) -> Path:
    from huggingface_hub.utils import WeakFileLock

    with WeakFileLock(target.parent / f".{target.name}.lock"):
        if (target / "config.json").is_file():
            return target  # another process was faster
        api = _client()
        info = api.model_info(name.repository, revision=name.revision, files_metadata=True, timeout=_TIMEOUT)
        files = {file.rfilename: int(file.size or 0) for file in info.siblings or () if _is_wanted(file.rfilename)}
        part = target.parent / f".{target.name}.part"
        progress = _Progress(on_progress, sum(files.values()))

        def fetch(file: str) -> None:
            progress.begin(file)
            api.hf_hub_download(
                name.repository, file, revision=info.sha, local_dir=part, tqdm_class=progress.bar_class()
            )
            if files[file] and (part / file).stat().st_size != files[file]:
                raise OSError(f"{file} does not have the size that the hub reports")
            progress.end(files[file])

        if _CONFIG in files:
            fetch(_CONFIG)
            _check_family(name, part)
        _check_files(name, files)
        _check_room(part, sum(files.values()))
        for file in [file for file in files if file != _CONFIG]:
            fetch(file)
        (part / REVISION_FILE).write_text(f"{info.sha}\n", encoding="utf-8")
        return _put_in_place(part, target)


def _check_family(name: HubName, part: Path) -> None:
    """Raises ModelError where the config, which is there alone, is of a model that cannot be trained."""
    try:
        architecture_of(read_config(part))
    except ModelError as error:
        shutil.rmtree(part)
        raise ModelError(f"{name.repository} was not downloaded. {error}", details=error.details) from None


def _is_wanted(file: str) -> bool:
    def among(patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(file, pattern) for pattern in patterns)

    return "/" not in file and among(_WANTED) and not among(_UNWANTED)


def _check_files(name: HubName, files: dict[str, int]) -> None:
    weights = [file for file in files if file.endswith(".safetensors")]
    if _CONFIG not in files or not weights:
        missing = "weights in safetensors files" if _CONFIG in files else _CONFIG
        raise ModelError(f"The model {name.repository} has no {missing}, so Tunix cannot load it. Choose another one.")


def _check_room(part: Path, size: int) -> None:
    there = sum(file.stat().st_size for file in part.glob("*") if file.is_file())
    free = shutil.disk_usage(part.parent).free
    if free < size - there:
        raise ModelError(
            f"The model needs {size - there:,} more bytes, and {part.parent} has {free:,} free. Make room, or set "
            "TUNIXRT_HOME to a larger disk."
        )


def _put_in_place(part: Path, target: Path) -> Path:
    shutil.rmtree(part / ".cache", ignore_errors=True)  # the downloader's own notes
    try:
        part.rename(target)
    except OSError:
        raise ModelError(f"The model is downloaded, but {target} already exists. Move it away and try again.") from None
    return target


@dataclass(slots=True)
class _Progress:
    """Bytes over all files, reported as each piece arrives."""

    tell: OnProgress
    total: int
    finished: int = 0
    within: int = 0
    file: str = field(default="")

    def begin(self, file: str) -> None:
        self.file, self.within = file, 0
        self.tell(self.finished, self.total, file)

    def add(self, size: int) -> None:
        self.within += size
        self.tell(self.finished + self.within, self.total, self.file)

    def end(self, size: int) -> None:
        self.finished, self.within = self.finished + size, 0
        self.tell(self.finished, self.total, self.file)

    def bar_class(self) -> Any:
        """A class that huggingface_hub uses as its progress bar; it shows nothing."""
        from huggingface_hub.utils import tqdm

        add = self.add

        class Bar(tqdm):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **{**kwargs, "disable": True})

            def update(self, n: float | None = 1) -> None:
                add(int(n or 0))

        return Bar


def _from_kaggle(name: KaggleName, target: Path, on_progress: OnProgress) -> Path:
    try:
        import kagglehub
        from kagglehub import exceptions
    except ModuleNotFoundError:
        raise ModelError(
            f"The model {name.handle} is on Kaggle, and downloading it needs kagglehub: pip install kagglehub. Set "
            "KAGGLE_USERNAME and KAGGLE_KEY."
        ) from None
    part = target.parent / f".{target.name}.part"
    on_progress(0, 0, name.handle)  # kagglehub reports no sizes
    try:
        kagglehub.model_download(name.handle, output_dir=str(part))
    except (
        *(
            exceptions.BackendError,
            exceptions.CredentialError,
            exceptions.DataCorruptionError,
            exceptions.NotFoundError,
        ),
        *(exceptions.UnauthenticatedError, OSError, ValueError),
    ) as error:
        reason = str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
        raise ModelError(
            f"Kaggle denies access to {name.handle} ({reason}). Accept its terms on its page, set KAGGLE_USERNAME and "
            "KAGGLE_KEY, and check the handle."
        ) from None
    if not (part / "config.json").is_file():
        raise ModelError(
            f"{name.handle} has no config.json, so Tunix RT cannot load its layout. Choose a variation whose "
            "framework is transformers."
        )
    return _put_in_place(part, target)


def config_alone(name: HubName, target: Path) -> Path:
    """The directory `target` with the config.json of a model on the hub, fetched once. Raises ModelError."""
    if (target / "config.json").is_file():
        return target
    target.mkdir(parents=True, exist_ok=True)
    with _said_in_words(name, target):
        _client().hf_hub_download(name.repository, _CONFIG, revision=name.revision, local_dir=target)
        shutil.rmtree(target / ".cache", ignore_errors=True)  # the downloader's own notes
    read_config(target)
    return target
