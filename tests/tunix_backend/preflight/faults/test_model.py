"""Each fault of a model's directory, of LoRA and of the template is named, with its keys, before the start."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.families import write_checkpoint
from tests.tunix_backend.helpers.preflight_makers import ModelDir, check, of_model, only
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.preflight.report import Severity

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 64}

pytestmark = pytest.mark.tunix


def with_model(manifest: RunManifest, model_id: str) -> RunManifest:
    return manifest.model_copy(update={"model": manifest.model.model_copy(update={"id": model_id})})


def test_a_model_that_is_not_there_is_named(tmp_path: Path, models_dir: Path) -> None:
    found = check(with_model(make_manifest(tmp_path), "someone/nothing"), models_dir)
    finding = next(finding for finding in found.blocking if finding.code == "model")
    assert "someone/nothing" in finding.message
    assert finding.keys[0] == "model.id"
    assert found.totals is None


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model")
    (model.path / "tokenizer.json").unlink()
    finding = only(check(of_model(tmp_path, model), models_dir), "model")
    assert "tokenizer.json" in finding.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "mamba"}, "mamba"),
        ({"attention_bias": True}, "attention_bias"),
        ({"num_hidden_layers": 2}, "2 layers"),
        ({"intermediate_size": 65}, "gate_proj"),
        ({"num_key_value_heads": 2}, "k_proj"),
    ],
)
def test_a_config_that_does_not_fit_its_weights_is_named(
    tmp_path: Path, models_dir: Path, change: dict[str, Any], said: str
) -> None:
    model = ModelDir(tmp_path / "model").change("config.json", **change)
    finding = only(check(of_model(tmp_path, model), models_dir), "model_config")
    assert finding.severity is Severity.BLOCKING
    assert said in finding.message


def test_broken_weight_files_are_named(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model")
    (model.path / "model.safetensors").write_bytes(b"\xff" * 40)
    assert only(check(of_model(tmp_path, model), models_dir), "model_config").severity is Severity.BLOCKING


def test_a_tokenizer_with_more_tokens_than_the_model_is_named(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

    larger = write_builtin_model("tiny", tmp_path / "tiny")
    finding = only(check(make_manifest(tmp_path, tokenizer=str(larger)), models_dir), "model_config")
    assert "679 tokens, the model only 512" in finding.message
    assert finding.keys == ("tokenizer.path",)


@pytest.mark.parametrize("pattern", ["no_such_projection", "q_proj", "(", ".*q_einsum"])
def test_a_lora_pattern_that_matches_nothing_is_named(tmp_path: Path, models_dir: Path, pattern: str) -> None:
    finding = only(
        check(make_manifest(tmp_path, method="lora", lora_modules=pattern), models_dir), "lora_matches_nothing"
    )
    assert (finding.severity, finding.keys) == (Severity.BLOCKING, ("lora.modules",))


@pytest.mark.parametrize(
    ("kind", "pattern", "fits"),
    [
        ("gemma3_text", ".*q_einsum|.*kv_einsum", True),
        ("gemma3_text", ".*attn/q_proj", False),
        ("llama", ".*mlp/down_proj", True),
    ],
)
def test_lora_patterns_are_matched_with_the_modules_of_the_family(
    tmp_path: Path, models_dir: Path, kind: str, pattern: str, fits: bool
) -> None:
    write_checkpoint(tmp_path / "model", kind, rope_theta=10_000.0)
    manifest = make_manifest(
        tmp_path, model=str(tmp_path / "model"), method="lora", lora_modules=pattern, learning_rate=1e-4, chat="chatml"
    )
    codes = [finding.code for finding in check(manifest, models_dir).blocking]
    assert codes == ([] if fits else ["lora_matches_nothing"])


def test_rows_longer_than_the_model_was_made_for_are_named(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model").change("config.json", max_position_embeddings=32)
    finding = only(check(of_model(tmp_path, model), models_dir), "longer_than_model")
    assert (finding.severity, finding.keys) == (Severity.WARNING, ("max_seq_length",))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"rope_theta": 0}, "rope_theta is 0, but must be a number above 0"),
        ({"rope_theta": "1e6"}, "rope_theta is '1e6'"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": -1}}, "rope_theta is -1"),
        ({"rms_norm_eps": math.nan}, "rms_norm_eps is nan"),
        ({"max_position_embeddings": "x"}, "max_position_embeddings is 'x'"),
        ({"rope_scaling": LLAMA3 | {"high_freq_factor": 1.0}}, "high_freq_factor is 1.0, but must be above low"),
    ],
)
def test_a_number_with_which_nothing_can_be_computed_is_named(
    tmp_path: Path, models_dir: Path, config: dict[str, Any], said: str
) -> None:
    """Each of them was a loss that is not a number, or a silent default."""
    finding = only(
        check(of_model(tmp_path, ModelDir(tmp_path / "model").change("config.json", **config)), models_dir),
        "model_config",
    )
    assert finding.severity is Severity.BLOCKING
    assert said in finding.message


# --- templates --------------------------------------------------------------------------------------------------

QWEN_SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OTHER_END = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{{ '<|eos|>' if m.role == 'assistant' else '<|im_end|>' }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (QWEN_SYSTEM, "'system\\nYou are helpful."),
        (OTHER_END, "with '<|eos|>"),
        ("{{ raise_exception('only one turn') }}", "only one turn"),
        ("{% for m in", "cannot be rendered"),
        ([{"name": "tools", "template": "x"}, {"name": "default", "template": QWEN_SYSTEM}], "You are helpful."),
    ],
)
def test_a_model_whose_own_template_says_something_else_is_named(
    tmp_path: Path, models_dir: Path, template: Any, said: str
) -> None:
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", chat_template=template)
    finding = only(check(of_model(tmp_path, model), models_dir), "chat_template")
    assert finding.severity is Severity.WARNING
    assert said in finding.message


def test_with_the_system_prompt_of_the_template_both_agree(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model")
    (model.path / "chat_template.jinja").write_text(QWEN_SYSTEM)
    assert check(of_model(tmp_path, model, system="You are helpful."), models_dir).findings == ()


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path, models_dir: Path) -> None:
    escape = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", chat_template=escape)
    assert "cannot be rendered" in only(check(of_model(tmp_path, model), models_dir), "chat_template").message


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "did not end within 5 s"),
        ("{{ 'a' * 10000000000 }}", "needed more than 512 MB"),
        ("{{ 'a' * 10000000 }}", "writes more than 4,194,304 characters"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[7].content }}", "has no element 7"),
        ("{% if %}", "Expected an expression"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "recursion"),
        ("{{ raise_exception('No such role') }}", "No such role"),
    ],
)
def test_a_template_that_cannot_be_rendered_costs_a_sentence(
    tmp_path: Path, models_dir: Path, template: str, said: str
) -> None:
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", chat_template=template)
    finding = only(check(of_model(tmp_path, model), models_dir), "chat_template")
    assert finding.severity is Severity.WARNING
    assert said in finding.message


def test_files_beside_the_model_that_cannot_be_read_are_named(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model")
    (model.path / "chat_template.jinja").mkdir()
    (model.path / "generation_config.json").write_text("[" * 100_000)
    found = {finding.code: finding.message for finding in check(of_model(tmp_path, model), models_dir).findings}
    assert "(chat_template.jinja is a folder)" in found["chat_template"]
    assert "generation_config.json is not JSON" in found["model_config"]


def test_a_base_model_without_a_template_is_named_where_turns_are_trained(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", chat_template=None)
    finding = only(check(of_model(tmp_path, model), models_dir), "no_chat_template")
    assert (finding.severity, finding.keys) == (Severity.WARNING, ("rendering.chat", "model.id"))
    assert check(of_model(tmp_path, model, chat="none"), models_dir).findings == ()


def test_rows_encoded_otherwise_than_generation_encodes_are_named(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.data.rows import load_tokenizer, tokenizer_directory
    from tunixrt_core.tunix_backend.preflight.chat_template import template_faults
    from tunixrt_core.tunix_backend.preflight.rows import encode_file

    asked, trained = make_manifest(tmp_path), make_manifest(tmp_path, system="Think first.")
    tokenizer = load_tokenizer(asked, models_dir)
    rows = encode_file(trained, tokenizer, lambda done, total: None)
    found = list(template_faults(asked, tokenizer_directory(asked, models_dir), tokenizer, rows))
    assert [(finding.code, finding.severity) for finding in found] == [("template", Severity.BLOCKING)]
    assert found[0].rows[:3] == (1, 2, 3)
