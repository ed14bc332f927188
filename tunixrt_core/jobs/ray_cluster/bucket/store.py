"""Whole objects of a bucket, put and read by fsspec."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tunixrt_core.errors import InvalidSettings
from tunixrt_core.settings import Settings
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.home_id import home_id

T = TypeVar("T")

_LONGEST = 200  # characters of a library's error in a sentence
_NO_CREDENTIALS = ("NoCredentials", "PartialCredentials", "CredentialRetrieval", "DefaultCredentials", "RefreshError")
_INSTALL = "Install it with: pip install 'tunix-rt[bucket]'"
# seconds, so that a bucket that is away is seen before a sign of life is too old
_TIMES = {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 2}}
_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"config_kwargs": _TIMES}, "s3a": {"config_kwargs": _TIMES}}


class Trouble(Exception):
    """The bucket cannot be used now; the message is a sentence without its end mark's advice."""


class Away(Trouble):
    """It cannot be reached."""


class Refused(Trouble):
    """It does not exist, or lets this machine not in."""


def check_address(address: str) -> str:
    """The address of a bucket, without a `/` at its end. Raises InvalidSettings; one with a secret is not repeated."""
    found = urlsplit(address)
    if "@" in found.netloc or found.query or found.fragment:
        raise InvalidSettings(
            "TUNIXRT_BUCKET: the address holds more than a bucket and a path. Keep keys and endpoints where the "
            "library of the provider reads them, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL."
        )
    where = found.path if found.scheme == "file" else found.netloc
    if found.scheme in ("", "memory") or not where.strip("/"):
        raise InvalidSettings(f"TUNIXRT_BUCKET: {address!r} is no bucket. Write one such as s3://bucket/path.")
    return address.rstrip("/")


def require_library(address: str) -> None:
    """Raises InvalidSettings where the library that reads such an address is not installed."""
    if importlib.util.find_spec("fsspec") is None:
        raise InvalidSettings(f"TUNIXRT_BUCKET: fsspec is not installed. {_INSTALL}")
    from fsspec import get_filesystem_class

    scheme = urlsplit(address).scheme
    try:
        get_filesystem_class(scheme)
    except ImportError as error:
        raise InvalidSettings(f"TUNIXRT_BUCKET: {scheme}:// cannot be read ({error}). {_INSTALL}") from None
    except ValueError:
        raise InvalidSettings(f"TUNIXRT_BUCKET: {scheme}:// is not known. Use s3://, gs:// or file://.") from None


class Bucket:
    """The part of a bucket that belongs to one home. Every object is put whole: a reader sees the old or the new one.

    All methods raise Away and Refused. Objects are small (a few megabytes), so that each is one request.
    """

    def __init__(self, address: str, home: str) -> None:
        """`home` is the id of the home. Connects with the first request. Raises InvalidSettings."""
        self.address = check_address(address)
        self.home = home
        require_library(self.address)
        from fsspec.core import url_to_fs

        options = _OPTIONS.get(urlsplit(self.address).scheme, {})
        self._files, root = url_to_fs(self.address, skip_instance_cache=True, use_listings_cache=False, **options)
        self._root = f"{root.rstrip('/')}/{home}"
        self._is_local = self.address.startswith("file:")

    def put(self, key: str, data: bytes) -> None:
        """Write an object, in place of an earlier one."""
        path = f"{self._root}/{key}"
        if not self._is_local:
            self._do(lambda: self._files.pipe_file(path, data))
            return

        def write() -> None:  # of a file system: a file under its name is not whole before it is renamed
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(Path(path), data)

        self._do(write)

    def get(self, key: str) -> bytes | None:
        """The bytes of an object; None if there is none."""

        def read() -> bytes | None:
            with suppress(FileNotFoundError):
                return bytes(self._files.cat_file(f"{self._root}/{key}"))
            return None

        return self._do(read)

    def find(self, prefix: str) -> dict[str, int]:
        """The objects whose keys begin with a prefix, which ends with `/` or is empty, with their sizes in bytes."""

        def listed() -> dict[str, int]:
            self._files.invalidate_cache()
            found: dict[str, dict[str, Any]] = {}
            with suppress(FileNotFoundError):
                found = self._files.find(f"{self._root}/{prefix}".rstrip("/"), detail=True)
            names = {path.removeprefix(f"{self._root}/"): about["size"] for path, about in found.items()}
            return {name: size for name, size in names.items() if not name.rpartition("/")[2].startswith(".")}

        return self._do(listed)

    def folders(self, key: str) -> list[str]:
        """The names of the folders in a folder."""

        def listed() -> list[str]:
            self._files.invalidate_cache()
            with suppress(FileNotFoundError):
                found = self._files.ls(f"{self._root}/{key}", detail=True)
                return sorted(each["name"].rpartition("/")[2] for each in found if each["type"] == "directory")
            return []

        return self._do(listed)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is missing is no error."""
        for key in keys:
            with suppress(FileNotFoundError):
                self._do(lambda path=f"{self._root}/{key}": self._files.rm_file(path))  # type: ignore[misc]

    def _do(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except FileNotFoundError as error:
            if self._is_local:
                raise
            raise Refused(f"There is no bucket at {self.address} ({_short(error)}).") from None
        except PermissionError as error:
            raise Refused(
                f"The bucket {self.address} refuses the credentials of this machine ({_short(error)})."
            ) from None
        except Exception as error:  # what fsspec's libraries raise is of their own trees, not of OSError
            if type(error).__name__.startswith(_NO_CREDENTIALS):
                raise Refused(
                    f"The bucket {self.address} needs credentials, and this machine has none ({_short(error)})."
                ) from error
            raise Away(f"The bucket {self.address} cannot be reached ({_short(error)}).") from error


def bucket_of(settings: Settings, *, samplers: int) -> Bucket | None:
    """The part of TUNIXRT_BUCKET that belongs to a home; None where it is not set.

    Raises InvalidSettings, also where one evaluation has several samplers, and OutputError.
    """
    if settings.bucket is None:
        return None
    if samplers > 1:
        raise InvalidSettings(
            "TUNIXRT_EXECUTOR: several samplers read one folder, which workers with TUNIXRT_BUCKET do not have. Leave "
            "out samplers, or share the folder of the home."
        )
    return Bucket(settings.bucket, home_id(settings.home))


def _short(error: Exception) -> str:
    """The first line of an error, without what follows a `?` in an address, which may be a signature."""
    line = str(error).strip().partition("\n")[0].partition("?")[0].rstrip(". ")
    return f"{type(error).__name__}: {line[:_LONGEST]}"
