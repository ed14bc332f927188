"""A RayJob of KubeRay: a Ray cluster on a TPU slice, for one run.

Fields: https://github.com/ray-project/kuberay/blob/v1.7.0/ray-operator/config/crd/bases/ray.io_rayjobs.yaml; KubeRay
makes the resource TPU of google.com/tpu, a token and its variables of authOptions.
"""

from __future__ import annotations

from shlex import quote
from typing import Any

from tunixrt_core.training.launch.gke import copies, node_selector, shared_volumes
from tunixrt_core.training.launch.order import Order
from tunixrt_core.training.launch.shell import MOUNT, train_on_cluster
from tunixrt_core.util.files.yaml import block_yaml

RAY = "2.60.0"  # as of the extra `ray`
RETRIES = 3  # of the whole job, each with a new cluster
_HEAD_PORTS = {"gcs-server": 6379, "dashboard": 8265, "client": 10001}
_HEAD_TAKES = {"cpu": "2", "memory": "8Gi"}


def document(order: Order) -> str:
    """The RayJob as YAML: a head without a TPU that runs the command, and a worker per host of the slice."""
    chips = {"google.com/tpu": order.chips_per_host}
    slice_ = {
        "groupName": "slice",
        "replicas": 1,
        "minReplicas": 1,
        "maxReplicas": 1,
        "numOfHosts": order.on.hosts,
        "rayStartParams": {"num-cpus": "1"},
        "template": {"spec": {"nodeSelector": node_selector(order), **_pod(order, "ray-worker", chips)}},
    }
    head = {
        "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},
        "template": {"spec": _pod(order, "ray-head", _HEAD_TAKES, ports=_HEAD_PORTS)},
    }
    cluster = {
        "rayVersion": RAY,
        "authOptions": {"mode": "token"},
        "headGroupSpec": head,
        "workerGroupSpecs": [slice_],
    }
    return block_yaml(
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {"name": order.name},
            "spec": {
                "entrypoint": f"bash -c {quote(train_on_cluster(order))}",
                "backoffLimit": RETRIES,
                "shutdownAfterJobFinishes": True,
                "rayClusterSpec": cluster,
            },
        }
    )


def _pod(order: Order, name: str, takes: dict[str, Any], ports: dict[str, int] | None = None) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": order.image,
        # one home for all pods, as the run and its models are read and written by each
        "env": [{"name": "TUNIXRT_HOME", "value": f"{MOUNT}/home"}],
        "resources": {"requests": takes, "limits": takes},
        "volumeMounts": [{"name": "shared", "mountPath": MOUNT}],
    }
    if ports:
        container["ports"] = [{"name": each, "containerPort": port} for each, port in ports.items()]
    return {
        "terminationGracePeriodSeconds": 120,  # a run that is stopped saves a checkpoint first
        "securityContext": {"runAsUser": 0},  # the device files of TPUs are root's
        "containers": [container],
        "volumes": shared_volumes(order),
    }


def steps(order: Order, file: str) -> list[str]:
    """The commands that start it, follow it, and end the costs."""
    return [
        *copies(order),
        f"kubectl apply --dry-run=server -f {file}",
        f"kubectl apply -f {file}",
        f"kubectl logs -f -l job-name={order.name}",
        f"kubectl delete -f {file}",
    ]
