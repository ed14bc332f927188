"""What Tunix loads says what Hugging Face's own code says, token by token. Runs where torch is installed.

`make test-reference` makes such an environment; the others compare with the NumPy forward pass in families.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.families import VOCAB, config_of, write_checkpoint
from tests.tunix_backend.model.test_models import LLAMA_3_SCALING, load, logits
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.templates import CHATML
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.tunix

TOLERANCE = 1e-4  # of logits up to 6, in float32
TOKENS = np.random.RandomState(3).randint(0, VOCAB, 40)  # five times the sliding window
LINEAR = {"rope_type": "linear", "factor": 4.0}
GEMMA_4_ROPE = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 5_000.0},
    "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.5, "rope_theta": 2e5, "factor": 2.0},
}
GEMMA_4_LAYERS = [
    *("full_attention", "sliding_attention", "sliding_attention"),
    *("full_attention", "sliding_attention", "full_attention"),
]

CASES: dict[str, tuple[str, bool, dict[str, Any]]] = {
    "qwen2 tied": ("qwen2", True, {}),
    "qwen2 untied, other base": ("qwen2", False, {"rope_theta": 10_000.0}),
    "qwen2, linear scaling": ("qwen2", True, {"rope_theta": 12_345.5, "rope_scaling": LINEAR}),
    "qwen3 tied, other base": ("qwen3", True, {"rope_theta": 10_000.0}),
    "qwen3 untied": ("qwen3", False, {}),
    "qwen3, one head for keys": ("qwen3", True, {"num_key_value_heads": 1}),
    "llama untied, other epsilon": ("llama", False, {"rope_theta": 500_000.0, "rms_norm_eps": 1e-5}),
    "llama tied, llama 3 scaling": ("llama", True, {"rope_theta": 500_000.0, "rope_scaling": LLAMA_3_SCALING}),
    "llama, linear scaling": ("llama", True, {"rope_scaling": LINEAR}),
    "llama, as many heads for keys": ("llama", False, {"num_key_value_heads": 4}),
    "gemma2, windows and soft caps": ("gemma2", True, {"num_hidden_layers": 4}),
    "gemma2, other base, no caps": (
        "gemma2",
        True,
        {"rope_theta": 500.0, "attn_logit_softcapping": None, "final_logit_softcapping": None},
    ),
    "gemma2, stacked projections": ("gemma2", True, {"num_key_value_heads": 4}),
    "gemma2, one head for keys": ("gemma2", True, {"num_key_value_heads": 1}),
    "gemma3, local and global layers": ("gemma3_text", True, {"num_hidden_layers": 7, "rope_scaling": LINEAR}),
    "gemma3, layers in another order": (
        "gemma3_text",
        True,
        {"layer_types": ["full_attention", "sliding_attention"], "rope_local_base_freq": 5_000.5},
    ),
    "gemma3, scaled by width": ("gemma3_text", True, {"query_pre_attn_scalar": 12}),
    "gemma3, stacked projections": ("gemma3_text", True, {"num_key_value_heads": 4}),
    "gemma3, one head for keys": ("gemma3_text", True, {"num_key_value_heads": 1}),
    "qwen3 moe, untied, other base": ("qwen3_moe", False, {"rope_theta": 10_000_000.0}),
    "qwen3 moe, tied": ("qwen3_moe", True, {}),
    "gemma4, two heads for keys": ("gemma4_text", True, {}),
    "gemma4, one head for keys, other turns": (
        "gemma4_text",
        True,
        {"num_key_value_heads": 1, "rope_parameters": GEMMA_4_ROPE, "final_logit_softcapping": None},
    ),
    "gemma4, borrowed from layers in another order": (
        "gemma4_text",
        True,
        {"layer_types": GEMMA_4_LAYERS, "num_hidden_layers": 6, "num_kv_shared_layers": 3},
    ),
    "gemma4, as many heads for keys, nothing borrowed": (
        "gemma4_text",
        True,
        {"num_key_value_heads": 4, "num_kv_shared_layers": 0, "use_double_wide_mlp": False},
    ),
}


def reference(directory: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def reference_logits(model: Any, tokens: Any = TOKENS) -> Any:
    with torch.no_grad():
        return model(torch.tensor(np.asarray(tokens)[None])).logits[0].numpy()


def loaded_logits(directory: Path, folder: Path, models_dir: Path) -> Any:
    return logits(load(make_manifest(folder, model=str(directory), method="full"), models_dir).model, TOKENS)


@pytest.mark.parametrize("case", CASES)
def test_a_loaded_model_says_what_transformers_says(tmp_path: Path, models_dir: Path, case: str) -> None:
    kind, tied, config = CASES[case]
    write_checkpoint(tmp_path / "model", kind, tied=tied, **config)
    model = reference(tmp_path / "model")
    expected = reference_logits(model)
    assert np.abs(loaded_logits(tmp_path / "model", tmp_path, models_dir) - expected).max() < TOLERANCE
    # and the same after transformers has written it, with the names and keys of its own version
    model.save_pretrained(tmp_path / "again", max_shard_size="40KB")
    assert len(list((tmp_path / "again").glob("*.safetensors"))) > 1
    assert np.abs(loaded_logits(tmp_path / "again", tmp_path, models_dir) - expected).max() < TOLERANCE


def write_gemma_3_with_pictures(directory: Path) -> Any:
    """A tiny Gemma 3 that sees pictures, as transformers writes it. Returns the model."""
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Gemma3Config(
        text_config=config_of("gemma3_text"),
        vision_config={**vision, "image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        image_token_index=VOCAB - 1,
    )
    torch.manual_seed(0)
    model = transformers.Gemma3ForConditionalGeneration(config).eval()
    model.save_pretrained(directory)
    return model


def test_the_text_part_of_a_gemma_3_that_sees_pictures_says_what_transformers_says(
    tmp_path: Path, models_dir: Path
) -> None:
    model = write_gemma_3_with_pictures(tmp_path / "model")
    found = loaded_logits(tmp_path / "model", tmp_path, models_dir)
    with torch.no_grad():
        ids = torch.tensor(TOKENS[None] % (VOCAB - 1))
        expected = model(ids, token_type_ids=torch.zeros_like(ids)).logits[0].numpy()
    assert (TOKENS < VOCAB - 1).all()
    assert np.abs(found - expected).max() < TOLERANCE


def write_gemma_4_with_senses(directory: Path) -> Any:
    """A tiny Gemma 4 that sees and hears, as transformers writes it. Returns the model."""
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    audio = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "output_proj_dims": 16}
    config = transformers.Gemma4Config(
        text_config={**config_of("gemma4_text"), "final_logit_softcapping": 30.0},
        vision_config={**vision, "num_key_value_heads": 2, "head_dim": 8, "position_embedding_size": 16},
        audio_config={**audio, "subsampling_conv_channels": [4, 4]},
    )
    torch.manual_seed(0)
    model = transformers.Gemma4ForConditionalGeneration(config).eval()
    model.save_pretrained(directory)
    return model


def test_the_text_part_of_a_gemma_4_that_sees_and_hears_says_what_transformers_says(
    tmp_path: Path, models_dir: Path
) -> None:
    expected = reference_logits(write_gemma_4_with_senses(tmp_path / "model"))
    assert np.abs(loaded_logits(tmp_path / "model", tmp_path, models_dir) - expected).max() < TOLERANCE


def test_what_nothing_reads_of_a_gemma_4_may_be_in_its_files(tmp_path: Path, models_dir: Path) -> None:
    """The published files hold keys and values for layers that borrow them; those that transformers writes do not."""
    from safetensors.numpy import load_file, save_file

    write_checkpoint(tmp_path / "model", "gemma4_text")
    expected = loaded_logits(tmp_path / "model", tmp_path, models_dir)
    file = tmp_path / "model" / "model.safetensors"
    held = load_file(str(file))
    unread = {
        name.replace("layers.1", f"layers.{i}"): np.full_like(value, 7)
        for i in (2, 3)
        for name, value in held.items()
        if "layers.1.self_attn.k" in name or "layers.1.self_attn.v" in name
    }
    save_file(held | unread, str(file))
    assert len(unread) == 6
    assert np.array_equal(loaded_logits(tmp_path / "model", tmp_path, models_dir), expected)
    assert np.abs(reference_logits(reference(tmp_path / "model")) - expected).max() < TOLERANCE


# How the families write a conversation, in the shape of the templates they publish.
TEMPLATES = {
    ChatFormat.CHATML: CHATML,
    ChatFormat.LLAMA3: (
        "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
        "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    ),
    ChatFormat.GEMMA: (
        "{{ bos_token }}{% set system = messages[0]['content'] ~ '\n\n' if messages[0]['role'] == 'system' else '' %}"
        "{% for message in messages if message['role'] != 'system' %}<start_of_turn>"
        "{{ 'model' if message['role'] == 'assistant' else 'user' }}\n"
        "{{ system if message['role'] == 'user' }}{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    ),
}
CONTROL_TOKENS = {
    ChatFormat.CHATML: ("<|bos|>", ()),
    ChatFormat.LLAMA3: (
        "<|begin_of_text|>",
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    ),
    ChatFormat.GEMMA: ("<bos>", ("<bos>", "<start_of_turn>", "<end_of_turn>")),
}


def tokenizer_directory(directory: Path, chat: ChatFormat, *, adds_bos: bool | None = None) -> Path:
    """The built-in tokenizer with the control tokens and the template of a chat format.

    `adds_bos`: whether it puts the token before every text, by its tokenizer.json (None: nothing is said of it).
    """
    from tokenizers import AddedToken, Tokenizer, processors

    write_builtin_model("tiny-micro", directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    bos, tokens = CONTROL_TOKENS[chat]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    if adds_bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    tokenizer.save(str(directory / "tokenizer.json"))
    path = directory / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {"bos_token": bos, "chat_template": TEMPLATES[chat]}
    del config["add_bos_token"]
    path.write_text(json.dumps(config))
    return directory


TEXTS = ("7 forward 4 is 1.", "  two  spaces\n\n\tand tabs", "Größe 日本語 🙂", "a<|im_end|>b\r\n", "")


@pytest.mark.parametrize("chat", TEMPLATES)
def test_the_tokens_of_a_text_are_those_of_transformers(tmp_path: Path, chat: ChatFormat) -> None:
    directory = tokenizer_directory(tmp_path / "model", chat)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(directory), TextTokenizer(directory)
    for text in TEXTS:
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert ours.encode_completion(text) == ids
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True)
    assert (ours.eos_id(), ours.pad_id()) == (theirs.eos_token_id, theirs.pad_token_id)


@pytest.mark.parametrize("adds_bos", [True, False])
def test_a_beginning_token_is_put_where_transformers_puts_one(tmp_path: Path, adds_bos: bool) -> None:
    directory = tokenizer_directory(tmp_path / "model", ChatFormat.LLAMA3, adds_bos=adds_bos)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(directory), TextTokenizer(directory)
    assert ours.encode_prompt("7 forward") == theirs("7 forward")["input_ids"]
    assert (ours.encode_prompt("7")[0] == theirs.bos_token_id) is adds_bos


TRACE = Trace(prompt=" What is 7 forward 4? ", steps=(Step(0, "Move by 7."), Step(1, "It is 1.")), final_answer="1")


@pytest.mark.parametrize("system", [None, " Answer in steps.\n"])
@pytest.mark.parametrize("chat", TEMPLATES)
def test_a_conversation_is_written_as_the_models_own_template_writes_it(
    tmp_path: Path, chat: ChatFormat, system: str | None
) -> None:
    directory = tokenizer_directory(tmp_path / "model", chat, adds_bos=chat is not ChatFormat.CHATML)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(directory), TextTokenizer(directory)
    rendered = render(TRACE, ReasoningStyle.TAGS, chat, system=system)
    # Gemma's own template leaves the system text as it is; here it is stripped like all others
    head = [{"role": "system", "content": system.strip() if chat is ChatFormat.GEMMA else system}] if system else []
    asked = [*head, {"role": "user", "content": TRACE.prompt}]
    answered = [*asked, {"role": "assistant", "content": render_answer()}]
    assert rendered.prompt == theirs.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert rendered.prompt + rendered.completion == theirs.apply_chat_template(answered, tokenize=False)
    ids = theirs.apply_chat_template(answered, tokenize=True, return_dict=False)
    assert [*ours.encode_prompt(rendered.prompt), *ours.encode_completion(rendered.completion)] == ids


def render_answer() -> str:
    return "<reasoning>\nMove by 7.\nIt is 1.\n</reasoning>\n<answer>1</answer>"
