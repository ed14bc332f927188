"""Work and memory are read from the text of a compiled program: loops times trips, VMEM not counted."""

from __future__ import annotations

import pytest

from tunixrt_core.tunix_backend.ahead.hlo_flops import attention_flops
from tunixrt_core.tunix_backend.ahead.hlo_live import peak_bytes
from tunixrt_core.tunix_backend.ahead.hlo_text import Array, parse
from tunixrt_core.tunix_backend.ahead.hlo_work import Work, received, work_of

# What the TPU compiler prints, cut to the parts that are read: 1 KB arrays are f32[2,128] of one tile's width.
LOOP = """\
HloModule jit_step, is_scheduled=true

%condition (c: (s32[], f32[256,256])) -> pred[] {
  %c = (s32[]{:T(128)}, f32[256,256]{1,0:T(8,128)}) parameter(0)
  %n = s32[]{:T(128)} constant(5)
  %i = s32[]{:T(128)} get-tuple-element(%c), index=0
  ROOT %lt = pred[]{:T(512)} compare(%i, %n), direction=LT
}

%body (b: (s32[], f32[256,256])) -> (s32[], f32[256,256]) {
  %b = (s32[]{:T(128)}, f32[256,256]{1,0:T(8,128)}) parameter(0)
  %i.1 = s32[]{:T(128)S(6)} get-tuple-element(%b), index=0
  %x = f32[256,256]{1,0:T(8,128)} get-tuple-element(%b), index=1
  %g = f32[256,256]{1,0:T(8,128)} all-gather(%x), channel_id=1, replica_groups=[1,4]<=[4], dimensions={0}
  ROOT %out = (s32[]{:T(128)}, f32[256,256]{1,0:T(8,128)}) tuple(%i.1, %g)
}

ENTRY %main (p: f32[256,256], q: f32[256,256]) -> f32[256,256] {
  %p = f32[256,256]{1,0:T(8,128)} parameter(0)
  %q = f32[256,256]{1,0:T(8,128)S(1)} parameter(1)
  %d = f32[256,256]{1,0:T(8,128)} dot(%p, %q), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  %z = s32[]{:T(128)S(6)} constant(0)
  %t = (s32[]{:T(128)}, f32[256,256]{1,0:T(8,128)}) tuple(%z, %d)
  %w = (s32[]{:T(128)}, f32[256,256]{1,0:T(8,128)}) while(%t), condition=%condition, body=%body
  ROOT %r = f32[256,256]{1,0:T(8,128)} get-tuple-element(%w), index=1
}
"""
KB256 = 256 * 256 * 4

CHAINED = """\
HloModule jit_step, is_scheduled=true

%first (a: bf16[64,256]) -> (bf16[64,256], bf16[256,256], u32[]) {
  %a = bf16[64,256]{1,0:T(8,128)(2,1)} parameter(0)
  %g.1 = bf16[256,256]{1,0:T(8,128)(2,1)} all-gather(%a), channel_id=7, replica_groups={{0,1,2,3}}, dimensions={0}
  ROOT %s = (bf16[64,256]{1,0:T(8,128)(2,1)}, bf16[256,256]{1,0:T(8,128)(2,1)}, u32[]{:S(2)}) custom-call(%g.1), \
custom_call_target="AsyncCollectiveStart"
}

%last (a.1: bf16[64,256], b.1: bf16[256,256], c.1: u32[]) -> bf16[256,256] {
  %a.1 = bf16[64,256]{1,0:T(8,128)(2,1)} parameter(0)
  %b.1 = bf16[256,256]{1,0:T(8,128)(2,1)} parameter(1)
  %g.2 = bf16[256,256]{1,0:T(8,128)(2,1)} all-gather(%a.1), channel_id=7, replica_groups={{0,1,2,3}}, dimensions={0}
  %c.1 = u32[]{:S(2)} parameter(2)
  ROOT %e = bf16[256,256]{1,0:T(8,128)(2,1)} custom-call(%a.1, %b.1, %g.2, %c.1), \
custom_call_target="AsyncCollectiveDone"
}

ENTRY %main (p: bf16[64,256]) -> bf16[256,256] {
  %p = bf16[64,256]{1,0:T(8,128)(2,1)} parameter(0)
  %start = (bf16[64,256]{1,0:T(8,128)(2,1)}, bf16[256,256]{1,0:T(8,128)(2,1)}, u32[]{:S(2)}) fusion(%p), kind=kCustom, \
output_to_operand_aliasing={{0}: (0, {})}, calls=%first
  %x = bf16[64,256]{1,0:T(8,128)(2,1)} get-tuple-element(%start), index=0
  %y = bf16[256,256]{1,0:T(8,128)(2,1)} get-tuple-element(%start), index=1
  %z = u32[]{:S(2)} get-tuple-element(%start), index=2
  ROOT %done = bf16[256,256]{1,0:T(8,128)(2,1)} fusion(%x, %y, %z), kind=kCustom, \
output_to_operand_aliasing={{}: (1, {})}, calls=%last
}
"""

