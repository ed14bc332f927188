"""Generation from base models and from checkpoints."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.tunix_backend.conftest import make_manifest, train, write_rows
from tests.tunix_backend.families import write_checkpoint
from tests.tunix_backend.test_models import load, logits
from tunixrt_core.errors import ModelError, TrainingError
from tunixrt_core.examples import example_traces
from tunixrt_core.manifest import RunManifest
from tunixrt_core.render import ChatFormat, ReasoningStyle, render, render_completion
from tunixrt_core.trainer import Generation
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.tunix_backend.tokenizer import TextTokenizer

pytestmark = pytest.mark.tunix

TRACES = list(example_traces(4))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> RunManifest:
    """A run that has learned four rows by heart."""
    folder = tmp_path_factory.mktemp("learned")
    rows = write_rows(folder / "rows.jsonl", TRACES)
    manifest = make_manifest(
        folder, rows=rows, train_steps=250, batch_size=4, learning_rate=0.02, eval_every=1000, checkpoint_every=1000
    )
    train(manifest, models_dir)
    return manifest


def prompts(n: int = len(TRACES)) -> list[str]:
    return [render(trace, ReasoningStyle.TAGS, ChatFormat.CHATML).prompt for trace in TRACES[:n]]


def checkpoints(manifest: RunManifest) -> Path:
    return Path(manifest.output_dir) / "checkpoints"


def test_a_model_that_learned_rows_by_heart_writes_them_and_stops(learned: RunManifest, models_dir: Path) -> None:
    phases: list[str] = []
    generator = TunixBackend(models_dir).load_generator()(learned, checkpoints(learned), on_phase=phases.append)
    out = generator.generate(prompts(), max_new_tokens=64)
    wanted = [
        render_completion([step.content for step in trace.steps], trace.final_answer, ReasoningStyle.TAGS)
        for trace in TRACES
    ]
    assert [generation.text for generation in out] == wanted
    assert not any(generation.hit_limit for generation in out)
    assert phases[:2] == ["loading", "compiling"]


def test_the_limit_cuts_and_says_so(learned: RunManifest, models_dir: Path) -> None:
    generator = TunixBackend(models_dir).load_generator()(learned, checkpoints(learned), on_phase=lambda phase: None)
    (cut,) = generator.generate(prompts(1), max_new_tokens=5)
    assert (cut.tokens, cut.hit_limit) == (5, True)
    (whole,) = generator.generate(prompts(1), max_new_tokens=64)
    assert whole.text.startswith(cut.text)


def test_prompts_of_all_lengths_are_answered_in_order_batch_by_batch(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.generate import TunixGenerator

    generator = TunixGenerator.load(make_manifest(tmp_path), None, models_dir=models_dir)
    many = [f"{i} {'word ' * (i % 3)}" for i in range(40)]
    seen: list[tuple[int, int]] = []

    def on_batch(first: int, generations: Sequence[Generation]) -> None:
        seen.append((first, len(generations)))

    together = generator.generate(many, max_new_tokens=4, on_batch=on_batch)
    assert seen == [(0, 32), (32, 8)]
    alone = generator.generate(many[35:36], max_new_tokens=4)
    assert alone == together[35:36]


def test_a_stop_ends_after_the_batch_under_way(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.generate import TunixGenerator

    generator = TunixGenerator.load(make_manifest(tmp_path), None, models_dir=models_dir)
    stop = threading.Event()
    out = generator.generate(["7"] * 40, max_new_tokens=4, on_batch=lambda first, generations: stop.set(), stop=stop)
    assert len(out) == 32


def test_no_checkpoint_to_generate_from_is_said(tmp_path: Path, models_dir: Path) -> None:
    load = TunixBackend(models_dir).load_generator()
    with pytest.raises(TrainingError, match="no whole checkpoint"):
        load(make_manifest(tmp_path), tmp_path / "nothing", on_phase=lambda phase: None)


def test_a_chat_format_that_the_tokenizer_does_not_know_is_refused(tmp_path: Path, models_dir: Path) -> None:
    load = TunixBackend(models_dir).load_generator()
    with pytest.raises(ModelError, match="<end_of_turn>"):
        load(make_manifest(tmp_path, chat="gemma"), None, on_phase=lambda phase: None)


def test_no_tokens_at_all_cannot_be_asked_for(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.generate import TunixGenerator

    with pytest.raises(ModelError, match="max_new_tokens"):
        TunixGenerator.load(make_manifest(tmp_path), None, models_dir=models_dir).generate(["7"], max_new_tokens=0)


def test_gemma_2_writes_what_its_forward_pass_says_and_nothing_beyond_its_window(
    tmp_path: Path, models_dir: Path
) -> None:
    from tunixrt_core.tunix_backend.generate import TunixGenerator

    write_checkpoint(tmp_path / "model", "gemma2", sliding_window=48)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method="full", chat="chatml")
    generator = TunixGenerator.load(manifest, None, models_dir=models_dir)
    tokenizer = TextTokenizer(tmp_path / "model")
    model = load(manifest, models_dir).model
    asked = ["7 forward 4 is", "one"]  # of different lengths, so that one of them is padded
    for text, generation in zip(asked, generator.generate(asked, max_new_tokens=6), strict=True):
        ids = tokenizer.encode_prompt(text)
        for _ in range(generation.tokens):
            padded = np.array([*ids, *[0] * (40 - len(ids))])  # of one length; what stands behind is not seen
            ids.append(int(logits(model, padded)[len(ids) - 1].argmax()))
        assert generation.tokens == 6
        assert generation.text == tokenizer.decode(ids[-6:])
    with pytest.raises(ModelError, match=r"take 49 tokens, .* window of 48"):
        generator.generate(asked, max_new_tokens=17)
