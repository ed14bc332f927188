"""Shell lines that every host of a slice runs."""

from __future__ import annotations

from shlex import quote

from tunixrt_core.training.launch.order import Order

PORT = 8476  # of the coordinator, on process 0
MOUNT = "/mnt/tunixrt"  # where the shared folder is on each host
_BIN = "$HOME/tunixrt/bin"
# a host that was taken away and came back continues from the last checkpoint
_RESUME = 'RESUME=""; if [ -e "$RUN/state.json" ]; then RESUME=--resume; fi'
# The index of a host in its slice and the address of the first host, as JAX finds them on a TPU VM
# (jax/_src/clusters/cloud_tpu_cluster.py): endpoints are host names, or name:id:address.
_OF_VM = """\
about() { curl -sf -H 'Metadata-Flavor: Google' \
"http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"; }
INDEX=$(about agent-worker-number)
FIRST=$(about worker-network-endpoints | cut -d, -f1 | awk -F: '{print $NF}')"""
# GKE tells both to each container of a slice of several hosts.
_OF_POD = """\
INDEX=$TPU_WORKER_ID
FIRST=$(echo "$TPU_WORKER_HOSTNAMES" | cut -d, -f1)"""


def set_up(order: Order) -> str:
    """What a new TPU VM needs: Python 3.12 and the package, and the shared folder if there is one."""
    lines = [
        "set -eu",
        "python3 -m pip install --quiet --user uv",
        '"$HOME/.local/bin/uv" venv --quiet --python 3.12 "$HOME/tunixrt"',
        f'"$HOME/.local/bin/uv" pip install --quiet --python "{_BIN}/python" {quote(order.install)}',
    ]
    if order.shared:
        lines += [
            "sudo apt-get install -y -qq nfs-common",
            f"sudo mkdir -p {MOUNT}",
            f"mountpoint -q {MOUNT} || sudo mount -t nfs {quote(order.shared)} {MOUNT}",
        ]
    return "\n".join(lines)


def train_on_vm(order: Order, folder: str = "$HOME") -> str:
    """Train on a host of TPU VMs; `folder` holds the manifest and its data file."""
    return _train(order, f'"{_BIN}/tunixrt"', folder, _OF_VM)


def train_in_pod(order: Order) -> str:
    """Train in a container of GKE, with manifest and data file in the shared folder."""
    return _train(order, "tunixrt", MOUNT, _OF_POD)


def train_on_cluster(order: Order) -> str:
    """Train from the head of a Ray cluster on the slice that its workers have; all pods share the folder."""
    lines = [
        "set -eu",
        f'cd "{MOUNT}"',
        f'RUN="{run_folder(order)}"',
        f'export TUNIXRT_EXECUTOR="ray://$(hostname -i):6379?slice={order.on.name}"',
        _RESUME,
        f'tunixrt train {quote(order.manifest)} --output-dir "$RUN" --processes {order.on.hosts} $RESUME',
    ]
    return "\n".join(lines)


def run_folder(order: Order) -> str:
    """The folder of the run: the shared one, or of the only host."""
    return f"{MOUNT}/{order.name}" if order.shared else f"$HOME/{order.name}"


def _train(order: Order, command: str, folder: str, place: str) -> str:
    lines = ["set -eu", f'cd "{folder}"', f'RUN="{run_folder(order)}"']
    several = ""
    if order.on.hosts > 1:
        lines += place.split("\n")
        several = f' --processes {order.on.hosts} --process-index "$INDEX" --coordinator "$FIRST:{PORT}"'
    lines += [
        _RESUME,
        f'{command} train {quote(order.manifest)} --output-dir "$RUN"{several} $RESUME',
    ]
    return "\n".join(lines)