FUSED = """\
HloModule jit_step, is_scheduled=true

%update (big: f32[64,8,128], part: f32[1,8,128], at: s32[]) -> f32[64,8,128] {
  %big = f32[64,8,128]{2,1,0:T(8,128)} parameter(0)
  %part = f32[1,8,128]{2,1,0:T(8,128)} parameter(1)
  %at = s32[]{:T(128)S(6)} parameter(2)
  %zero = s32[]{:T(128)} constant(0)
  ROOT %u = f32[64,8,128]{2,1,0:T(8,128)} dynamic-update-slice(%big, %part, %at, %zero, %zero)
}

%look (big.1: f32[64,8,128], at.1: s32[]) -> f32[1,8,128] {
  %big.1 = f32[64,8,128]{2,1,0:T(8,128)} parameter(0)
  %at.1 = s32[]{:T(128)S(6)} parameter(1)
  %zero.1 = s32[]{:T(128)} constant(0)
  %cut = f32[1,8,128]{2,1,0:T(8,128)} dynamic-slice(%big.1, %at.1, %zero.1, %zero.1), dynamic_slice_sizes={1,8,128}
  ROOT %n = f32[1,8,128]{2,1,0:T(8,128)} negate(%cut)
}

ENTRY %main (p: f32[64,8,128], i: s32[]) -> f32[64,8,128] {
  %p = f32[64,8,128]{2,1,0:T(8,128)} parameter(0)
  %i = s32[]{:T(128)S(6)} parameter(1)
  %small = f32[1,8,128]{2,1,0:T(8,128)} fusion(%p, %i), kind=kLoop, calls=%look
  ROOT %new = f32[64,8,128]{2,1,0:T(8,128)} fusion(%p, %small, %i), kind=kLoop, calls=%update
}
"""

STARTED = """\
HloModule jit_step, is_scheduled=true

%async_computation (whole.1: f32[64,8,128]) -> f32[16,8,128] {
  %whole.1 = f32[64,8,128]{2,1,0:T(8,128)} parameter(0)
  ROOT %cut = f32[16,8,128]{2,1,0:T(8,128)S(1)} slice(%whole.1), slice={[0:16], [0:8], [0:128]}
}

ENTRY %main (whole: f32[64,8,128]) -> f32[16,8,128] {
  %whole = f32[64,8,128]{2,1,0:T(8,128)} parameter(0)
  %start = ((f32[64,8,128]{2,1,0:T(8,128)}), f32[16,8,128]{2,1,0:T(8,128)S(1)}, s32[]{:S(2)}) BEGINS
  ROOT %done = f32[16,8,128]{2,1,0:T(8,128)S(1)} slice-done(%start)
}
"""


def work(text: str, devices: int = 4) -> Work:
    return work_of(parse(text), devices)


def test_the_body_of_a_loop_counts_as_often_as_it_runs() -> None:
    found = work(LOOP)
    assert found.flops == 2 * 256**3
    # the product reads one operand from HBM, the other is in VMEM; each gather reads and writes
    assert found.hbm == 2 * KB256 + 5 * 2 * KB256
    assert found.links == {"all-gather": 5 * 3 * KB256}
    assert found.looped == {"all-gather": 5}
    assert found.open_loops == 0


def test_a_loop_of_unknown_length_counts_once_and_is_told() -> None:
    found = work(LOOP.replace("direction=LT", "direction=NE"))
    assert found.links == {"all-gather": 3 * KB256}
    assert found.open_loops == 1


def test_the_trips_that_the_compiler_names_are_taken() -> None:
    named = 'body=%body, backend_config={"known_trip_count":{"n":"9"}}'
    assert work(LOOP.replace("body=%body", named)).looped == {"all-gather": 9}


def test_a_collective_that_is_spread_over_instructions_is_counted_once() -> None:
    found = work(CHAINED)
    part = 64 * 256 * 2
    assert found.links == {"all-gather": 3 * part}
    assert found.hbm == part + 4 * part  # read once, written once


def test_of_an_array_that_is_sliced_or_updated_in_place_only_the_part_moves() -> None:
    part = 8 * 128 * 4
    assert work(FUSED).hbm == 2 * part + 2 * part


@pytest.mark.parametrize(
    "begins",
    ["async-start(%whole), calls=%async_computation", "slice-start(%whole), slice={[0:16], [0:8], [0:128]}"],
)
def test_of_a_slice_that_is_read_meanwhile_only_the_part_moves_however_it_is_written(begins: str) -> None:
    assert work(STARTED.replace("BEGINS", begins)).hbm == 16 * 8 * 128 * 4  # into VMEM


