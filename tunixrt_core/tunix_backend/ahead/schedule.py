"""Programs compiled up to their schedule and their buffers, without machine code."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from tunixrt_core.tunix_backend.ahead.hlo_text import HBM

_LOOK = 0.2  # seconds between looks for the compiler's files
_SIGN = ".after_optimizations_after_buffer_assignment.txt"  # written last of the files that are read
_ALLOCATION = re.compile(r"^allocation \d+: size (\d+)(?:, color (\d+))?, (.*)$", re.MULTILINE)
# the two ways in which the compiler says how much a program needs, arguments included
_USED = re.compile(
    r"(?:[Uu]sed (?P<used>[\d.]+[KMGT]?) of [\d.]+[KMGT]? hbm|\((?P<needs>[\d.]+[KMGT]?)\) exceeds available HBM)"
)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class NotEnoughMemory(Exception):
    """The compiler refuses a program. `needed` bytes of HBM with arguments; 0 where it names none."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.needed = needed_bytes(sentence)


@dataclass(frozen=True, slots=True)
class Buffers:
    """Bytes in HBM. `passed`: arguments and results, once where a result takes the place of an argument."""

    temporary: int
    passed: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program: its text in the order of the schedule, its buffers, and how its results are laid out."""

    text: str
    buffers: Buffers
    output_shardings: Callable[[Any], Any]  # from the devices to a tree like the results


Compile = Callable[[Any], Compiled]


def compile_whole(lowered: Any) -> Compiled:
    """Compile to machine code. Raises NotEnoughMemory."""
    compiled = _refusing(lowered.compile)
    counted = compiled.memory_analysis()
    passed = counted.argument_size_in_bytes + counted.output_size_in_bytes - counted.alias_size_in_bytes
    buffers = Buffers(counted.temp_size_in_bytes, passed)
    return Compiled(compiled.as_text(), buffers, lambda devices: compiled.output_shardings)


class Scheduler:
    """Compiles for TPUs and stops when a program is scheduled: what follows, machine code, takes most of the time.

    XLA writes its files into `folder`, which the environment of this process names (`compiler_environ`). The thread of
    a program goes on to machine code although nothing waits for it, so the process has to end by `os._exit`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[Path] = set()

    def __call__(self, lowered: Any) -> Compiled:
        """Raises NotEnoughMemory."""
        compiling = ThreadPoolExecutor(1).submit(_refusing, lowered.compile)
        while True:
            over = compiling.done()
            if (found := self._found()) is not None:
                return _read(found, lowered)
            if over:
                compiling.result()  # raises what the compiler did
                raise RuntimeError(f"XLA has written no schedule to {self._folder}")
            wait([compiling], timeout=_LOOK)

    def _found(self) -> Path | None:
        """The file of a program that was not seen before. Programs for the CPU have no such file."""
        for path in self._folder.glob(f"*{_SIGN}"):
            if path not in self._seen:
                self._seen.add(path)
                return path
        return None


def _read(sign: Path, lowered: Any) -> Compiled:
    start = str(sign)[: -len(_SIGN)] + ".after_optimizations"
    text = Path(f"{start}.txt").read_text(encoding="utf-8")
    buffers = read_buffers(Path(f"{start}-buffer-assignment.txt").read_text(encoding="utf-8"))
    module = Path(f"{start}.hlo.pb")
    return Compiled(text, buffers, lambda devices: _output_shardings(module, lowered, devices))


def read_buffers(text: str) -> Buffers:
    """The sums of XLA's buffer assignment. Other memories of the chip have a colour."""
    temporary = passed = 0
    for size, color, kind in _ALLOCATION.findall(text):
        if int(color or HBM) != HBM:
            continue
        if "preallocated-temp" in kind:
            temporary += int(size)
        elif "parameter" in kind or "maybe-live-out" in kind:
            passed += int(size)
    return Buffers(temporary, passed)


def _output_shardings(file: Path, lowered: Any, devices: Any) -> Any:
    """How the compiler lays out the results of a program, from the module that it was optimised to."""
    from jax._src.sharding_impls import GSPMDSharding
    from jaxlib import _hlo

    module = _hlo.HloModule.from_serialized_hlo_module_proto(_first_field(file.read_bytes()))
    parts = module.spmd_output_sharding.tuple_shardings
    every = tuple(devices)
    return jax.tree.unflatten(lowered.out_tree, [GSPMDSharding(every, part) for part in parts])


def _first_field(message: bytes) -> bytes:
    """The value of field 1 of a protocol buffer message, which HloProto has first: its module."""
    size = shift = 0
    for place in range(1, 11):
        size |= (message[place] & 0x7F) << shift
        shift += 7
        if message[place] < 0x80:
            return message[place + 1 : place + 1 + size]
    raise ValueError("no protocol buffer message")


def _refusing(compile_: Callable[[], Any]) -> Any:
    try:
        return compile_()
    except jax.errors.JaxRuntimeError as error:
        text = str(error)
        if "RESOURCE_EXHAUSTED" not in text:
            raise
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        raise NotEnoughMemory(next((line for line in lines if _USED.search(line)), lines[0])[:400]) from None


def needed_bytes(sentence: str) -> int:
    """Bytes that the compiler names as needed; 0 where it names none."""
    found = _USED.search(sentence)
    if found is None:
        return 0
    text = found["used"] or found["needs"]
    return int(float(text.rstrip("KMGT")) * _UNITS[text.lstrip("0123456789.")])
