"""The lines that each host runs, run by bash: each finds its place, and a host that comes back resumes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.training.launch.conftest import Plan
from tunixrt_core.training.launch.gcloud import document as gcloud_script
from tunixrt_core.training.launch.shell import MOUNT, train_in_pod, train_on_vm

# a TPU VM's metadata server, in both forms that JAX knows, and the command, which repeats its words
CURL = """#!/bin/bash
case "${@: -1}" in
  */agent-worker-number) echo 2;;
  */worker-network-endpoints) echo "$ENDPOINTS";;
  *) exit 22;;
esac
"""
ECHO = '#!/bin/bash\necho "$PWD $*"\n'
SEVERAL = "--processes 4 --process-index 2 --coordinator 10.0.0.5:8476"


def run(lines: str, home: Path, **environ: str) -> str:
    (home / "bin").mkdir(exist_ok=True)
    (home / "tunixrt" / "bin").mkdir(parents=True, exist_ok=True)
    for file, text in (
        (home / "bin" / "curl", CURL),
        (home / "bin" / "tunixrt", ECHO),
        (home / "tunixrt" / "bin" / "tunixrt", ECHO),
    ):
        file.write_text(text)
        file.chmod(0o755)
    environ = {"HOME": str(home), "PATH": f"{home / 'bin'}:/usr/bin:/bin", **environ}
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("endpoints", ["10.0.0.5,10.0.0.6", "unknown:8470:10.0.0.5,unknown:8470:10.0.0.6"])
def test_a_host_of_a_slice_finds_its_index_and_the_first_host(planned: Plan, tmp_path: Path, endpoints: str) -> None:
    said = run(train_on_vm(planned("gcloud", "v5e-16").order), tmp_path, ENDPOINTS=endpoints)
    assert said == f"{tmp_path} train run.yaml --output-dir {MOUNT}/dial-v2 {SEVERAL}"


def test_a_container_of_gke_finds_both_in_its_variables(planned: Plan, tmp_path: Path) -> None:
    lines = train_in_pod(planned("gke", "v5e-16").order).replace(MOUNT, str(tmp_path))
    said = run(lines, tmp_path, TPU_WORKER_ID="2", TPU_WORKER_HOSTNAMES="10.0.0.5,b,c,d")
    assert said == f"{tmp_path} train run.yaml --output-dir {tmp_path}/dial-v2 {SEVERAL}"


def test_one_host_needs_no_place_and_resumes_where_a_run_is(planned: Plan, tmp_path: Path) -> None:
    lines = train_on_vm(planned("gcloud", "v5e-4", shared=None).order)
    assert run(lines, tmp_path) == f"{tmp_path} train run.yaml --output-dir {tmp_path}/dial-v2"
    (tmp_path / "dial-v2").mkdir()
    (tmp_path / "dial-v2" / "state.json").touch()
    assert run(lines, tmp_path).endswith("--resume")


@pytest.mark.parametrize(("shared", "fetched"), [(None, True), ("10.0.0.2:/tunixrt", False)])
def test_the_script_of_gcloud_deletes_the_slice_however_it_ends(
    planned: Plan, tmp_path: Path, shared: str | None, fetched: bool
) -> None:
    done, verbs = with_gcloud(tmp_path, gcloud_script(planned("gcloud", "v5e-8", shared=shared).order), " train ")
    assert done.returncode == 1
    assert verbs == ["create", "scp", "ssh", "ssh", *(["scp"] if fetched else []), "delete"]


def test_a_slice_whose_run_cannot_be_fetched_is_kept(planned: Plan, tmp_path: Path) -> None:
    script = gcloud_script(planned("gcloud", "v5e-8", shared=None).order)
    done, verbs = with_gcloud(tmp_path, script, " --recurse ")
    assert verbs == ["create", "scp", "ssh", "ssh", "scp"]
    assert "The slice is kept, and costs." in done.stderr
    assert "tpu-vm delete" in done.stderr


def test_a_slice_that_never_trained_is_deleted(planned: Plan, tmp_path: Path) -> None:
    _, verbs = with_gcloud(tmp_path, gcloud_script(planned("gcloud", "v5e-8", shared=None).order), " venv ")
    assert verbs == ["create", "scp", "ssh", "delete"]


def with_gcloud(folder: Path, script: str, fails: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run it with a gcloud that notes its words, and fails where they have `fails`. Its commands."""
    noted = folder / "noted"
    (folder / "bin").mkdir()
    gcloud = folder / "bin" / "gcloud"
    gcloud.write_text(f'#!/bin/bash\necho "$4 $5" >> {noted}\n[[ "$*" != *"{fails}"* ]]\n')
    gcloud.chmod(0o755)
    environ = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", script], env=environ, cwd=folder, capture_output=True, text=True)
    return done, [line.split()[0] for line in noted.read_text().splitlines()]
