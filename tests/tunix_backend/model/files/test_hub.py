"""Models come from a hub whole or not at all, and every refusal says what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import tunixrt
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.fake_hub import COMMIT, FakeHub, serve
from tests.tunix_backend.helpers.families import config_of, write_checkpoint
from tests.tunix_backend.model.test_models import load
from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.files.hub import downloaded_models
from tunixrt_core.tunix_backend.model.models import resolve_model

pytestmark = pytest.mark.tunix

NOT_WANTED = {
    "README.md": b"card",
    "pytorch_model.bin": b"other weights",
    "consolidated.safetensors": b"x",
    "original/params.json": b"{}",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a repository on the hub holds that is wanted."""
    folder = tmp_path_factory.mktemp("repository") / "model"
    write_checkpoint(folder, "qwen3")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} | {"LICENSE": b"terms"}


@pytest.fixture
def hub(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serve(FakeHub({"org/name": files | NOT_WANTED})) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("HF_TOKEN", "mine")
        yield served


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_is_downloaded_whole_and_once(hub: FakeHub, files: dict[str, bytes], tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    directory = resolve_model("org/name", tmp_path, lambda done, total, file: told.append((done, total, file)))
    assert directory == tmp_path / "org" / "name"
    assert content(directory) == files | {"REVISION": f"{COMMIT}\n".encode()}
    assert [path.name for path in directory.parent.iterdir() if not path.name.endswith(".lock")] == ["name"]
    size = sum(len(held) for held in files.values())
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][:2] == (size, size)
    assert {file for _, _, file in told} == set(files)
    asked = len(hub.requests)
    assert resolve_model("org/name", tmp_path) == directory
    assert len(hub.requests) == asked
    (local,) = downloaded_models(tmp_path)
    assert (local.name, local.kind, local.commit) == ("org/name", "qwen3", COMMIT)
    assert local.bytes > size


def test_a_revision_is_a_model_of_its_own(hub: FakeHub, files: dict[str, bytes], tmp_path: Path) -> None:
    assert resolve_model("org/name@v1", tmp_path) == tmp_path / "org" / "name@v1"
    assert not (tmp_path / "org" / "name").exists()
    with pytest.raises(ModelError, match="no revision v2"):
        resolve_model("org/name@v2", tmp_path)


def test_a_connection_that_breaks_goes_on_where_it_broke(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)  # pieces of 10 MiB otherwise: more than the whole file
    hub.cut.add("model.safetensors")
    directory = resolve_model("org/name", tmp_path)
    assert content(directory)["model.safetensors"] == files["model.safetensors"]
    half = len(files["model.safetensors"]) // 2
    assert [line for line in hub.requests if "model.safetensors" in line] == [
        "GET model.safetensors from 0",
        f"GET model.safetensors from {half // 4096 * 4096}",
    ]


def test_a_download_that_failed_is_no_model_and_the_next_one_asks_for_the_rest_only(
    hub: FakeHub, files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.broken.add("model.safetensors")
    with pytest.raises(ModelError, match="HTTP 500"):
        resolve_model("org/name", tmp_path)
    assert not (tmp_path / "org" / "name").exists()
    assert downloaded_models(tmp_path) == []
    had = {line.split()[1] for line in hub.requests} - {"model.safetensors"}
    assert "config.json" in had
    hub.broken.clear()
    hub.requests.clear()
    assert content(resolve_model("org/name", tmp_path)).keys() == files.keys() | {"REVISION"}
    assert had.isdisjoint(line.split()[1] for line in hub.requests)


@pytest.mark.parametrize(
    ("refusal", "named"),
    [
        ((401, "GatedRepo"), "is gated: accept its terms .* set HF_TOKEN"),
        ((403, "GatedRepo"), "is gated"),
        ((401, "RepoNotFound"), "no model org/name, or it is private"),
        ((404, "RepoNotFound"), "no model org/name, or it is private"),
        ((403, ""), r"denies access to org/name with this token \(HTTP 403\)"),
        ((500, ""), r"cannot serve org/name now \(HTTP 500\)"),
    ],
)
def test_what_the_hub_refuses_says_what_to_do(
    hub: FakeHub, tmp_path: Path, refusal: tuple[int, str], named: str
) -> None:
    hub.refusal = refusal
    with pytest.raises(ModelError, match=named):
        resolve_model("org/name", tmp_path)
    assert not (tmp_path / "org" / "name").exists()


def test_the_token_of_the_environment_opens_a_gated_model(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "mine"
    monkeypatch.setenv("HF_TOKEN", "another")
    with pytest.raises(ModelError, match="is gated"):
        resolve_model("org/name", tmp_path)
    monkeypatch.setenv("HF_TOKEN", "mine")
    assert (resolve_model("org/name", tmp_path) / "config.json").is_file()


def test_a_hub_that_cannot_be_reached_says_where_to_put_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"cannot be reached \(.+\).*hf download org/name --local-dir .*/org/name"):
        resolve_model("org/name", tmp_path)


def test_a_repository_without_weights_that_tunix_reads_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    del hub.repositories["org/name"]["model.safetensors"]
    with pytest.raises(ModelError, match="no weights in safetensors"):
        resolve_model("org/name", tmp_path)
    hub.repositories["org/name"] = {"model.gguf": b"x"}
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve_model("org/name", tmp_path)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (
            {"model_type": "mistral", "architectures": ["MistralForCausalLM"]},
            r"a MistralForCausalLM \(model_type 'mistral'\).* Qwen 3 \[qwen3\], .* Gemma 3 \[gemma3_text, gemma3\]",
        ),
        ({"model_type": "phi3"}, "a model of model_type 'phi3', which this version cannot train"),
        (config_of("gemma4_text") | {"enable_moe_block": True}, "asks for enable_moe_block = True"),
    ],
)
def test_a_family_that_cannot_be_trained_is_named_before_its_weights_are_downloaded(
    hub: FakeHub, tmp_path: Path, config: dict[str, Any], named: str
) -> None:
    hub.repositories["org/name"]["config.json"] = json.dumps(config).encode()
    with pytest.raises(ModelError, match=rf"org/name was not downloaded\. .*{named}"):
        resolve_model("org/name", tmp_path)
    assert {line.split()[1] for line in hub.requests} == {"config.json"}
    assert not list((tmp_path / "org").glob("*name*/**/*.json"))