def test_an_update_in_place_takes_no_new_memory() -> None:
    part = 8 * 128 * 4
    assert peak_bytes(parse(FUSED)) == part
    assert peak_bytes(parse(LOOP)) == 0  # the product and the value that is kept become the result
    kept = LOOP.replace(
        "ROOT %r = f32[256,256]{1,0:T(8,128)} get-tuple-element(%w), index=1", "ROOT %r = s32[] copy(%z)"
    )
    assert peak_bytes(parse(kept)) == KB256  # the loop writes over what it carries


@pytest.mark.parametrize(
    ("array", "size"),
    [
        (Array("f32", (8, 128), (1, 0), (8, 128)), 4096),
        (Array("bf16", (8, 64), (1, 0), (8, 128)), 2048),  # half of each line is padding
        (Array("bf16", (64, 8), (0, 1), (8, 128)), 2048),  # the first dimension is the inner one
        (Array("s4", (8, 128), (1, 0), (8, 128)), 512),
        (Array("f32", ()), 4),
    ],
)
def test_sizes_hold_the_padding_of_tiles(array: Array, size: int) -> None:
    assert array.bytes == size


DOT = """\
HloModule m, is_scheduled=true

ENTRY %main (p: {left}, q: {right}) -> {out} {{
  %p = {left} parameter(0)
  %q = {right} parameter(1)
  ROOT %c = {out} convolution(%p, %q), {more}
}}
"""


@pytest.mark.parametrize(
    ("left", "right", "out", "more", "flops"),
    [
        ("bf16[16,64]", "bf16[64,32]", "bf16[16,32]", "dim_labels=bf_io->bf", 2 * 16 * 64 * 32),
        ("bf16[64,16]", "bf16[64,32]", "bf16[16,32]", "dim_labels=fb_io->bf", 2 * 16 * 64 * 32),
        # a batch of 4 products, of which the compiler makes a window: each output meets one place of it
        (
            "bf16[4,16,64]", "bf16[4,64,32]", "bf16[4,16,32]",
            "window={size=4 stride=3 pad=0_0 lhs_dilate=4}, dim_labels=0bf_0io->0bf", 4 * 2 * 16 * 64 * 32,
        ),
        ("f32[8,128]", "f32[8,128]", "f32[128,128]", "dim_labels=fb_io->bf", 2 * 8 * 128 * 128),
    ],
)  # fmt: skip
def test_arithmetic_of_products(left: str, right: str, out: str, more: str, flops: float) -> None:
    assert work(DOT.format(left=left, right=right, out=out, more=more)).flops == flops


@pytest.mark.parametrize(
    ("kind", "moved"),
    [("all-gather", 300), ("all-reduce", 150), ("reduce-scatter", 75), ("all-to-all", 75), ("collective-permute", 100)],
)
def test_bytes_that_a_device_receives(kind: str, moved: float) -> None:
    assert received(kind, 100, 4) == moved
    assert received(kind, 100, 1) == 0


def test_groups_are_read_in_all_their_spellings() -> None:
    for groups, count in (
        ("[2,2]<=[4]", 2),
        ("{{0,1,2,3}}", 4),
        ("mesh['a'=4,'b'=2] {'a'}", 4),
        ("{}", 8),
    ):
        text = LOOP.replace("replica_groups=[1,4]<=[4]", f"replica_groups={groups}")
        assert work(text, devices=8).links["all-gather"] == 5 * (count - 1) * KB256


KERNEL = """\
HloModule jit_f, is_scheduled=true

ENTRY %main (q: bf16[4,1024,64], k: bf16[2,1024,64]) -> bf16[4,1024,64] {
  %q = bf16[4,1024,64]{2,1,0:T(8,128)(2,1)} parameter(0)
  %k = bf16[2,1024,64]{2,1,0:T(8,128)(2,1)} parameter(1)
  %m = s8[1,2,2]{2,1,0:T(8,128)(4,1)} constant({...})
  %splash.1 = (f32[512,128]{1,0:T(8,128)}, bf16[4,1024,64]{2,1,0:T(8,128)(2,1)}) custom-call(%m, %q, %k, \
/*index=3*/%k), custom_call_target="tpu_custom_call", frontend_attributes={kernel_metadata={
"xprof_metadata":"{\\"block_q\\": 512}"
}}, metadata={op_name="jit(f)/splash_mha_fwd_segmented_residuals/pallas_call"}
  %out = bf16[4,1024,64]{2,1,0:T(8,128)(2,1)} get-tuple-element(%splash.1), index=1, \
frontend_attributes={kernel_metadata={
"xprof_metadata":"{}"
}}
  ROOT %twice = bf16[4,1024,64]{2,1,0:T(8,128)(2,1)} add(%out, %out)
}
"""


