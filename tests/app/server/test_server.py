"""A real server process: what it answers, what it does not load, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import time
import tomllib
from pathlib import Path

import httpx
import pytest

from app.server.server import address, streamlit_config
from tests.conftest import REPOSITORY
from tests.helpers.servers import HASTY, START_SECONDS, Server, get, start_server
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings


def bearer(server: Server) -> dict[str, str]:
    return {"authorization": f"Bearer {server.token}"}


def test_it_prints_the_address_with_the_token_that_it_keeps(server: Server) -> None:
    assert f"http://127.0.0.1:{server.port}/?token=" in server.greeting
    assert server.token == (server.home / "token").read_text().strip()


def test_the_health_check_needs_no_token(server: Server) -> None:
    answer = get(f"{server.url}/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
    assert get(f"{server.url}/_stcore/health").status_code == 200


@pytest.mark.parametrize("path", ["/", "/traces", "/no-such-page"])
def test_a_page_is_answered_to_who_is_signed_in_only(server: Server, path: str) -> None:
    assert get(server.url + path, headers={"accept": "text/html"}).status_code == 401
    answer = get(server.url + path, headers=bearer(server))
    assert answer.status_code == 200
    assert '<div id="root">' in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_the_printed_address_signs_in(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as visitor:  # the API is built first
        assert visitor.get(f"/?token={server.token}").status_code == 200
        assert visitor.get("/").status_code == 200
        assert visitor.get("/api/tunix/status").status_code == 200


def test_the_fonts_and_the_mark_are_served_from_here(server: Server) -> None:
    for name in ("inter.woff2", "favicon.png"):
        assert get(f"{server.url}/app/static/{name}", headers=bearer(server)).status_code == 200


def test_the_api_answers_json_and_never_a_page(server: Server) -> None:
    status = get(f"{server.url}/api/tunix/status", headers=bearer(server))
    assert status.status_code == 200
    assert "available" in status.json()
    unknown = get(f"{server.url}/api/no/such/thing", headers=bearer(server))
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "not_found"
    assert get(f"{server.url}/api/tunix/status").json()["error"]["code"] == "token_required"


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs", "/api/runs", "/api/traces/none", "/overview", "/"])
def test_head_is_answered_as_get_without_the_body(server: Server, path: str) -> None:
    whole, head = (
        httpx.request(method, server.url + path, headers=bearer(server), timeout=START_SECONDS)
        for method in ("GET", "HEAD")
    )
    assert (whole.content != b"", head.content) == (True, b"")
    varies = {"date", "etag"}
    answers = [(one.status_code, {k: v for k, v in one.headers.items() if k not in varies}) for one in (whole, head)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", ["/api/openapi.json", "/traces"])
def test_gzip_is_sent_to_who_takes_it_and_caches_are_told(server: Server, path: str) -> None:
    for accepted, coding in (("gzip", "gzip"), ("gzip;q=0", None), ("br, gzip; q=0.0", None), ("gzip;q=0.5", "gzip")):
        answer = get(server.url + path, headers={**bearer(server), "accept-encoding": accepted})
        assert (answer.headers.get("content-encoding"), answer.headers["vary"]) == (coding, "Accept-Encoding")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_bare_api_address_leads_to_its_description(server: Server, method: str) -> None:
    answer = httpx.request(method, f"{server.url}/api", headers=bearer(server), timeout=START_SECONDS)
    assert answer.status_code == 307
    assert answer.headers["location"] == "/api/docs"


def test_the_description_names_addresses_that_work(server: Server) -> None:
    with httpx.Client(base_url=server.url, headers=bearer(server), timeout=START_SECONDS) as visitor:
        document = visitor.get("/api/openapi.json").json()
        assert document["servers"][0]["url"] == "/api"
        assert visitor.get(document["servers"][0]["url"] + "/tunix/status").status_code == 200
        page = visitor.get("/api/docs")
        assert page.status_code == 200
        for path in document["paths"]:
            assert f"/api{path}" in page.text
        assert "<script" not in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text


def test_a_dataset_is_streamed_through_the_whole_server(server: Server) -> None:
    rows = [{"prompt": f"{i}?", "steps": ["so"], "final_answer": str(i), "meta": {"x": "y" * 500}} for i in range(500)]
    with httpx.Client(base_url=server.url, headers=bearer(server), timeout=START_SECONDS) as visitor:
        assert visitor.post("/api/traces/batch", json=rows).json()["inserted"] == 500
        assert visitor.post("/api/datasets", json={"name": "all"}).status_code == 201
        exported = visitor.get("/api/datasets/all/1/export.jsonl").text
    assert len([json.loads(line) for line in exported.splitlines()]) == 500


def test_a_body_above_the_limit_is_refused_by_the_whole_server(tmp_path: Path) -> None:
    server = start_server(tmp_path / "home", "--no-auth", "--max-upload-mb", "1")
    kind = {"content-type": "application/x-ndjson"}
    answer = httpx.post(f"{server.url}/api/traces/batch", content=b" " * (2 << 20), headers=kind, timeout=60)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    assert server.greeting.strip().endswith(f"http://127.0.0.1:{server.port}/")
    assert not (server.home / "token").exists()
    assert server.end() == (0, "")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_neither_jax_nor_tunix_is_loaded(server: Server) -> None:
    get(f"{server.url}/api/tunix/status", headers=bearer(server))
    loaded = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "streamlit" in loaded or "pydantic_core" in loaded
    assert "jaxlib" not in loaded


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_soon_without_a_word(tmp_path: Path, number: int) -> None:
    server = start_server(tmp_path / "home")
    began = time.monotonic()
    assert server.end(number) == (0, "")
    assert time.monotonic() - began < 5


def test_a_stalled_download_does_not_keep_it_alive(tmp_path: Path) -> None:
    server = start_server(tmp_path / "home", "--no-auth", program=("-c", HASTY))
    rows = [{"prompt": f"{i}?", "steps": ["x" * 20_000], "final_answer": "1"} for i in range(2000)]
    body = "\n".join(json.dumps(row) for row in rows)
    kind = {"content-type": "application/x-ndjson"}
    assert httpx.post(f"{server.url}/api/traces/batch", content=body, headers=kind, timeout=60).status_code == 200
    assert httpx.post(f"{server.url}/api/datasets", json={"name": "all"}, timeout=60).status_code == 201
    with socket.create_connection(("127.0.0.1", server.port)) as stalled:
        stalled.sendall(b"GET /api/datasets/all/1/export.jsonl HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stalled.recv(100).startswith(b"HTTP/1.1 200")
        code, stderr = server.end(within=15)
    assert code == 0
    assert "Traceback" not in stderr
    assert "aborted" in stderr


def test_the_host_may_be_any_address_and_the_page_is_named_by_one_that_works() -> None:
    settings = Settings.from_env({"TUNIXRT_HOST": "0.0.0.0", "TUNIXRT_PORT": "9000"})
    assert address(settings, "abc") == "http://localhost:9000/?token=abc"


def test_streamlit_is_told_what_the_settings_say() -> None:
    config = streamlit_config(Settings.from_env({"TUNIXRT_MAX_UPLOAD_MB": "7"}))
    assert config["server.maxUploadSize"] == 7
    assert config["runner.postScriptGC"] is False
    assert Path(config["theme.base"]).is_file()


def test_streamlit_alone_is_configured_as_the_server_configures_it() -> None:
    with (REPOSITORY / ".streamlit" / "config.toml").open("rb") as handle:
        written = {f"{part}.{key}": value for part, keys in tomllib.load(handle).items() for key, value in keys.items()}
    config = streamlit_config(Settings.from_env({}))
    assert Path(config.pop("theme.base")) == REPOSITORY / written.pop("theme.base")
    for name in ("server.port", "logger.hideWelcomeMessage"):
        config.pop(name)
    assert written == config


@pytest.mark.tunix
@pytest.mark.slow
def test_a_run_that_trains_is_stopped_with_a_checkpoint_when_the_server_is_told_to_end(tmp_path: Path) -> None:
    server = start_server(tmp_path / "home", "--no-auth")
    with httpx.Client(base_url=f"{server.url}/api", timeout=30) as api:
        traces = [{"prompt": f"{i} + {i}?", "steps": ["so"], "final_answer": str(2 * i)} for i in range(20)]
        assert api.post("/traces/batch", json=traces).status_code == 200
        assert api.post("/datasets", json={"name": "mine"}).status_code == 201
        values = {"train_steps": 100_000, "batch_size": 4, "checkpoint_every": 100_000, "sample_prompts": 0}
        body = {"dataset": "mine", "model_id": "tiny-micro", "hyperparameters": values}
        manifest = api.post("/tunix/sft/manifest", json=body).json()["manifest"]
        run = api.post("/runs", json={"manifest": manifest}).json()
        until = time.monotonic() + 120
        while not any(r["kind"] == "train" for r in api.get(f"/runs/{run['id']}/metrics").json()["records"]):
            assert time.monotonic() < until, api.get(f"/runs/{run['id']}").text
            time.sleep(0.1)
        assert api.get("/queue").json()["holder"]["run"] == run["id"]
    code, stderr = server.end(within=60)
    assert code == 0, stderr
    folder = RunDir(Path(run["directory"]))
    state = folder.state()
    assert (state.status, state.message) == (
        RunStatus.STOPPED,
        "Stopped because the server ended; resume continues from the checkpoint.",
    )
    assert (folder.checkpoints / str(state.train_step)).is_dir()
