"""A script of plain gcloud commands for a slice of TPU VMs.

Commands: https://docs.cloud.google.com/sdk/gcloud/reference/compute/tpus/tpu-vm
"""

from __future__ import annotations

from shlex import quote

from tunixrt_core.launch.order import RUNTIMES, Order
from tunixrt_core.launch.shell import run_folder, set_up, train_on_vm

_VM = "gcloud compute tpus tpu-vm"


def document(order: Order) -> str:
    """A bash script that rents the slice, trains on all of its hosts, fetches the run and deletes the slice."""
    name, zone = quote(order.name), f"--zone={quote(order.zone or '')}"
    where = f"{name} {zone}"
    files = " ".join(quote(str(path)) for path in order.files)
    spot = " --spot" if order.spot else ""
    fetch = f"{_VM} scp --recurse {name}:{run_folder(order).replace('$HOME', '~')} . {zone} --worker=0"
    lines = [
        "#!/usr/bin/env bash",
        f"# {order.on.name}: {order.on.chips} chips, {order.on.hosts} hosts. The slice is deleted at the end,",
        "# however it ends, after the run was fetched."
        if not order.shared
        else "# however it ends. The run stays in the shared folder.",
        "set -euo pipefail",
        "finish() {",
        *([] if order.shared else [f"    {fetch} || echo 'The run could not be fetched.' >&2"]),
        f"    {_VM} delete {where} --quiet",
        "}",
        f"{_VM} create {where} --accelerator-type={order.accelerator} --version={RUNTIMES[order.on.chip.name]}{spot}",
        "trap finish EXIT",
        f"{_VM} scp {files} {name}:~/ {zone} --worker=all",
        f"{_VM} ssh {where} --worker=all --command={quote(set_up(order))}",
        f"{_VM} ssh {where} --worker=all --command={quote(train_on_vm(order))}",
    ]
    return "\n".join(lines) + "\n"


def steps(order: Order, file: str) -> list[str]:
    """The command that does it all."""
    return [f"bash {file}"]