def test_a_kernel_is_read_although_its_metadata_breaks_the_line() -> None:
    found = work(KERNEL)
    (kernel,) = found.kernels
    assert "splash_mha_fwd" in kernel.name
    query, one_head = 4 * 1024 * 128 * 2, 1024 * 128 * 2  # lines of 64 are padded to 128
    mask, scratch = 2 * 8 * 128 // 2, 512 * 128 * 4
    kernel_bytes = query + 2 * one_head + query + scratch
    assert kernel_bytes <= found.hbm - 2 * query <= kernel_bytes + 2 * mask


def test_a_kernel_counts_by_its_name_and_shapes() -> None:
    """Shapes of splash attention over two rows, as it is compiled for v6e."""
    query, key = Array("bf16", (2, 16, 2048, 128)), Array("bf16", (2, 8, 2048, 128))
    mask, scratch, sums = Array("s8", (1, 2, 2)), Array("f32", (2, 512, 128)), Array("f32", (2, 16, 8, 2048))
    product = 2 * 2 * 16 * 2048 * 2048 * 128 * 0.5
    operands = (mask, query, key, key, sums, query)

    def products(name: str, *results: Array) -> float | None:
        found = attention_flops(f"jit(step)/{name}/pallas_call", operands, (scratch, *results), 0.5)
        return None if found is None else found / product

    assert products("splash_mha_fwd_segmented_residuals", query, sums) == 2
    assert products("splash_mha_dq_segmented_no_residuals", query) == 3
    assert products("splash_mha_dkv_segmented_no_residuals", key, key) == 4
    assert products("splash_mha_dkv_segmented_no_residuals", Array("bf16", (4, 2, 16, 2048, 128)), key, key) == 5
    assert products("another", query) is None


CALLED = """\
HloModule jit_step, is_scheduled=true

%update (big: f32[64,8,128], part: f32[1,8,128]) -> (f32[64,8,128], f32[1,8,128]) {
  %big = f32[64,8,128]{2,1,0:T(8,128)} parameter(0)
  %part = f32[1,8,128]{2,1,0:T(8,128)} parameter(1)
  %zero = s32[]{:T(128)S(6)} constant(0)
  %half = f32[32,8,128]{2,1,0:T(8,128)} slice(%big), slice={[0:32], [0:8], [0:128]}
  %sum = f32[1,8,128]{2,1,0:T(8,128)} fusion(%half, %part), kind=kLoop, calls=%add
  %u = f32[64,8,128]{2,1,0:T(8,128)} dynamic-update-slice(%big, %sum, %zero, %zero, %zero)
  ROOT %both = (f32[64,8,128]{2,1,0:T(8,128)}, f32[1,8,128]{2,1,0:T(8,128)}) tuple(%u, %sum)
}

%add (half.1: f32[32,8,128], part.1: f32[1,8,128]) -> f32[1,8,128] {
  %half.1 = f32[32,8,128]{2,1,0:T(8,128)} parameter(0)
  %part.1 = f32[1,8,128]{2,1,0:T(8,128)} parameter(1)
  ROOT %n = f32[1,8,128]{2,1,0:T(8,128)} negate(%part.1)
}

ENTRY %main (p: f32[64,8,128], q: f32[1,8,128]) -> f32[1,8,128] {
  %p = f32[64,8,128]{2,1,0:T(8,128)} parameter(0)
  %q = f32[1,8,128]{2,1,0:T(8,128)} parameter(1)
  %big.2 = f32[64,8,128]{2,1,0:T(8,128)} copy(%p)
  %c = (f32[64,8,128]{2,1,0:T(8,128)}, f32[1,8,128]{2,1,0:T(8,128)}) call(%big.2, %q), to_apply=%update
  %new = f32[64,8,128]{2,1,0:T(8,128)} get-tuple-element(%c), index=0
  %last = f32[1,8,128]{2,1,0:T(8,128)} get-tuple-element(%c), index=1
  ROOT %r = f32[1,8,128]{2,1,0:T(8,128)} fusion(%new, %last), kind=kLoop, calls=%add
}
"""


def test_a_call_takes_the_memory_of_what_it_calls_and_hands_back_what_it_updates() -> None:
    part = 8 * 128 * 4
    # alive within the call: the copy, half of it, and the part that is returned; the update is in the copy's place
    assert peak_bytes(parse(CALLED)) == (64 + 32 + 1) * part
    without_call = CALLED.replace("slice={[0:32], [0:8], [0:128]}", "slice={[0:1], [0:8], [0:128]}").replace(
        "f32[32,8,128]", "f32[1,8,128]"
    )
    assert peak_bytes(parse(without_call)) == (64 + 1 + 1) * part
