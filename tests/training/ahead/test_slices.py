"""A slice's name tells its chips, hosts and links, and an unknown one is answered with those that are known."""

from __future__ import annotations

import pytest

from tunixrt_core.errors import InvalidSlice
from tunixrt_core.training.ahead.chips import CHIPS
from tunixrt_core.training.ahead.slices import find_slice, known_slices
from tunixrt_core.training.estimates.memory import DEVICE_MEMORY


@pytest.mark.parametrize(
    ("name", "topology", "chips", "devices", "hosts"),
    [
        ("v6e-4", "v6e:2x2", 4, 4, 1),
        ("v5e-8", "v5e:2x4", 8, 8, 1),
        ("V5litepod-16", "v5e:4x4", 16, 16, 4),
        ("v4-8", "v4:2x2x1", 4, 4, 1),  # its number is that of cores
        ("v5p-16", "v5p:2x2x2", 8, 8, 2),
        ("7x-8", "tpu7x:2x2x1", 4, 8, 1),  # JAX shows two devices per chip
        ("v6e", "v6e:1x1", 1, 1, 1),
    ],
)
def test_a_name_tells_topology_chips_and_hosts(name: str, topology: str, chips: int, devices: int, hosts: int) -> None:
    found = find_slice(name)
    assert (found.topology, found.chips, found.devices, found.hosts) == (topology, chips, devices, hosts)


def test_every_slice_is_found_by_its_name() -> None:
    known = list(known_slices())
    assert [find_slice(each.name) for each in known] == known
    assert len({each.name for each in known}) == len(known)


@pytest.mark.parametrize(("name", "named"), [("v6e-3", "v6e-1, v6e-4, v6e-8"), ("v9-4", "v4, v5e, v5p, v6e, 7x")])
def test_an_unknown_slice_is_refused_with_the_known_ones(name: str, named: str) -> None:
    with pytest.raises(InvalidSlice, match=f"'{name}': not a known TPU slice. .*{named}"):
        find_slice(name)


@pytest.mark.parametrize(
    ("name", "links"),
    # a corner of 2 x 2 has two neighbours, a torus of 16 x 16 four, a cube of 4 x 4 x 4 six
    [("v6e-1", 0), ("v6e-4", 2), ("v5e-16", 2), ("v5e-256", 4), ("v4-8", 2), ("v5p-16", 3), ("v5p-128", 6)],
)
def test_links_are_those_of_the_chip_with_the_fewest_neighbours(name: str, links: int) -> None:
    found = find_slice(name)
    assert found.links == links
    assert found.link_rate == links * found.chip.link_rate


def test_the_memory_of_a_chip_is_the_one_that_the_estimate_knows() -> None:
    for name in ("v4", "v5e", "v5p", "v6e"):
        assert CHIPS[name].memory == DEVICE_MEMORY[name]
    assert all(chip.source.startswith("https://docs.cloud.google.com/tpu/") for chip in CHIPS.values())
