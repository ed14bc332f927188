"""TPU slices by their usual names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tunixrt_core.errors import InvalidSlice
from tunixrt_core.training.ahead.chips import CHIPS, Chip

# Chips along each axis, by number of chips; the shapes that Google offers by name.
_FLAT = {1: (1, 1), 4: (2, 2), 8: (2, 4), 16: (4, 4), 32: (4, 8), 64: (8, 8), 128: (8, 16), 256: (16, 16)}
_SOLID = {
    **{4: (2, 2, 1), 8: (2, 2, 2), 16: (2, 2, 4), 32: (2, 4, 4), 64: (4, 4, 4), 128: (4, 4, 8), 256: (4, 8, 8)},
    **{512: (8, 8, 8), 1024: (8, 8, 16)},
}
_ALIASES = {"v5litepod": "v5e", "v5lite": "v5e", "v7x": "7x", "tpu7x": "7x", "ironwood": "7x", "trillium": "v6e"}


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of TPU chips. `shape` is how many chips it has along each axis."""

    name: str
    chip: Chip
    shape: tuple[int, ...]

    @property
    def chips(self) -> int:
        return math.prod(self.shape)

    @property
    def devices(self) -> int:
        """JAX devices."""
        return self.chips * self.chip.devices

    @property
    def hosts(self) -> int:
        """Virtual machines: up to 8 chips of v5e and v6e make one, else 4."""
        most = 8 if self.chip.dimensions == 2 and self.chips <= 8 else 4
        return max(1, self.chips // most)

    @property
    def topology(self) -> str:
        """Its name for the compiler, such as `v6e:2x2`."""
        return f"{self.chip.platform}:{'x'.join(str(size) for size in self.shape)}"

    @property
    def links(self) -> int:
        """Ports of a chip with a neighbour, of the chip with the fewest.

        Axes are closed to rings where the hardware can do so: of v5e and v6e those of 16 chips, of the others those of
        multiples of 4 in slices made of cubes of 4 x 4 x 4.
        """
        return sum(0 if size == 1 else 2 if self._is_ring(size) else 1 for size in self.shape)

    @property
    def link_rate(self) -> float:
        """Bytes per second that a chip can receive from its neighbours; 0 for a single chip."""
        return self.links * self.chip.link_rate

    def _is_ring(self, size: int) -> bool:
        if self.chip.dimensions == 2:
            return size == 16
        return all(each % 4 == 0 for each in self.shape)


def known_slices() -> Iterator[Slice]:
    """All slices, by chip and size."""
    for chip in CHIPS.values():
        for count, shape in (_FLAT if chip.dimensions == 2 else _SOLID).items():
            yield Slice(f"{chip.name}-{count * (chip.cores if chip.named_by_cores else 1)}", chip, shape)


def find_slice(name: str) -> Slice:
    """A slice by its name, such as `v6e-4`, `v5litepod-8`, `v4-8` or `7x-8`; the chip alone is its smallest slice.

    In names of v4, v5p and 7x the number is that of TensorCores, two per chip. Raises InvalidSlice with the names.
    """
    kind, _, size = name.strip().lower().partition("-")
    wanted = _ALIASES.get(kind, kind)
    of_chip = [each for each in known_slices() if each.chip.name == wanted]
    found = next((each for each in of_chip if each.name == f"{wanted}-{size}" or not size), None)
    if found is not None:
        return found
    if of_chip:
        known = f"Slices of {wanted}: {', '.join(each.name for each in of_chip)}."
    else:
        known = f"Chips: {', '.join(CHIPS)}; a slice is a chip with a size, such as v6e-4, v5e-8 or v4-8."
    raise InvalidSlice(f"{name!r}: not a known TPU slice. {known}")
