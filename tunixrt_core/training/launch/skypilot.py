"""A task of SkyPilot.

Its fields: https://docs.skypilot.co/en/latest/reference/yaml-spec.html
"""

from __future__ import annotations

from typing import Any

from tunixrt_core.training.launch.order import RUNTIMES, Order
from tunixrt_core.training.launch.shell import set_up, train_on_vm
from tunixrt_core.util.files.yaml import block_yaml

_FILES = "tunixrt-files"


def document(order: Order) -> str:
    """The task as YAML. SkyPilot runs `setup` and `run` on every host of a slice; `num_nodes` counts slices."""
    resources: dict[str, Any] = {
        "infra": f"gcp/*/{order.zone}" if order.zone else "gcp",
        "accelerators": f"tpu-{order.accelerator}",
        "accelerator_args": {"runtime_version": RUNTIMES[order.on.chip.name], "tpu_vm": True},
        **({"use_spot": True} if order.spot else {}),
    }
    return block_yaml(
        {
            "name": order.name,
            "resources": resources,
            "num_nodes": 1,
            "file_mounts": {f"~/{_FILES}/{path.name}": str(path) for path in order.files},
            "setup": set_up(order) + "\n",
            "run": train_on_vm(order, f"$HOME/{_FILES}") + "\n",
        }
    )


def steps(order: Order, file: str) -> list[str]:
    """The commands that start it, follow it, and end the costs."""
    kind = "jobs launch" if order.spot else f"launch -c {order.name}"
    if order.spot:
        return [f"sky {kind} {file}", "sky jobs queue", f"sky jobs cancel -n {order.name}"]
    fetch = [] if order.shared else [f"rsync -a {order.name}:{order.name} ."]
    return [f"sky {kind} {file}", f"sky logs {order.name}", *fetch, f"sky down {order.name}"]
