"""The RayJob is valid by KubeRay's own definition, without a field that it does not have, and asks for the slice."""

from __future__ import annotations

import hashlib
import lzma
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.training.launch.conftest import Plan
from tests.training.launch.test_shell import run
from tunixrt_core.jobs.ray_cluster.address import Cluster
from tunixrt_core.training.launch import kuberay
from tunixrt_core.training.launch.shell import MOUNT
from tunixrt_core.util.files.yaml import load_yaml

FILE = REPOSITORY / "tests" / "data" / "kuberay" / "ray.io_rayjobs.yaml.xz"


@cache
def definition() -> dict[str, Any]:
    """The schema of version v1, which refuses unknown fields as `kubectl --validate=strict` does."""
    text = lzma.decompress(FILE.read_bytes())
    assert hashlib.sha256(text).hexdigest() in FILE.with_name("README.md").read_text()
    read = yaml.load(text, yaml.CSafeLoader)  # it is larger than what `load_yaml` reads of a user
    (version,) = (each for each in read["spec"]["versions"] if each["name"] == "v1")
    found = version["schema"]["openAPIV3Schema"]
    close(found)
    return dict(found)


def close(schema: dict[str, Any]) -> None:
    """Of apiVersion and metadata the API server itself knows the fields."""
    if "properties" in schema:
        schema["additionalProperties"] = False
    for each in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(each, dict):
            close(each)


def faults(document: dict[str, Any]) -> list[str]:
    named = {name: value for name, value in document.items() if name != "metadata"}
    return [f"{each.json_path}: {each.message}" for each in jsonschema.Draft7Validator(definition()).iter_errors(named)]


@pytest.mark.parametrize(
    ("on", "hosts", "chips", "topology"),
    [
        ("v5e-1", 1, 1, "1x1"),
        ("v5e-8", 1, 8, "2x4"),
        ("v6e-16", 4, 4, "4x4"),
        ("v5p-8", 1, 4, "2x2x1"),
        ("7x-16", 2, 4, "2x2x2"),
    ],
)
def test_a_worker_per_host_asks_for_its_chips_on_a_node_of_the_slice(
    planned: Plan, on: str, hosts: int, chips: int, topology: str
) -> None:
    written = load_yaml(planned("kuberay", on, {"batch_size": 1}, spot=True).document)
    assert faults(written) == []
    cluster = written["spec"]["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    pod = group["template"]["spec"]
    assert (group["numOfHosts"], group["replicas"], group["maxReplicas"]) == (hosts, 1, 1)
    assert pod["containers"][0]["resources"]["limits"] == {"google.com/tpu": chips}
    assert pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == topology
    assert pod["nodeSelector"]["cloud.google.com/gke-spot"] == "true"
    head = cluster["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0", "nothing trains on the head"
    assert "nodeSelector" not in head["template"]["spec"]


def test_a_wrong_field_and_a_wrong_value_are_found_by_their_path(planned: Plan) -> None:
    written = load_yaml(planned("kuberay", "v6e-16").document)
    cluster = written["spec"]["rayClusterSpec"]
    cluster["workerGroupSpecs"][0]["numHosts"] = cluster["workerGroupSpecs"][0].pop("numOfHosts")
    cluster["authOptions"]["mode"] = "tokens"
    del cluster["headGroupSpec"]
    said = " ".join(faults(written))
    assert "'numHosts' was unexpected" in said
    assert "$.spec.rayClusterSpec.authOptions.mode: 'tokens' is not one of" in said
    assert "'headGroupSpec' is a required property" in said


def test_the_head_trains_on_the_slice_of_its_cluster_and_a_job_that_is_tried_again_resumes(
    planned: Plan, tmp_path: Path
) -> None:
    order = planned("kuberay", "v6e-16").order
    shell, option, script = shlex.split(load_yaml(kuberay.document(order))["spec"]["entrypoint"])
    assert (shell, option) == ("bash", "-c")
    lines = script.replace(MOUNT, str(tmp_path)).replace("$(hostname -i)", "10.0.0.9") + '\necho "$TUNIXRT_EXECUTOR"'
    command = f"{tmp_path} train run.yaml --output-dir {tmp_path}/dial-v2 --processes 4"
    said, address = run(lines, tmp_path).splitlines()
    assert said.strip() == command
    cluster = Cluster.parse(address)
    assert (cluster.processes(4), cluster.takes["TPU"]) == (4, order.chips_per_host)
    (tmp_path / "dial-v2").mkdir()
    (tmp_path / "dial-v2" / "state.json").touch()
    assert run(lines, tmp_path).splitlines()[0] == f"{command} --resume"


def test_its_ray_is_that_of_the_extra() -> None:
    assert f'ray = ["ray[default]=={kuberay.RAY}"]' in (REPOSITORY / "pyproject.toml").read_text()
