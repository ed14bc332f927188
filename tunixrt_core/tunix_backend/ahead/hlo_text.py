"""Compiled programs as XLA prints them, parsed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

HBM = 0  # memory space of an array without S(n) in its layout; S(1) is the chip's VMEM, the others are smaller still

_BYTES = {
    **{"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4},
    **{"s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16, "s4": 0.5, "u4": 0.5, "s2": 0.25, "u2": 0.25},
}
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,<=]*)\](?:\{([^}]*)\})?")
_NAME = re.compile(r"%([\w.\-]+)")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (.*)$")
_END = re.compile(r'\}(?:, execution_thread="\w+")?')  # the thread is another core of the chip, such as a SparseCore
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_COMMENT = re.compile(r"/\*.*?\*/")


@dataclass(frozen=True, slots=True)
class Array:
    """An array with its layout. `tile` pads the last physical dimensions; `space` is the memory that holds it."""

    kind: str
    dims: tuple[int, ...]
    minor_to_major: tuple[int, ...] = ()
    tile: tuple[int, ...] = ()
    space: int = HBM

    @property
    def elements(self) -> int:
        return math.prod(self.dims)

    @property
    def bytes(self) -> int:
        """Bytes that it takes in memory, with the padding of its tiles."""
        physical = [self.dims[axis] for axis in reversed(self.minor_to_major)] if self.minor_to_major else self.dims
        sizes = list(physical)
        for place in range(1, min(len(self.tile), len(sizes)) + 1):
            sizes[-place] = -(-sizes[-place] // self.tile[-place]) * self.tile[-place]
        return int(math.prod(sizes) * _BYTES.get(self.kind, 1 if self.kind.startswith("f8") else 0))

    @property
    def hbm(self) -> int:
        """Bytes in HBM: its size, or 0 where it is in another memory."""
        return self.bytes if self.space == HBM else 0


@dataclass(frozen=True)
class Instruction:
    """One instruction. `attributes` is the text after the operands, `literal` the text between the brackets."""

    name: str
    op: str
    shape: Array | tuple
    operands: tuple[str, ...]
    literal: str
    attributes: str
    root: bool = False

    @cached_property
    def leaves(self) -> tuple[Array, ...]:
        """The arrays of its value, in order."""
        return tuple(arrays(self.shape))

    @cached_property
    def called(self) -> tuple[str, ...]:
        """Names of the computations that it calls, in the order of the text."""
        found = _CALLED.findall(self.attributes)
        for group in _BRANCHES.findall(self.attributes):
            found += [name.strip().lstrip("%") for name in group.split(",")]
        return tuple(found)

    @cached_property
    def aliases(self) -> dict[int, int]:
        """Place of a result -> place of the operand over which it is written, as the text names them."""
        found = re.search(r"output_to_operand_aliasing=\{(.*?\))\s*\}", self.attributes)
        pairs = re.findall(r"\{(\d*)\}: \((\d+)", found[1]) if found else ()
        return {int(result or 0): int(operand) for result, operand in pairs}

    def calls(self, role: str) -> str | None:
        """The computation in one role, such as `body` or `calls`."""
        found = re.search(rf"\b{role}=%?([\w.\-]+)", self.attributes)
        return found[1] if found else None

    @property
    def hbm(self) -> int:
        return sum(leaf.hbm for leaf in self.leaves)


@dataclass
class Computation:
    """The instructions of one computation, in the order of the schedule."""

    name: str
    instructions: dict[str, Instruction] = field(default_factory=dict)

    @property
    def root(self) -> Instruction:
        return next((i for i in self.instructions.values() if i.root), list(self.instructions.values())[-1])

    @cached_property
    def parameters(self) -> dict[int, Instruction]:
        return {int(i.literal): i for i in self.instructions.values() if i.op == "parameter"}

    @cached_property
    def users(self) -> dict[str, list[Instruction]]:
        """The instructions that use each one."""
        found: dict[str, list[Instruction]] = {name: [] for name in self.instructions}
        for instruction in self.instructions.values():
            for operand in dict.fromkeys(instruction.operands):
                found.setdefault(operand, []).append(instruction)
        return found

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self.instructions.values())


@dataclass
class Program:
    """A compiled program of one device."""

    computations: dict[str, Computation]
    entry: Computation

    def __getitem__(self, name: str) -> Computation:
        return self.computations[name]

    def trips(self, loop: Instruction) -> int | None:
        """How often the body of a `while` runs; None where that is known only while the program runs."""
        if found := re.search(r"known_trip_count[^0-9}]*(\d+)", loop.attributes):
            return int(found[1])
        condition = self[loop.calls("condition") or ""]
        return _bound(condition)


def parse(text: str) -> Program:
    """Parse what `Compiled.as_text()` returns. Raises ValueError for a text without an entry computation."""
    computations: dict[str, Computation] = {}
    entry = current = None
    for line in _whole_lines(text):
        if current is None:
            if found := _COMPUTATION.match(line):
                current = computations[found[2]] = Computation(found[2])
                entry = current if found[1] else entry
        elif _END.fullmatch(line):
            current = None
        elif found := _INSTRUCTION.match(line):
            instruction = _instruction(found[2], _COMMENT.sub("", found[3]), root=found[1] is not None)
            current.instructions[instruction.name] = instruction
    if entry is None:
        raise ValueError("the text has no entry computation")
    return Program(computations, entry)


def _whole_lines(text: str) -> Iterator[str]:
    """The lines of a text, each instruction in one: what a kernel says of itself is printed with line breaks."""
    pending = ""
    for line in text.splitlines():
        if pending and not line.startswith((" ", "%", "ENTRY ")) and not _END.fullmatch(line.rstrip()):
            pending += line
            continue
        if pending:
            yield pending
        pending = line.rstrip()
    if pending:
        yield pending


def arrays(shape: Array | tuple) -> Iterator[Array]:
    """The arrays of a shape, in order."""
    if isinstance(shape, Array):
        yield shape
    else:
        for part in shape:
            yield from arrays(part)


def _instruction(name: str, text: str, *, root: bool) -> Instruction:
    shape, rest = _shape(text, 0)
    opened = text.index("(", rest)
    closed = _closing(text, opened)
    literal = text[opened + 1 : closed]
    return Instruction(
        name=name,
        op=text[rest:opened].strip(),
        shape=shape,
        operands=tuple(_NAME.findall(literal)),
        literal=literal,
        attributes=text[closed + 1 :],
        root=root,
    )


def _shape(text: str, start: int) -> tuple[Array | tuple, int]:
    """The shape at a place of the text, and the place behind it."""
    if text[start] != "(":
        found = _ARRAY.match(text, start)
        if found is None:  # token[] and others have no size
            end = text.index(" ", start)
            return Array(text[start:end], ()), end + 1
        return _array(found), found.end() + 1
    parts: list[Array | tuple] = []
    place = start + 1
    while text[place] != ")":
        if text[place] in ", ":
            place += 1
            continue
        part, after = _shape(text, place)
        parts.append(part)
        place = after - 1
    return tuple(parts), place + 2


def _array(found: re.Match[str]) -> Array:
    dims = tuple(int(size.lstrip("<=")) for size in found[2].split(",") if size)
    order, _, rest = (found[3] or "").partition(":")
    minor_to_major = tuple(int(axis) for axis in order.split(",") if axis.strip().isdigit())
    tile = re.match(r"T\(([\d,]+)\)", rest)
    space = re.search(r"S\((\d+)\)", rest)
    return Array(
        found[1],
        dims,
        minor_to_major,
        tuple(int(size) for size in tile[1].split(",")) if tile else (),
        int(space[1]) if space else HBM,
    )


def _closing(text: str, opened: int) -> int:
    depth = 0
    for place in range(opened, len(text)):
        if text[place] == "(":
            depth += 1
        elif text[place] == ")":
            depth -= 1
            if not depth:
                return place
    raise ValueError(f"a bracket is not closed: {text[:80]}")


def _bound(condition: Computation) -> int | None:
    """The constant n of a loop that runs while a counter from 0 is less than n."""
    compare = condition.root
    if compare.op == "fusion" or "direction=LT" not in compare.attributes or len(compare.operands) != 2:
        return None
    bound = condition.instructions.get(compare.operands[1])
    return int(bound.literal) if bound is not None and bound.op == "constant" and bound.literal.isdigit() else None
