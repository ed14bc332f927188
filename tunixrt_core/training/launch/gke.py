"""A JobSet for TPU slices of Google Kubernetes Engine.

Labels: https://docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus; fields of the JobSet, v1alpha2:
https://jobset.sigs.k8s.io/docs/reference/jobset.v1alpha2/
"""

from __future__ import annotations

from shlex import quote
from typing import Any

from tunixrt_core.training.launch.order import Order
from tunixrt_core.training.launch.shell import MOUNT, PORT, train_in_pod
from tunixrt_core.util.files.yaml import block_yaml

LABELS = {
    "v4": "tpu-v4-podslice",
    "v5e": "tpu-v5-lite-podslice",
    "v5p": "tpu-v5p-slice",
    "v6e": "tpu-v6e-slice",
    "7x": "tpu7x",
}
RESTARTS = 3  # of the whole slice, when a host of it is taken away


def document(order: Order) -> str:
    """The JobSet as YAML: one Job, a pod per host of the slice, all of them started again when one ends badly."""
    hosts = order.on.hosts
    job = {
        "parallelism": hosts,
        "completions": hosts,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "template": {"spec": _pod(order)},
    }
    return block_yaml(
        {
            "apiVersion": "jobset.x-k8s.io/v1alpha2",
            "kind": "JobSet",
            "metadata": {
                "name": order.name,
                "annotations": {"alpha.jobset.sigs.k8s.io/exclusive-topology": "cloud.google.com/gke-nodepool"},
            },
            "spec": {
                "failurePolicy": {"maxRestarts": RESTARTS},
                "network": {"enableDNSHostnames": True},
                "replicatedJobs": [{"name": "slice", "replicas": 1, "template": {"spec": job}}],
            },
        }
    )


def _pod(order: Order) -> dict[str, Any]:
    chips = {"google.com/tpu": order.chips_per_host}
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 120,  # a run that is stopped saves a checkpoint first
        "nodeSelector": node_selector(order),
        "securityContext": {"runAsUser": 0},  # the device files of TPUs are root's
        "containers": [
            {
                "name": "train",
                "image": order.image,
                "command": ["bash", "-c", train_in_pod(order)],
                "env": [{"name": "TUNIXRT_HOME", "value": "/tmp/tunixrt"}],
                "ports": [{"containerPort": PORT}],
                "resources": {"requests": chips, "limits": chips},
                "volumeMounts": [{"name": "shared", "mountPath": MOUNT}],
            }
        ],
        "volumes": shared_volumes(order),
    }


def node_selector(order: Order) -> dict[str, str]:
    """The labels of the nodes of a slice."""
    return {
        "cloud.google.com/gke-tpu-accelerator": LABELS[order.on.chip.name],
        "cloud.google.com/gke-tpu-topology": "x".join(str(size) for size in order.on.shape),
        **({"cloud.google.com/gke-spot": "true"} if order.spot else {}),
    }


def shared_volumes(order: Order) -> list[dict[str, Any]]:
    """The claim that all pods mount as `shared`."""
    return [{"name": "shared", "persistentVolumeClaim": {"claimName": order.shared}}]


def copies(order: Order) -> list[str]:
    """The commands that copy what a run needs into the claim, by any pod that mounts it."""
    return [f"kubectl cp {quote(str(path))} POD:{MOUNT}/{path.name}" for path in order.files]


def steps(order: Order, file: str) -> list[str]:
    """The commands that start it, follow it, and end the costs."""
    return [
        *copies(order),
        f"kubectl apply --dry-run=server -f {file}",
        f"kubectl apply -f {file}",
        f"kubectl logs -f -l jobset.sigs.k8s.io/jobset-name={order.name},batch.kubernetes.io/job-completion-index=0",
        f"kubectl delete -f {file}",
    ]
