"""The TPU compiler: whether it is installed, and the environment that it needs."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from tunixrt_core.errors import CompilerMissing
from tunixrt_core.tunix_backend.availability import require_tunix

INSTALL = 'pip install "tunix-rt[aot]"'
PACKAGES = ("google-tunix", "jax", "jaxlib", "libtpu", "qwix", "flax")  # that decide what is compiled


def require_compiler() -> None:
    """Raises CompilerMissing where libtpu is not installed or cannot be, and TunixMissing without Tunix."""
    require_tunix()
    try:
        installed = metadata.version("libtpu")
    except metadata.PackageNotFoundError:
        system, machine = sys.platform, platform.machine()
        if system != "linux" or machine != "x86_64":
            raise CompilerMissing(
                f"libtpu: the TPU compiler exists for Linux on x86-64, and this is {system} on {machine}. "
                "Use the closed form, --device, or another machine."
            ) from None
        raise CompilerMissing(
            f"libtpu: the TPU compiler is not installed. Install it with: {INSTALL}", details={"install": INSTALL}
        ) from None
    wanted = _version_for_jax()
    if wanted is not None and not f"{installed}.".startswith(wanted):
        raise CompilerMissing(
            f"libtpu: {installed} is installed, and JAX {metadata.version('jax')} reads the programs of {wanted}* "
            f"only. Install it with: {INSTALL}",
            details={"install": INSTALL},
        )


def _version_for_jax() -> str | None:
    """How the version of libtpu begins that the installed JAX names in its extra `tpu`, such as `0.0.42.`."""
    for requirement in metadata.requires("jax") or ():
        if found := re.match(r"libtpu\s*==\s*([\d.]+)\*", requirement):
            return found[1]
    return None


def compiler_available() -> bool:
    """Whether programs can be compiled for TPU slices on this machine."""
    try:
        require_compiler()
    except ImportError:
        return False
    return True


def versions() -> dict[str, str]:
    """The versions of the packages that decide what is compiled. Without one that is not installed."""
    for package in PACKAGES:
        if package in _found:
            continue
        try:
            _found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return dict(_found)


_found: dict[str, str] = {}  # a page asks at every rerun, and an installed package stays installed


def compiler_environ(environ: Mapping[str, str], folder: Path | None = None) -> dict[str, str]:
    """The environment of a process that compiles for a TPU and uses none, whatever this machine has.

    XLA writes what it compiles into `folder`, each file before the next pass begins.

    libtpu would ask Google's metadata server what machine it is on, and let one process at a time use it.
    """
    ours = {
        "JAX_PLATFORMS": "cpu",
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_ACCELERATOR_TYPE": "v5litepod-4",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_WORKER_ID": "0",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TPU_STDERR_LOG_LEVEL": "3",
    }
    if folder is not None:
        ours["XLA_FLAGS"] = f"--xla_dump_to={folder} --xla_dump_hlo_as_text --xla_dump_hlo_as_proto"
    left_out = ("JAX_NUM_CPU_DEVICES", "JAX_COORDINATOR_ADDRESS", "XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR")
    return {name: value for name, value in environ.items() if name not in left_out} | ours
