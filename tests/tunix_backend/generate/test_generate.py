"""Generation from base models and from checkpoints."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.conftest import cases
from tests.tunix_backend.conftest import make_manifest, train, write_rows
from tests.tunix_backend.helpers.families import KINDS, write_checkpoint
from tests.tunix_backend.model.test_models import load, logits
from tunixrt_core.errors import CheckpointError, ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.training.trainer import Generation, Sampling
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer

if TYPE_CHECKING:
    from tunixrt_core.tunix_backend.generate.completions import TunixGenerator

pytestmark = pytest.mark.tunix

TRACES = list(example_traces(4))
MIXED = [f"{i} {'word ' * (i * 7 % 60)}" for i in range(200)]
EVEN = [f"{i} + {i % 7}" for i in range(70)]  # three batches of one shape
WARM = Sampling(temperature=1.0, seed=5)


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


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> TunixGenerator:
    """The untrained model, which never stops by itself."""
    return load_base(make_manifest(tmp_path_factory.mktemp("base")), models_dir)


def load_base(manifest: RunManifest, models_dir: Path, phases: list[str] | None = None) -> TunixGenerator:
    from tunixrt_core.tunix_backend.generate.completions import TunixGenerator

    heard = [] if phases is None else phases
    return TunixGenerator.load(manifest, None, models_dir=models_dir, on_phase=heard.append)


def test_a_model_that_learned_rows_by_heart_writes_them_and_stops(learned: RunManifest, models_dir: Path) -> None:
    phases: list[str] = []
    generator = TunixBackend(models_dir).load_generator()(learned, checkpoints(learned), on_phase=phases.append)
    out = generator.generate(prompts(), max_new_tokens=64)
    wanted = [
        render_completion([step.content for step in trace.steps], trace.final_answer, ReasoningStyle.TAGS)
        for trace in TRACES
    ]
    assert [out[i].text for i in range(len(TRACES))] == wanted
    assert not any(generation.hit_limit for generation in out.values())
    assert phases == ["loading", "compiling"]
    again = generator.generate(prompts(), max_new_tokens=64)
    assert again == out
    assert phases == ["loading", "compiling", "generating"]


def test_the_limit_is_exact_and_a_stop_token_in_its_last_place_is_a_stop(
    learned: RunManifest, models_dir: Path
) -> None:
    generator = TunixBackend(models_dir).load_generator()(learned, checkpoints(learned), on_phase=lambda phase: None)

    def answer(limit: int) -> Generation:
        return generator.generate(prompts(1), max_new_tokens=limit)[0]

    whole, cut = answer(64), answer(5)
    assert (cut.tokens, cut.hit_limit) == (5, True)
    assert whole.text.startswith(cut.text)
    assert whole.prompt_tokens == len(generator._tokenizer.encode_prompts(prompts(1))[0])  # type: ignore[attr-defined]
    assert answer(whole.tokens + 1) == whole
    assert answer(whole.tokens) == Generation(whole.text, whole.tokens, True, whole.prompt_tokens)


@pytest.mark.parametrize("sampling", [Sampling(), WARM], ids=["greedy", "drawn"])
def test_a_text_that_is_followed_is_the_same_and_grows_to_its_end(base: TunixGenerator, sampling: Sampling) -> None:
    alone = base.generate(["1 + 1"], max_new_tokens=18, sampling=sampling)
    texts: list[str] = []
    followed = base.generate(
        ["1 + 1"], max_new_tokens=18, sampling=sampling, on_text=lambda found: texts.append(found[0])
    )
    assert followed == alone
    assert len(texts) == 6  # the first token, and parts of four behind it
    assert texts[0] == base.generate(["1 + 1"], max_new_tokens=1, sampling=sampling)[0].text
    assert texts[-1] == alone[0].text
    assert all(alone[0].text.startswith(text.rstrip("\ufffd")) for text in texts)


def test_the_stop_tokens_of_an_answer_are_not_shown(learned: RunManifest, models_dir: Path) -> None:
    generator = TunixBackend(models_dir).load_generator()(learned, checkpoints(learned), on_phase=lambda phase: None)
    texts: list[str] = []
    found = generator.generate(prompts(1), max_new_tokens=64, on_text=lambda all_: texts.append(all_[0]))
    assert texts[-1] == found[0].text
    assert not found[0].hit_limit


def test_a_stop_ends_within_an_answer_that_is_followed(base: TunixGenerator) -> None:
    stop, texts = threading.Event(), []

    def see(found: Mapping[int, str]) -> None:
        texts.append(found[0])
        stop.set()

    assert base.generate(["1 + 1"], max_new_tokens=64, on_text=see, stop=stop) == {}
    assert len(texts) == 1


def test_two_hundred_prompts_of_mixed_length_are_compiled_three_times_at_most(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.train.reporting.compiles import CompileCounter

    phases: list[str] = []
    generator = load_base(make_manifest(tmp_path), models_dir, phases)
    with CompileCounter("_prefill_fn") as prefill, CompileCounter("_decode_fn") as decode:
        out = generator.generate(MIXED, max_new_tokens=4)
    assert sorted(out) == list(range(200))
    assert generator.compiles == prefill.count == decode.count == phases.count("compiling") == 3
    assert phases.count("generating") == 7 - 3


def test_an_answer_does_not_depend_on_the_prompts_beside_it(base: TunixGenerator) -> None:
    together = base.generate([*EVEN, *MIXED[9:11]], max_new_tokens=6)
    assert together[35] == base.generate(EVEN, max_new_tokens=6)[35]
    assert together[35] == base.generate(EVEN[35:36], max_new_tokens=6)[0]


def test_each_batch_is_told_as_it_ends(base: TunixGenerator) -> None:
    told: list[Mapping[int, Generation]] = []
    out = base.generate(EVEN, max_new_tokens=6, on_batch=told.append)
    assert sorted(len(batch) for batch in told) == [22, 24, 24]
    assert {place: answer for batch in told for place, answer in batch.items()} == out


@pytest.mark.parametrize("sampling", [WARM, Sampling(temperature=0.7, top_p=0.9, top_k=20, seed=5)])
def test_drawn_answers_to_one_prompt_differ_and_come_again_with_the_seed(
    base: TunixGenerator, sampling: Sampling
) -> None:
    asked = [prompt for prompt in EVEN[:15] for _ in range(4)]
    out = base.generate(asked, max_new_tokens=6, sampling=sampling)
    assert all(len({out[4 * i + k].text for k in range(4)}) == 4 for i in range(15))
    compiles = base.compiles
    assert base.generate(asked, max_new_tokens=6, sampling=sampling) == out
    assert base.generate(asked, max_new_tokens=6, sampling=replace(sampling, seed=6)) != out
    assert base.compiles == compiles


def test_batches_draw_differently_from_each_other(base: TunixGenerator) -> None:
    out = base.generate(["7"] * 48, max_new_tokens=6, sampling=WARM)
    assert [out[i].text for i in range(24)] != [out[i].text for i in range(24, 48)]


def test_the_temperature_is_heeded(base: TunixGenerator) -> None:
    cold = base.generate(EVEN, max_new_tokens=6, sampling=Sampling(temperature=1e-4))
    assert cold == base.generate(EVEN, max_new_tokens=6)
    assert cold != base.generate(EVEN, max_new_tokens=6, sampling=WARM)


@pytest.mark.parametrize("sampling", [Sampling(), WARM])
def test_what_a_stopped_generation_left_out_comes_as_if_it_had_not_been_stopped(
    base: TunixGenerator, sampling: Sampling
) -> None:
    whole = base.generate(EVEN, max_new_tokens=6, sampling=sampling)
    stop = threading.Event()
    first = base.generate(EVEN, max_new_tokens=6, sampling=sampling, on_batch=lambda batch: stop.set(), stop=stop)
    assert len(first) == 24
    told: list[Mapping[int, Generation]] = []
    rest = base.generate(EVEN, max_new_tokens=6, sampling=sampling, skip=first.keys(), on_batch=told.append)
    assert not first.keys() & rest.keys()
    assert first | rest == whole
    assert len(told) == 2


def test_each_batch_of_the_plan_alone_is_answered_as_in_the_whole(base: TunixGenerator) -> None:
    told: list[Mapping[int, Generation]] = []
    whole = base.generate(EVEN, max_new_tokens=6, sampling=WARM, on_batch=told.append)
    plan = base.plan(EVEN, 6)
    assert plan == [tuple(batch) for batch in told]
    for places in plan[::-1]:
        others = set(range(len(EVEN))) - set(places)
        alone = base.generate(EVEN, max_new_tokens=6, sampling=WARM, skip=others)
        assert alone == {place: whole[place] for place in places}


def test_a_batch_that_was_answered_in_part_is_answered_whole(base: TunixGenerator) -> None:
    whole = base.generate(EVEN, max_new_tokens=6, sampling=WARM)
    answered = [place for place in range(70) if place % 3]
    assert base.generate(EVEN, max_new_tokens=6, sampling=WARM, skip=answered) == whole


def test_no_prompts_are_no_answers(base: TunixGenerator) -> None:
    assert base.generate([], max_new_tokens=4) == {}


def test_a_closed_generator_holds_no_memory_of_the_device(tmp_path: Path, models_dir: Path) -> None:
    generator = load_base(make_manifest(tmp_path), models_dir)
    generator.generate(["7"], max_new_tokens=4)
    held = weakref.ref(generator._require_model().model)
    generator.close()
    gc.collect()
    assert held() is None
    with pytest.raises(ModelError, match="closed"):
        generator.generate(["7"], max_new_tokens=4)


def test_no_checkpoint_to_generate_from_is_said(tmp_path: Path, models_dir: Path) -> None:
    load = TunixBackend(models_dir).load_generator()
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        load(make_manifest(tmp_path), tmp_path / "nothing", on_phase=lambda phase: None)


def test_a_chat_format_that_the_tokenizer_does_not_know_is_refused(tmp_path: Path, models_dir: Path) -> None:
    load = TunixBackend(models_dir).load_generator()
    with pytest.raises(ModelError, match="<end_of_turn>"):
        load(make_manifest(tmp_path, chat="gemma"), None, on_phase=lambda phase: None)


def test_no_tokens_at_all_cannot_be_asked_for(base: TunixGenerator) -> None:
    with pytest.raises(ModelError, match="max_new_tokens"):
        base.generate(["7"], max_new_tokens=0)


def test_the_model_s_own_stop_tokens_end_an_answer_too(tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.generate.completions import stop_ids

    write_checkpoint(tmp_path / "model", "qwen3")
    tokenizer = TextTokenizer(tmp_path / "model")
    end, turn = tokenizer.eos_id(), tokenizer.token_id("<|im_end|>")
    assert stop_ids(tokenizer, ChatFormat.CHATML, tmp_path / "model") == [end, turn]
    named = tmp_path / "model" / "generation_config.json"
    named.write_text(json.dumps({"eos_token_id": [turn, 17]}))
    assert stop_ids(tokenizer, ChatFormat.CHATML, tmp_path / "model") == [end, turn, 17]
    named.write_text(json.dumps({"eos_token_id": 18}))
    assert stop_ids(tokenizer, ChatFormat.CHATML, tmp_path / "model") == [end, turn, 18]


@pytest.mark.parametrize("kind", cases(KINDS, {"qwen3", "gemma3_text", "gemma4_text"}))
def test_each_greedy_token_is_the_likeliest_of_a_whole_forward_pass(
    kind: str, tmp_path: Path, models_dir: Path
) -> None:
    window = {"sliding_window": 64} if kind == "gemma2" else {}  # Gemma 3 and 4 leave their window of 8 behind
    write_checkpoint(tmp_path / "model", kind, **window)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method="full", chat="chatml")
    generator = load_base(manifest, models_dir)
    tokenizer = TextTokenizer(tmp_path / "model")
    model = load(manifest, models_dir).model
    asked = [
        "7 forward 4 is",
        "one",
        "a longer prompt than the others, with more words in it",
    ]  # two of them are padded
    for i, generation in generator.generate(asked, max_new_tokens=12).items():
        ids = tokenizer.encode_prompt(asked[i])
        for _ in range(generation.tokens):
            padded = np.array([*ids, *[0] * (64 - len(ids))])  # of one length; what is behind is not seen
            ids.append(int(logits(model, padded)[len(ids) - 1].argmax()))
        assert generation.tokens == 12
        assert generation.text == tokenizer.decode(ids[-12:])


REMATS = [(kind, remat) for kind in KINDS for remat in ("block", "decoder")]


@pytest.mark.parametrize(("kind", "remat"), cases(REMATS, {("llama", "decoder"), ("gemma2", "block")}))
def test_a_model_that_is_trained_with_remat_answers_as_without(
    tmp_path: Path, models_dir: Path, kind: str, remat: str
) -> None:
    write_checkpoint(tmp_path / "model", kind, **({"sliding_window": 64} if kind == "gemma2" else {}))
    said = []
    for value in ("none", remat):
        manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method="lora", chat="none", remat=value)
        generator = load_base(manifest, models_dir)
        said += [[g.text for g in generator.generate(EVEN[:2], max_new_tokens=6).values()]]
        generator.close()
    assert said[0] == said[1]


def test_gemma_2_writes_nothing_beyond_its_window(tmp_path: Path, models_dir: Path) -> None:
    write_checkpoint(tmp_path / "model", "gemma2", sliding_window=48)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method="full", chat="chatml")
    generator = load_base(manifest, models_dir)
    assert generator.generate(["one"], max_new_tokens=32)[0].tokens == 32
    with pytest.raises(ModelError, match=r"take 49 tokens, .* window of 48"):
        generator.generate(["one"], max_new_tokens=33)