def test_what_stands_in_the_way_is_left_alone(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    (tmp_path / "org" / "name" / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="already exists"):
        resolve_model("org/name", tmp_path)
    assert (tmp_path / "org" / "name" / "notes.txt").read_text() == "mine"


def test_a_model_that_is_not_here_yet_is_downloaded_for_a_training(hub: FakeHub, tmp_path: Path) -> None:
    models = tmp_path / "models"
    loaded = load(make_manifest(tmp_path, model="org/name", method="full"), models)
    assert (loaded.directory, loaded.architecture.kind) == (models / "org" / "name", "qwen3")


def test_a_model_on_kaggle_needs_kagglehub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ModelError, match="needs kagglehub: pip install kagglehub"):
        resolve_model("kaggle:google/gemma-2/transformers/2b/1", tmp_path)


def test_the_command_downloads_checks_and_lists(hub: FakeHub, tmp_path: Path) -> None:
    got = tunixrt("models", "get", "org/name", home=tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN="mine")
    assert got.returncode == 0, got.stderr
    assert got.stdout.strip() == f"{tmp_path / 'models' / 'org' / 'name'}  qwen3, 2 layers, complete"
    listed = tunixrt("models", "list", home=tmp_path).stdout
    assert "org/name" in listed
    assert COMMIT in listed
    assert "tiny-micro" in listed
    refused = tunixrt("models", "get", "org/other", home=tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN="mine")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no model org/other" in refused.stderr
