"""Built-in models: random weights and a tokenizer, always the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.templates import CHATML
from tunixrt_core.tunix_backend.availability import require_tunix
from tunixrt_core.util.hashing import content_hash

# The ids are the places in this list.
SPECIAL_TOKENS = ("<|pad|>", "<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>")
PAD, BOS, EOS, IM_START, IM_END = range(len(SPECIAL_TOKENS))

# A tag is one token, and so is a digit with the space before it: the model can look both up directly.
_WORDS = r"</?\w+>|[^\S\n]?\p{L}+|[^\S\n]?\p{N}|[^\S\n]?[^\s\p{L}\p{N}]+|\n+|\s+"

# Words of arithmetic stories, so that GSM8K and similar data are not split into bytes.
_PROSE = """
She has 12 apples and he gives her 3 more each day. How many apples does she have in total after 5 days?
There are 24 students in the class and half of them are girls. How many boys are there in the school?
He buys 4 books that cost $5 each and pays with a $50 bill. How much money does he have left?
They sold 20 tickets in the first hour, twice as many in the second hour, and 10 less in the third.
The total number of cups is 3 times the number of people, so they need 6 * 3 = 18 cups for the week.
If a car travels 60 miles per hour for 2 hours, then the distance it travels is 60 * 2 = 120 miles.
It takes her 30 minutes to walk to work every morning and another 45 minutes to walk back home.
The price of a pair of shoes is 20% more than the price of the shirt. What is the cost of all of the items?
After paying for the food she had 1/4 of her money left, which was enough to buy one last box for each child.
First, find the amount of water that was used: 8 - 2 = 6 gallons. Then divide it by the number of days in a month.
Each of his friends will get the same number of eggs, which would make 7 eggs for each of the other people.
So he made a total of 100 + 50 = 150 dollars, and spent 15 of those dollars on his way to the store.
We know that the answer is the sum of the two numbers. Let x be the age of the older of them in 10 years.
This means that only 2 out of every 3 bags could be filled; the rest were given away when he started again.
"""


@dataclass(frozen=True, slots=True)
class TinySpec:
    """Sizes of a built-in model. `std` is the standard deviation of the weights' normal distribution."""

    layers: int
    embed_dim: int
    hidden_dim: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    std: float = 0.05
    seed: int = 0
    revision: int = 1  # to raise when the files change for another reason than the sizes


BUILTIN_MODELS: dict[str, TinySpec] = {
    "tiny": TinySpec(layers=2, embed_dim=128, hidden_dim=512, heads=4, kv_heads=4, head_dim=32, vocab_size=768),
    "tiny-micro": TinySpec(layers=1, embed_dim=32, hidden_dim=64, heads=2, kv_heads=1, head_dim=16, vocab_size=512),
}


def write_builtin_model(name: str, directory: Path) -> Path:
    """Write the model into `directory` and return it; an existing complete model is kept.

    Raises ModelError for a name that is not built in, TunixMissing, and OSError where the directory cannot be written.
    """
    spec = BUILTIN_MODELS.get(name)
    if spec is None:
        raise ModelError(f"There is no built-in model {name!r}. Choose one of {', '.join(BUILTIN_MODELS)}.")
    config = _config(name, spec)
    if _is_whole(directory, config):
        return directory
    require_tunix()  # whose libraries write the weights
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.{os.getpid()}.", suffix=".tmp", dir=directory.parent))
    try:
        _write_files(temporary, spec, config)
        _put_in_place(temporary, directory, config)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return directory


