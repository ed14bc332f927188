"""The JobSet for GKE has the fields of its documented schema and no other, and asks for the whole slice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.launch.conftest import Plan
from tunixrt_core.training.ahead.chips import CHIPS
from tunixrt_core.training.launch import gke
from tunixrt_core.util.files.yaml import load_yaml

# The part of JobSet v1alpha2, Job v1 and Pod v1 that is written here, by their reference pages; a value that is a
# dict of types names all fields there may be. The JobSet of jobset's own resource definition was valid too.
TEXTS = "map of texts"
CONTAINER = {
    "name": str,
    "image": str,
    "command": [str],
    "env": [{"name": str, "value": str}],
    "ports": [{"containerPort": int}],
    "resources": {"requests": {"google.com/tpu": int}, "limits": {"google.com/tpu": int}},
    "volumeMounts": [{"name": str, "mountPath": str}],
}
POD = {
    "restartPolicy": str,
    "terminationGracePeriodSeconds": int,
    "nodeSelector": TEXTS,
    "securityContext": {"runAsUser": int},
    "containers": [CONTAINER],
    "volumes": [{"name": str, "persistentVolumeClaim": {"claimName": str}}],
}
JOB = {"parallelism": int, "completions": int, "completionMode": str, "backoffLimit": int, "template": {"spec": POD}}
JOBSET = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str, "annotations": TEXTS},
    "spec": {
        "failurePolicy": {"maxRestarts": int},
        "network": {"enableDNSHostnames": bool},
        "replicatedJobs": [{"name": str, "replicas": int, "template": {"spec": JOB}}],
    },
}


def wrong(value: Any, schema: Any, where: str = "") -> list[str]:
    if schema == TEXTS:
        schema = dict.fromkeys(value, str)
    if isinstance(schema, dict):
        faults = [f"{where}.{name}" for name in value if name not in schema]
        return faults + [
            f for name in value if name in schema for f in wrong(value[name], schema[name], f"{where}.{name}")
        ]
    if isinstance(schema, list):
        return [f for i, each in enumerate(value) for f in wrong(each, schema[0], f"{where}[{i}]")]
    return [] if type(value) is schema else [f"{where} is {value!r}"]


@pytest.mark.parametrize(
    ("on", "hosts", "chips", "topology"),
    [
        ("v5e-1", 1, 1, "1x1"),
        ("v5e-8", 1, 8, "2x4"),
        ("v5e-16", 4, 4, "4x4"),
        ("v6e-256", 64, 4, "16x16"),
        ("v5p-8", 1, 4, "2x2x1"),
        ("7x-16", 2, 4, "2x2x2"),
    ],
)
def test_a_pod_per_host_asks_for_its_chips_on_a_node_of_the_slice(
    planned: Plan, on: str, hosts: int, chips: int, topology: str
) -> None:
    written = load_yaml(planned("gke", on, {"batch_size": 1}).document)
    assert wrong(written, JOBSET) == []
    (job,) = written["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    pod = spec["template"]["spec"]
    assert (spec["parallelism"], spec["completions"], spec["completionMode"]) == (hosts, hosts, "Indexed")
    assert pod["containers"][0]["resources"]["limits"] == {"google.com/tpu": chips}
    assert pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == topology
    assert pod["nodeSelector"]["cloud.google.com/gke-tpu-accelerator"] == gke.LABELS[on.partition("-")[0]]


def test_a_field_that_there_is_none_would_be_found() -> None:
    assert wrong({"kind": "JobSet", "spec": {"failurePolicy": {"maxRestarts": "3"}, "paralelism": 1}}, JOBSET) == [
        ".spec.paralelism",
        ".spec.failurePolicy.maxRestarts is '3'",
    ]


def test_every_chip_has_its_label() -> None:
    assert set(gke.LABELS) == set(CHIPS)
