"""Objects are put whole, and a bucket that is missing, away or refuses says so in a sentence without a secret."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.helpers.machines.s3_server import KEY, SECRET, S3Server, needs_fsspec, needs_s3
from tunixrt_core.errors import InvalidSettings
from tunixrt_core.jobs.ray_cluster.bucket.store import Away, Bucket, Refused, bucket_of, check_address
from tunixrt_core.settings import Settings


def test_an_address_is_a_bucket_with_a_path_and_holds_no_secret() -> None:
    assert check_address("s3://bucket/path/") == "s3://bucket/path"
    assert check_address("file:///mnt/bucket") == "file:///mnt/bucket"
    for wrong in ("bucket/path", "s3://", "memory://bucket", "file:///"):
        with pytest.raises(InvalidSettings, match="is no bucket"):
            check_address(wrong)
    for wrong in ("s3://key:secret@bucket/path", "s3://bucket/path?secret=1"):
        with pytest.raises(InvalidSettings) as refused:
            check_address(wrong)
        assert "secret" not in str(refused.value)


def test_a_missing_library_is_said_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidSettings, match=r"pip install 'tunix-rt\[bucket\]'"):
        Bucket("s3://bucket", "home")


@needs_fsspec
def test_a_scheme_without_its_library_and_one_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(InvalidSettings, match=r"gs:// cannot be read .*pip install 'tunix-rt\[bucket\]'"):
        Bucket("gs://bucket", "home")
    with pytest.raises(InvalidSettings, match="nosuch:// is not known"):
        Bucket("nosuch://bucket", "home")


@needs_fsspec
def test_the_bucket_of_a_home_needs_one_sampler(tmp_path: Path) -> None:
    environ = {"TUNIXRT_EXECUTOR": "ray://h:1", "TUNIXRT_BUCKET": f"file://{tmp_path}/bucket"}
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home"), **environ})
    bucket = bucket_of(settings, samplers=1)
    assert bucket is not None
    assert bucket.home == (tmp_path / "home" / "id").read_text()
    with pytest.raises(InvalidSettings, match="several samplers"):
        bucket_of(settings, samplers=2)
    assert bucket_of(Settings.from_env({}), samplers=2) is None


def use(bucket: Bucket) -> None:
    assert bucket.get("a/one") is None
    assert bucket.find("") == {}
    bucket.put("a/one", b"1")
    bucket.put("a/one", b"22")
    bucket.put("ab/two", b"333")
    assert (bucket.get("a/one"), bucket.find("a/")) == (b"22", {"a/one": 2})
    assert bucket.find("") == {"a/one": 2, "ab/two": 3}
    assert (bucket.folders(""), bucket.folders("missing")) == (["a", "ab"], [])
    bucket.delete(["a/one", "a/missing"])
    assert bucket.find("") == {"ab/two": 3}


@needs_fsspec
def test_objects_of_a_folder_are_put_read_listed_and_deleted(tmp_path: Path) -> None:
    use(Bucket(f"file://{tmp_path}/bucket", "home"))
    assert not [path for path in (tmp_path / "bucket").rglob(".*") if path.is_file()], "no temporary file is left"


@needs_s3
def test_objects_of_s3_too_and_what_it_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with S3Server() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        use(Bucket("s3://bucket/path", "home"))
        with pytest.raises(Refused, match="There is no bucket at s3://missing"):
            Bucket("s3://missing", "home").put("a", b"1")
        server.check_credentials(check=True)
        with pytest.raises(Refused, match="refuses the credentials of this machine") as refused:
            Bucket("s3://bucket", "home").put("a", b"1")
        server.check_credentials(check=False)
        server.go_away()
        with pytest.raises(Away, match="cannot be reached") as away:
            Bucket("s3://bucket", "home").get("a")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(Refused, match="needs credentials, and this machine has none"):
            Bucket("s3://bucket", "home").get("a")
        server.come_back()
    for said in (str(refused.value), str(away.value)):
        assert KEY not in said
        assert SECRET not in said