def _is_whole(directory: Path, config: dict[str, Any]) -> bool:
    # the directory appears by one rename, so a readable config with the same sizes means that all files exist
    try:
        found: Any = json.loads((directory / "config.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(found == config)


def _put_in_place(temporary: Path, directory: Path, config: dict[str, Any]) -> None:
    if directory.exists() and not _is_whole(directory, config):
        # left by another version: move it away first, as a rename cannot replace a directory with files
        old = Path(tempfile.mkdtemp(prefix=f".{directory.name}.{os.getpid()}.", suffix=".tmp", dir=directory.parent))
        os.replace(directory, old / directory.name)
        shutil.rmtree(old, ignore_errors=True)
    try:
        os.replace(temporary, directory)
    except OSError:
        if not _is_whole(directory, config):  # otherwise another process was faster and wrote the same
            raise


def _write_files(directory: Path, spec: TinySpec, config: dict[str, Any]) -> None:
    from safetensors.numpy import save_file

    directory.chmod(0o755)
    save_file(dict(_weights(spec)), str(directory / "model.safetensors"), metadata={"format": "pt"})
    (directory / "tokenizer.json").write_text(_tokenizer_json(spec.vocab_size), encoding="utf-8")
    _write_json(directory / "config.json", config)
    _write_json(
        directory / "generation_config.json",
        {"bos_token_id": BOS, "eos_token_id": [IM_END, EOS], "pad_token_id": PAD, "do_sample": False},
    )
    _write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "pad_token": SPECIAL_TOKENS[PAD],
            "bos_token": SPECIAL_TOKENS[BOS],
            "eos_token": SPECIAL_TOKENS[EOS],
            "add_bos_token": False,
            "clean_up_tokenization_spaces": False,
            "model_max_length": config["max_position_embeddings"],
            "chat_template": CHATML,
        },
    )


def _config(name: str, spec: TinySpec) -> dict[str, Any]:
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": spec.vocab_size,
        "hidden_size": spec.embed_dim,
        "intermediate_size": spec.hidden_dim,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "num_key_value_heads": spec.kv_heads,
        "head_dim": spec.head_dim,
        "hidden_act": "silu",
        "attention_bias": False,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "tunixrt_builtin": f"{name}-{_revision(spec)}",
    }


def _revision(spec: TinySpec) -> str:
    return content_hash({name: getattr(spec, name) for name in spec.__slots__})[:12]


def _weights(spec: TinySpec) -> Iterator[tuple[str, Any]]:
    import numpy as np  # imported here, as every command imports this module and starts a tenth faster without NumPy

    # RandomState, not default_rng: its stream is frozen
    rng = np.random.RandomState(spec.seed)

    def normal(*shape: int) -> Any:
        return (rng.standard_normal(shape) * spec.std).astype(np.float32)

    d, f, hd = spec.embed_dim, spec.hidden_dim, spec.head_dim
    yield "model.embed_tokens.weight", normal(spec.vocab_size, d)
    for i in range(spec.layers):
        layer = f"model.layers.{i}"
        yield f"{layer}.self_attn.q_proj.weight", normal(spec.heads * hd, d)
        yield f"{layer}.self_attn.k_proj.weight", normal(spec.kv_heads * hd, d)
        yield f"{layer}.self_attn.v_proj.weight", normal(spec.kv_heads * hd, d)
        yield f"{layer}.self_attn.o_proj.weight", normal(d, spec.heads * hd)
        yield f"{layer}.self_attn.q_norm.weight", np.ones(hd, np.float32)
        yield f"{layer}.self_attn.k_norm.weight", np.ones(hd, np.float32)
        yield f"{layer}.mlp.gate_proj.weight", normal(f, d)
        yield f"{layer}.mlp.up_proj.weight", normal(f, d)
        yield f"{layer}.mlp.down_proj.weight", normal(d, f)
        yield f"{layer}.input_layernorm.weight", np.ones(d, np.float32)
        yield f"{layer}.post_attention_layernorm.weight", np.ones(d, np.float32)
    yield "model.norm.weight", np.ones(d, np.float32)


def _tokenizer_json(vocab_size: int) -> str:
    """A byte-level BPE tokenizer (any text encodes) trained on the example traces and a little prose."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(_tokenizer_texts(), trainer)
    return str(tokenizer.to_str(pretty=False))


# no style may be added: it would change the tokens of the built-in models and of the runs made with them
_STYLES = (ReasoningStyle.TAGS, ReasoningStyle.THINK, ReasoningStyle.PLAIN, ReasoningStyle.ANSWER)


def _tokenizer_texts() -> Iterator[str]:
    for trace in example_traces(100):
        for style in _STYLES:
            rendered = render(trace, style, ChatFormat.CHATML)
            text = rendered.prompt + rendered.completion
            for token in SPECIAL_TOKENS:
                text = text.replace(token, "")
            yield text
    yield from [_PROSE] * 3


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
