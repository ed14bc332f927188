"""Time of the answers to an eval set: our generator beside Tunix's Sampler alone.

    python benchmarks/generation.py --data gsm8k_train.jsonl [--prompts 200] [--tokens 64] [--times 3]

Both answer the same prompts with the same random model in batches of 32 with the same limit. The Sampler gets the
prompts in their order, padded to the longest one, so that it compiles once. The first round of each includes compiling.
The rounds after it alternate between the two, and the ratio is that of their best times.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.training import Bench, traces  # noqa: E402
from tunixrt_core.traces.rendering.row import render_prompt  # noqa: E402

BAR = 0.95


def prepare(folder: Path, data: Path, count: int) -> tuple[Any, list[str]]:
    """A generator over a random model with a tokenizer of its own, and its prompts."""
    from tunixrt_core.tunix_backend.generate.completions import TunixGenerator

    bench = Bench(folder, data, count)
    manifest = bench.manifest("run", method="full")
    rendering = manifest.rendering
    prompts = [render_prompt(trace.prompt, rendering.chat, rendering.reasoning) for trace in traces(data, count)]
    return TunixGenerator.load(manifest, None, models_dir=folder / "models"), prompts


def bare_loop(generator: Any, prompts: Sequence[str], tokens: int, size: int) -> Callable[[], int]:
    """Run Tunix's Sampler over the prompts in their order; return the number of tokens that it wrote."""
    from tunix.generate.sampler import CacheConfig, Sampler

    loaded, tokenizer = generator._loaded, generator._tokenizer
    longest = max(len(tokenizer.encode_prompt(prompt)) for prompt in prompts)
    config = loaded.config
    cache = CacheConfig(longest + tokens, config.num_layers, config.num_kv_heads, config.head_dim)
    sampler = Sampler(loaded.model, tokenizer, cache)

    def run() -> int:
        written = 0
        with loaded.mesh:
            for first in range(0, len(prompts), size):
                batch = list(prompts[first : first + size])
                filled = batch + batch[:1] * (size - len(batch))
                out = sampler(filled, tokens, longest, eos_tokens=generator._stops)
                written += sum(len(found) for found in out.tokens[: len(batch)])
        return written

    return run


def timed(run: Callable[[], int]) -> tuple[float, int]:
    began = time.perf_counter()
    written = run()
    return time.perf_counter() - began, written


def main() -> None:
    from tunixrt_core.tunix_backend.generate.prompt_batches import batch_size

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generator, prompts = prepare(Path(folder), asked.data, asked.prompts)

        def ours() -> int:
            found = generator.generate(prompts, max_new_tokens=asked.tokens)
            return sum(answer.tokens for answer in found.values())

        bare = bare_loop(generator, prompts, asked.tokens, batch_size(len(prompts)))
        (cold, written), (bare_cold, bare_written) = timed(ours), timed(bare)
        rounds = [(timed(ours)[0], timed(bare)[0]) for _ in range(asked.times)]
    warm, bare_warm = (min(each) for each in zip(*rounds, strict=True))
    print(f"{len(prompts)} prompts, at most {asked.tokens} new tokens")
    print(f"shapes compiled           ours {generator.compiles}, Sampler alone 1")
    print(f"with compiling            ours {cold:6.2f} s, Sampler alone {bare_cold:6.2f} s")
    print(f"after that, best of {asked.times}     ours {warm:6.2f} s, Sampler alone {bare_warm:6.2f} s")
    print(f"tokens per second         ours {written / warm:,.0f}, Sampler alone {bare_written / bare_warm:,.0f}")
    ratio = (written / warm) / (bare_written / bare_warm)
    print(f"ratio                     {ratio:.2f} (bar {BAR})")


if __name__ == "__main__":
    main()
