"""Work of a compiled program: arithmetic, HBM traffic and collectives."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tunixrt_core.tunix_backend.ahead.hlo_flops import matmul_flops
from tunixrt_core.tunix_backend.ahead.hlo_text import Array, Computation, Instruction, Program

KERNEL = "tpu_custom_call"  # target of a kernel that was written in Pallas

COLLECTIVES = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute")
_FREE = frozenset(
    {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "replica-id"}
    | {"iota", "opt-barrier"}
)
# custom calls that name, place or describe a buffer and move nothing
_NAMES = ("AllocateBuffer", "AssumeGatherIndicesInBound", "ConcatBitcast", "Sharding", "SPMD", "PinTo", "annotate")
_SLICES = ("dynamic-slice", "slice", "gather")


@dataclass(slots=True)
class Kernel:
    """Calls of one kernel: the name that JAX gave it, and its operands and results."""

    name: str
    calls: int
    operands: tuple[Array, ...]
    results: tuple[Array, ...]


@dataclass(slots=True)
class Work:
    """Of one device. `flops` are those of matrix products; bodies of loops count as often as they run.

    `hbm` are bytes read and written, without those of VMEM. `links` are bytes that a device receives, by collective;
    `looped` how often a collective runs inside of a loop. `open_loops`: bodies with an unknown number of runs, counted
    once.
    """

    flops: float = 0.0
    hbm: float = 0.0
    links: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    looped: Counter[str] = field(default_factory=Counter)
    kernels: list[Kernel] = field(default_factory=list)
    open_loops: int = 0

    def add(self, other: Work, times: int = 1) -> None:
        self.flops += times * other.flops
        self.hbm += times * other.hbm
        for name, moved in other.links.items():
            self.links[name] += times * moved
        for name, count in other.looped.items():
            self.looped[name] += times * count
        self.kernels += [Kernel(k.name, k.calls * times, k.operands, k.results) for k in other.kernels]
        self.open_loops += other.open_loops


def work_of(program: Program, devices: int) -> Work:
    """The work of one device of `devices` that run this program."""
    return _Counter(program, devices).computation(program.entry, looped=False)


class _Counter:
    def __init__(self, program: Program, devices: int) -> None:
        self._program = program
        self._devices = devices

    def computation(self, computation: Computation, *, looped: bool) -> Work:
        total, channels = Work(), set[str]()
        for instruction in computation:
            if instruction.op == "while":
                self._loop(instruction, total)
            elif instruction.op == "conditional":
                branches = [self.computation(self._program[name], looped=looped) for name in instruction.called]
                total.add(max(branches, key=lambda work: (work.hbm, work.flops)))
            elif instruction.op == "call":
                total.add(self.computation(self._program[instruction.called[0]], looped=looped))
            else:
                self._one(instruction, computation, total, channels, looped)
        return total

    def _loop(self, loop: Instruction, total: Work) -> None:
        trips = self._program.trips(loop)
        body = self.computation(self._program[loop.calls("body") or ""], looped=True)
        total.add(body, trips or 1)
        total.open_loops += trips is None

    def _one(
        self, instruction: Instruction, computation: Computation, total: Work, channels: set[str], looped: bool
    ) -> None:
        total.flops += self._flops(instruction, computation)
        self._collectives(instruction, computation, total, channels, looped)
        total.hbm += self._traffic(instruction, computation)
        if instruction.op == "custom-call" and f'"{KERNEL}"' in instruction.attributes:
            arrays = tuple(leaf for name in instruction.operands for leaf in computation.instructions[name].leaves)
            total.kernels.append(Kernel(_traced_name(instruction), 1, arrays, instruction.leaves))

    # --- arithmetic --------------------------------------------------------------------------------------------------

    def _flops(self, instruction: Instruction, computation: Computation) -> float:
        if instruction.op in ("convolution", "dot"):
            left, right = (computation.instructions[name].leaves[0] for name in instruction.operands[:2])
            return matmul_flops(instruction, left, right)
        if instruction.op in ("fusion", "async-start"):  # the other parts of an asynchronous call repeat it
            inner = self._program[instruction.called[0]]
            return sum(self._flops(each, inner) for each in inner)
        return 0.0

    # --- collectives -------------------------------------------------------------------------------------------------

    def _collectives(
        self, instruction: Instruction, computation: Computation, total: Work, channels: set[str], looped: bool
    ) -> None:
        """A collective that is spread over several instructions has one channel in all of them and is counted once."""
        for found, holder in self._inside(instruction, computation):
            channel = re.search(r"channel_id=(\d+)", found.attributes)
            key = channel[1] if channel else found.name
            if key in channels:
                continue
            channels.add(key)
            kind = found.op.removesuffix("-start")
            if kind == "all-reduce" and "all-reduce-scatter" in holder.name:
                kind = "reduce-scatter"  # XLA prints it as an all-reduce of which each device keeps a part
            sent = [leaf for name in found.operands for leaf in holder.instructions[name].leaves]
            total.links[kind] += received(kind, sum(a.bytes for a in sent), group_size(found, self._devices))
            total.looped[kind] += looped

    def _inside(self, instruction: Instruction, computation: Computation) -> list[tuple[Instruction, Computation]]:
        if instruction.op.removesuffix("-start") in COLLECTIVES:
            return [(instruction, computation)]
        if instruction.op in ("fusion", "async-start"):
            inner = self._program[instruction.called[0]]
            return [found for each in inner for found in self._inside(each, inner)]
        return []

    # --- traffic -----------------------------------------------------------------------------------------------------

    def _traffic(self, instruction: Instruction, computation: Computation) -> float:
        op = instruction.op
        if op in _FREE or op.endswith(("-done", "-update")):
            return 0
        if op == "custom-call" and any(f'custom_call_target="{name}' in instruction.attributes for name in _NAMES):
            return 0
        operands = [computation.instructions[name] for name in dict.fromkeys(instruction.operands)]
        if op.endswith("-start"):
            # a schedule calls what begins, and the whole program names it: `async-start` or `slice-start`
            called = self._program[instruction.called[0]].root.op if op == "async-start" else op
            return _started(instruction, called)
        if op == "fusion":
            return self._fused(instruction, operands)
        if op in _SLICES:
            # what is not taken is not read
            return instruction.hbm + min(instruction.leaves[0].bytes, operands[0].hbm)
        if op == "dynamic-update-slice":
            return 2 * min(operands[1].leaves[0].bytes, instruction.hbm)
        return instruction.hbm + sum(operand.hbm for operand in operands)

    def _fused(self, fusion: Instruction, operands: list[Instruction]) -> float:
        inner = self._program[fusion.called[0]]
        results = inner.root.operands if inner.root.op == "tuple" else (inner.root.name,)
        total = 0.0
        for place, leaf in enumerate(fusion.leaves):
            updated = self._updated(inner, results[place]) if place < len(results) else None
            written = 0 if place in fusion.aliases else leaf.hbm
            total += written if updated is None else min(leaf.hbm, updated)
        names = list(fusion.operands)
        for operand in operands:
            read = self._read(inner, names.index(operand.name))
            total += operand.hbm if read is None else min(operand.hbm, read)
        return total

    def _updated(self, inner: Computation, name: str) -> int | None:
        """Bytes that a result of a fusion writes where it is an array of which a part is replaced; else None."""
        found = inner.instructions[name]
        while found.op in ("bitcast", "copy") and found.operands:
            found = inner.instructions[found.operands[0]]
        if found.op == "dynamic-update-slice":
            return inner.instructions[found.operands[1]].leaves[0].bytes
        if found.op == "fusion":
            nested = self._program[found.called[0]]
            return self._updated(nested, nested.root.name)
        return None

    def _read(self, inner: Computation, place: int) -> int | None:
        """Bytes that a fusion reads of one operand where that is less than all of it; else None."""
        parameter = inner.parameters[place]
        total = 0
        for user in inner.users[parameter.name]:
            at = user.operands.index(parameter.name)
            if user.op in _SLICES and at == 0:
                total += user.leaves[0].bytes
            elif user.op == "fusion":
                read = self._read(self._program[user.called[0]], at)
                if read is None:
                    return None
                total += read
            elif user.op == "dynamic-update-slice" and at == 0:
                continue  # replaced in place
            elif user.op == "tuple" and user.root:
                continue  # handed through
            elif user.op.removesuffix("-start") in COLLECTIVES and _is_later_part(inner):
                continue  # of a collective that was begun, and counted, before
            elif user.op == "custom-call" and "AsyncCollective" in user.attributes:
                continue
            else:
                return None
        return total


def received(kind: str, sent: float, group: int) -> float:
    """Bytes that a device receives where each of `group` devices sends `sent` bytes, as the ring algorithms do it.

    Chan et al. 2007, "Collective communication: theory, practice, and experience", section 3.
    """
    if group < 2:
        return 0.0
    share = (group - 1) / group
    return {
        "all-gather": sent * (group - 1),
        "all-reduce": 2 * sent * share,
        "reduce-scatter": sent * share,
        "all-to-all": sent * share,
        "collective-permute": sent,
    }[kind]


def group_size(instruction: Instruction, devices: int) -> int:
    """How many devices take part in a collective, from any of the three ways in which XLA prints its groups."""
    text = instruction.attributes
    if found := re.search(r"replica_groups=\{\{([\d,]*)\}", text):
        return len(found[1].split(","))
    if found := re.search(r"replica_groups=\[\d+,(\d+)\]<=", text):
        return int(found[1])
    if found := re.search(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}", text):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", found[1]))
        return math.prod(int(sizes[axis]) for axis in re.findall(r"'(\w+)'", found[2]))
    return devices


def _started(start: Instruction, op: str) -> float:
    """What an asynchronous copy, slice or collective reads and writes: `(source, target, ...)` or the reverse."""
    leaves = start.leaves
    if start.op == "copy-start":  # (target, source, context)
        return leaves[0].hbm + leaves[1].hbm
    if len(leaves) < 2:  # of a collective: in place
        return 2 * sum(leaf.hbm for leaf in leaves)
    source, target = leaves[0], leaves[1]
    return target.hbm + min(source.hbm, target.bytes if "slice" in op else source.bytes)


def _is_later_part(inner: Computation) -> bool:
    return inner.root.op == "tuple" or 'custom_call_target="AsyncCollectiveDone"' in inner.root.attributes


def _traced_name(instruction: Instruction) -> str:
    found = re.search(r'op_name="([^"]*)"', instruction.attributes)
    return found[1] if found else instruction.name
