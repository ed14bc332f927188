"""Every row is read back from its own tokens before the start, and what reads as something else is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import make_manifest, write_rows
from tests.tunix_backend.helpers.preflight_makers import ModelDir, check, of_model, only, task
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.training.preflight.report import Severity

pytestmark = pytest.mark.tunix


def steps(*texts: str) -> tuple[Step, ...]:
    return tuple(Step(i, text) for i, text in enumerate(texts))


def rows_with(folder: Path, *odd: Trace) -> Path:
    """Two usual rows, the odd ones from line 3 on, and one eval row."""
    return write_rows(folder / "rows.jsonl", [task(1), task(2), *odd], [task(99)])


@pytest.mark.parametrize(
    ("style", "odd", "read", "kept_by"),
    [
        ("tags", {"steps": steps("</reasoning> <answer>9</answer>")}, "'8' reads as '9'", "think or numbered or plain"),
        ("plain", {"steps": steps("first\n#### 9", "then 8")}, "'8' reads as '9'", "tags or think or numbered"),
        ("plain", {"final_answer": "red\nblue"}, "'red\\nblue' reads as 'red'", "tags or think or numbered"),
        ("think", {"steps": steps("so </think> it is")}, "'8' reads as 'it is", "tags or numbered or plain"),
        ("numbered", {"final_answer": "8\nAnswer: 9"}, "'8\\nAnswer: 9' reads as '9'", "tags or think"),
        ("answer", {"steps": (), "final_answer": "8"}, None, None),
    ],
)
def test_a_row_that_reads_as_another_answer_is_named_with_the_styles_that_keep_it(
    tmp_path: Path, models_dir: Path, style: str, odd: dict[str, Any], read: str | None, kept_by: str | None
) -> None:
    path = rows_with(tmp_path, task(3), task(4, **odd))
    found = check(make_manifest(tmp_path, rows=path, batch_size=2, reasoning=style), models_dir)
    if read is None:
        assert found.findings == ()
        return
    finding = only(found, "answer_misread")
    assert (finding.severity, finding.rows, finding.keys) == (Severity.WARNING, (4,), ("rendering.reasoning",))
    assert f"row 4: {read}" in finding.message
    assert f"Choose rendering.reasoning: {kept_by}, which" in finding.advice


def test_where_no_style_keeps_all_rows_none_is_advised(tmp_path: Path, models_dir: Path) -> None:
    everything = "</reasoning><answer>9</answer>\n#### 9\n</think> 9"
    path = rows_with(tmp_path, task(3, steps=steps(everything), final_answer="6\nAnswer: 5"))
    finding = only(check(make_manifest(tmp_path, rows=path, batch_size=2), models_dir), "answer_misread")
    assert finding.advice == "No reasoning style keeps them all; leave these rows out."


def test_an_answer_that_means_the_same_is_no_other(tmp_path: Path, models_dir: Path) -> None:
    path = rows_with(tmp_path, task(3, final_answer=" 1,000 "), task(4, final_answer="a  b"))
    assert check(make_manifest(tmp_path, rows=path, batch_size=2), models_dir).findings == ()


def with_normalizer(folder: Path, **normalizer: Any) -> ModelDir:
    def edit(data: dict[str, Any]) -> None:
        data["normalizer"] = normalizer
        for token in data["added_tokens"]:
            token["normalized"] = True

    return ModelDir(folder / "model").edit("tokenizer.json", edit)


def test_characters_that_the_tokenizer_loses_are_named(tmp_path: Path, models_dir: Path) -> None:
    model = with_normalizer(tmp_path, type="Replace", pattern={"String": "∑"}, content="")
    path = rows_with(tmp_path, task(3, prompt="What is ∑ 3?"), task(4, steps=steps("the ∑ is 8")))
    finding = only(check(of_model(tmp_path, model, rows=path), models_dir), "text_changed")
    assert (finding.severity, finding.rows) == (Severity.WARNING, (3, 4))
    assert "∑ 3?<|im_end|>" in finding.message
    assert " reads as " in finding.message


def test_an_answer_that_the_tokenizer_changes_reads_as_another(tmp_path: Path, models_dir: Path) -> None:
    model = with_normalizer(tmp_path, type="Replace", pattern={"String": "8"}, content="3")
    path = rows_with(tmp_path, task(4))
    found = {finding.code: finding for finding in check(of_model(tmp_path, model, rows=path), models_dir).findings}
    # row 4 is the eval row, whose answer is 198
    assert (found["text_changed"].rows, found["answer_misread"].rows) == ((3, 4), (3, 4))
    assert "'8' reads as '3'" in found["answer_misread"].message


def test_text_that_becomes_a_control_token_blocks(tmp_path: Path, models_dir: Path) -> None:
    model = with_normalizer(tmp_path, type="NFKC")
    path = rows_with(tmp_path, task(3, prompt="What is ＜|im_end|＞ for?"), task(4, prompt="Ｗhat is 4 and 4?"))
    found = {finding.code: finding for finding in check(of_model(tmp_path, model, rows=path), models_dir).findings}
    assert (found["control_tokens"].severity, found["control_tokens"].rows) == (Severity.BLOCKING, (3,))
    assert "turns into <|im_end|>, a control token; row 3: " in found["control_tokens"].message
    assert found["text_changed"].rows == (4,), "what another finding names is not named twice"


def test_control_tokens_in_the_manifests_system_prompt_are_named(tmp_path: Path, models_dir: Path) -> None:
    finding = only(check(make_manifest(tmp_path, system="Think.<|im_end|>"), models_dir), "control_tokens")
    assert (finding.severity, finding.keys) == (Severity.BLOCKING, ("rendering.system",))
    assert finding.message.startswith("rendering.system holds <|im_end|>")
