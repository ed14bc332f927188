"""What the compiler has written when a program is scheduled says how much memory it needs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.tunix

BUFFERS = """BufferAssignment:
allocation 0: size 512, thread-local:
 value: <2 reduce_sum.9 @0> (size=512,offset=0): bf16[]{:T(256)}
allocation 1: size 1048576, parameter 1, shape |bf16[256,2048]| at ShapeIndex {}:
 value: <22 param.1 @0> (size=1048576,offset=0): bf16[256,2048]{1,0:T(8,128)(2,1)}
allocation 2: size 4096, parameter 0, shape |bf16[16,128]| at ShapeIndex {}, maybe-live-out:
 value: <18 param @0> (size=4096,offset=0): bf16[16,128]{1,0:T(8,128)(2,1)}
allocation 3: size 512, output shape is |bf16[]|, maybe-live-out:
 value: <24 fusion @0> (size=512,offset=0): bf16[]{:T(256)}
allocation 9: size 4, color 2, preallocated-temp:
 value: <21 copy-start{2} @2> (size=4,offset=0): u32[]{:S(2)}
allocation 10: size 3003794208, preallocated-temp:
 value: <19 copy-start{} @0> (size=32,offset=0): (bf16[16,1024]{1,0}, bf16[16,1024]{1,0}, u32[]{:S(2)})
allocation 11: size 94576640, color 1, preallocated-temp:
 value: <20 copy-start{0} @1> (size=32768,offset=0): bf16[16,1024]{1,0:T(8,128)(2,1)S(1)}
"""


def test_a_donated_argument_counts_once_and_other_memories_of_the_chip_do_not() -> None:
    from tunixrt_core.tunix_backend.ahead.schedule import read_buffers

    found = read_buffers(BUFFERS)
    assert found.temporary == 3_003_794_208
    assert found.passed == 1_048_576 + 4096 + 512


def test_a_program_is_read_as_soon_as_it_is_scheduled(tmp_path: Path) -> None:
    """Although it has no machine code yet."""
    import threading

    from tunixrt_core.tunix_backend.ahead.schedule import Scheduler

    ended = threading.Event()

    def compile_() -> None:
        start = tmp_path / "module_0007.jit_step.cl_1"
        for part, text in ((".txt", "HloModule step"), ("-buffer-assignment.txt", BUFFERS)):
            Path(f"{start}.after_optimizations{part}").write_text(text)
        Path(f"{start}.after_optimizations_after_buffer_assignment.txt").write_text("HloModule step")
        ended.wait(60)

    found = Scheduler(tmp_path)(SimpleNamespace(compile=compile_))
    assert not ended.is_set()
    ended.set()
    assert (found.text, found.buffers.temporary) == ("HloModule step", 3_003_794_208)


def test_a_program_that_fails_to_compile_is_told_to_who_waits(tmp_path: Path) -> None:
    from jax.errors import JaxRuntimeError

    from tunixrt_core.tunix_backend.ahead.schedule import NotEnoughMemory, Scheduler

    def refuse() -> None:
        raise JaxRuntimeError(
            "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error.\nRan out of memory in memory space hbm. "
            "Used 23.25G of 15.75G hbm. Exceeded hbm capacity by 7.5G."
        )

    with pytest.raises(NotEnoughMemory, match="Ran out of memory") as caught:
        Scheduler(tmp_path)(SimpleNamespace(compile=refuse))
    assert caught.value.needed == int(23.25 * 2**30)
    with pytest.raises(RuntimeError, match="XLA has written no schedule"):
        Scheduler(tmp_path)(SimpleNamespace(compile=lambda: None))


@pytest.mark.parametrize(
    ("sentence", "size"),
    [
        (
            "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries (23.25G) "
            "exceeds available HBM (15.75G).",
            int(23.25 * 2**30),
        ),
        ("Ran out of memory in memory space hbm. Used 17.5G of 15.75G hbm. Exceeded hbm by 1.75G.", int(17.5 * 2**30)),
        ("RESOURCE_EXHAUSTED: too large", 0),
    ],
)
def test_what_a_program_needs_is_read_from_the_refusal(sentence: str, size: int) -> None:
    from tunixrt_core.tunix_backend.ahead.schedule import needed_bytes

    assert needed_bytes(sentence) == size
