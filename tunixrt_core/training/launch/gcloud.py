"""A script of plain gcloud commands for a slice of TPU VMs.

Commands: https://docs.cloud.google.com/sdk/gcloud/reference/compute/tpus/tpu-vm
"""

from __future__ import annotations

from shlex import quote

from tunixrt_core.training.launch.order import RUNTIMES, Order
from tunixrt_core.training.launch.shell import run_folder, set_up, train_on_vm

_VM = "gcloud compute tpus tpu-vm"


def document(order: Order) -> str:
    """A bash script that rents the slice, trains on all of its hosts, fetches the run and deletes the slice."""
    name, zone = quote(order.name), f"--zone={quote(order.zone or '')}"
    where = f"{name} {zone}"
    files = " ".join(quote(str(path)) for path in order.files)
    spot = " --spot" if order.spot else ""
    fetch = f"{_VM} scp --recurse {name}:{run_folder(order).replace('$HOME', '~')} . {zone} --worker=0"
    delete = f"{_VM} delete {where} --quiet"
    lines = [
        "#!/usr/bin/env bash",
        f"# {order.on.name}: {order.on.chips} chips, {order.on.hosts} hosts. {_at_the_end(order)}",
        "set -euo pipefail",
        "trained=",
        "finish() {",
        *([] if order.shared else _fetched(fetch, delete)),
        f"    {delete}",
        "}",
        f"{_VM} create {where} --accelerator-type={order.accelerator} --version={RUNTIMES[order.on.chip.name]}{spot}",
        "trap finish EXIT",
        f"{_VM} scp {files} {name}:~/ {zone} --worker=all",
        f"{_VM} ssh {where} --worker=all --command={quote(set_up(order))}",
        "trained=yes",
        f"{_VM} ssh {where} --worker=all --command={quote(train_on_vm(order))}",
    ]
    return "\n".join(lines) + "\n"


def _at_the_end(order: Order) -> str:
    if order.shared:
        return "The slice is deleted at the end, however it ends. The run stays in the shared folder."
    return "The run is fetched at the end, however it ends, and then the slice is deleted."


def _fetched(fetch: str, delete: str) -> list[str]:
    """Lines that keep the slice, and say so, where a run was begun and cannot be fetched: it would be lost with it."""
    return [
        f'    if [ -n "$trained" ] && ! {fetch}; then',
        "        echo 'The run could not be fetched. The slice is kept, and costs. Fetch the run, then delete it:' >&2",
        f"        echo {quote(fetch)} >&2",
        f"        echo {quote(delete)} >&2",
        "        return",
        "    fi",
    ]


def steps(order: Order, file: str) -> list[str]:
    """The command that does it all."""
    return [f"bash {file}"]
