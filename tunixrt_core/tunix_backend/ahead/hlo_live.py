"""Temporary memory of a compiled program, from the lives of its buffers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tunixrt_core.tunix_backend.ahead.hlo_text import Array, Computation, Instruction, Program, arrays

_HANDS_ON = ("bitcast", "tuple", "get-tuple-element", "opt-barrier", "optimization-barrier")
_Leaf = int | None  # a buffer, by number; None: an argument of the program, or not in HBM


@dataclass
class _Lives:
    """Buffers of a computation: size in bytes, and from which instruction to which they live."""

    sizes: list[int] = field(default_factory=list)
    born: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)

    def new(self, array: Array, at: int) -> _Leaf:
        return self.add(array.hbm, at) if array.hbm else None

    def add(self, size: int, at: int) -> int:
        self.sizes.append(size)
        self.born.append(at)
        self.last.append(at)
        return len(self.sizes) - 1


def peak_bytes(program: Program) -> int:
    """Most bytes of HBM that are alive at once besides arguments and results, on one device.

    Buffers live from the instruction that writes them to the last one that reads them, without the gaps that an
    allocator leaves: a little less than the compiler's own figure.
    """
    return _peak(program, program.entry)


def _peak(program: Program, computation: Computation) -> int:
    lives, values, inner = _Lives(), dict[str, tuple[_Leaf, ...]](), dict[int, int]()
    for at, instruction in enumerate(computation):
        for name in instruction.operands:
            for leaf in values.get(name, ()):
                if leaf is not None:
                    lives.last[leaf] = at
        values[instruction.name] = _value(program, computation, instruction, values, lives, at)
        inner[at] = max((_peak(program, program[name]) for name in _run_by(instruction)), default=0)
    results = {leaf for leaf in values[computation.root.name] if leaf is not None}
    changes = [0] * (len(values) + 1)
    for number, size in enumerate(lives.sizes):
        if number not in results:
            changes[lives.born[number]] += size
            changes[lives.last[number] + 1] -= size
    alive = most = 0
    for at, change in enumerate(changes):
        alive += change
        most = max(most, alive + inner.get(at, 0))
    return most


def _run_by(instruction: Instruction) -> Sequence[str]:
    """The computations that run while an instruction does, of which a conditional chooses one."""
    if instruction.op == "while":
        return (instruction.calls("body") or "",)
    return instruction.called if instruction.op in ("call", "conditional") else ()


def _value(
    program: Program,
    computation: Computation,
    instruction: Instruction,
    values: dict[str, tuple[_Leaf, ...]],
    lives: _Lives,
    at: int,
) -> tuple[_Leaf, ...]:
    """The buffers of an instruction's value, new ones or those of its operands."""
    op, operands = instruction.op, [values.get(name, ()) for name in instruction.operands]
    if op in ("parameter", "constant"):
        return (None,) * len(instruction.leaves)
    if op == "get-tuple-element":
        return _element(instruction, computation, operands[0])
    if op in _HANDS_ON or op == "while":
        return tuple(leaf for operand in operands for leaf in operand)
    if op.endswith("-done"):
        return _done(instruction, operands[0])
    if op.endswith("-start"):
        return _started(instruction, operands, lives, at)
    reused = _reused(program, instruction, operands)
    return tuple(
        reused[place] if place in reused else lives.new(leaf, at) for place, leaf in enumerate(instruction.leaves)
    )


def _element(instruction: Instruction, computation: Computation, operand: tuple[_Leaf, ...]) -> tuple[_Leaf, ...]:
    found = re.search(r"index=(\d+)", instruction.attributes)
    assert found is not None, "every get-tuple-element has an index"
    shape = computation.instructions[instruction.operands[0]].shape
    assert isinstance(shape, tuple)
    before = sum(len(list(arrays(part))) for part in shape[: int(found[1])])
    return operand[before : before + len(instruction.leaves)]


def _done(instruction: Instruction, started: tuple[_Leaf, ...]) -> tuple[_Leaf, ...]:
    """The target of what was started, which is the first part for a copy and the second one otherwise."""
    count = len(instruction.leaves)
    if instruction.op == "copy-done" or len(started) <= count:
        return started[:count]
    return started[count : 2 * count]


def _started(instruction: Instruction, operands: list[tuple[_Leaf, ...]], lives: _Lives, at: int) -> tuple[_Leaf, ...]:
    sources = [leaf for operand in operands for leaf in operand]
    leaves = instruction.leaves
    if instruction.op == "copy-start":
        return (lives.new(leaves[0], at), *sources[:1], *(None,) * (len(leaves) - 2))
    if len(leaves) < 2:
        return tuple(lives.new(leaf, at) for leaf in leaves)
    count = len(sources)
    made = [lives.new(leaf, at) for leaf in leaves[count : 2 * count]]
    return (*sources, *made, *(None,) * (len(leaves) - count - len(made)))


def _reused(program: Program, instruction: Instruction, operands: list[tuple[_Leaf, ...]]) -> dict[int, _Leaf]:
    """Results that are written over an operand: by name in the text, or because only a part of it is replaced."""
    found: dict[int, _Leaf] = {}
    if instruction.op == "call":
        return _handed_back(program, program[instruction.called[0]], operands)
    for result, operand in instruction.aliases.items():
        if operand < len(operands) and len(operands[operand]) == 1:
            found[result] = operands[operand][0]
    if instruction.op == "dynamic-update-slice":
        found[0] = operands[0][0]
    elif instruction.op == "fusion" and not found:
        inner = program[instruction.called[0]]
        if inner.root.op == "dynamic-update-slice":
            target = inner.instructions[inner.root.operands[0]]
            if target.op == "parameter" and len(operands[int(target.literal)]) == 1:
                found[0] = operands[int(target.literal)][0]
    return found


def _handed_back(program: Program, called: Computation, operands: list[tuple[_Leaf, ...]]) -> dict[int, _Leaf]:
    """Results of a call that are in the buffer of one of its operands."""
    lives, values, given = _Lives(), dict[str, tuple[_Leaf, ...]](), dict[_Leaf, _Leaf]()
    for number, parameter in sorted(called.parameters.items()):
        values[parameter.name] = tuple(lives.add(0, 0) for _ in operands[number])
        given.update(zip(values[parameter.name], operands[number], strict=True))
    for at, instruction in enumerate(called):
        if instruction.op != "parameter":
            values[instruction.name] = _value(program, called, instruction, values, lives, at)
    return {place: given[leaf] for place, leaf in enumerate(values[called.root.name]) if leaf in given}
