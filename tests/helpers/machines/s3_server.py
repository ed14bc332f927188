"""An S3-compatible server on 127.0.0.1, of moto, which can be away for a while."""

from __future__ import annotations

import importlib.util
import logging
import urllib.request
from types import TracebackType
from typing import Any, Self

import pytest

needs_s3 = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("moto", "s3fs")),
    reason="moto and s3fs are not installed: pip install tunix-rt[bucket-test]",
)
needs_fsspec = pytest.mark.skipif(
    importlib.util.find_spec("fsspec") is None, reason="fsspec is not installed: pip install tunix-rt[bucket]"
)

KEY, SECRET = "AKIDEXAMPLEEXAMPLE00", "secret-of-the-bucket-0123456789abcdefghi"


class S3Server:
    """The server with one bucket, `bucket`. What it holds is kept by this process while it is away."""

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._port = 0
        self.come_back()
        for method, what in (("POST", "moto-api/reset"), ("PUT", "bucket")):  # of the server before
            request = urllib.request.Request(f"{self.endpoint}/{what}", method=method)
            urllib.request.urlopen(request).close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_away()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def go_away(self) -> None:
        self._server.stop()

    def come_back(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server: Any = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()

    def check_credentials(self, *, check: bool) -> None:
        """From now on refuse every key that no user has, or none."""
        count = b"0" if check else b"inf"
        address, kind = f"{self.endpoint}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(address, data=count, headers=kind, method="POST")).close()
