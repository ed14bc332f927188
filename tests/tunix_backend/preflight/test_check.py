"""Each fault of rows and text is named with its rows before the start, and a clean data set passes with none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.conversations import called, calling, talk
from tests.helpers.render_reference import DIRECTORY
from tests.tunix_backend.conftest import make_manifest, write_rows
from tests.tunix_backend.helpers.preflight_makers import ModelDir, check, long_task, of_model, only, task
from tunixrt_core.errors import InvalidManifest
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.training.preflight.checks import CHECKS
from tunixrt_core.training.preflight.report import Fate, Preflight, Severity

pytestmark = pytest.mark.tunix


def planted(folder: Path, train: list[Trace], evals: list[Trace] | None = None, **hyper: Any) -> Any:
    path = write_rows(folder / "rows.jsonl", train, [task(99)] if evals is None else evals)
    return make_manifest(folder, rows=path, **{"batch_size": 2, **hyper})


@pytest.mark.parametrize("method", [{"method": "full"}, {"method": "lora"}])
@pytest.mark.parametrize("feeding", [{}, {"packing": True}, {"length_buckets": 3}, {"too_long": "drop_steps"}])
def test_a_clean_run_passes_every_check_without_a_warning(
    tmp_path: Path, models_dir: Path, method: dict[str, Any], feeding: dict[str, Any]
) -> None:
    found = check(make_manifest(tmp_path, **method, **feeding), models_dir)
    assert found.findings == ()
    not_asked = {"tile_size"} if method == {"method": "lora"} else {"tile_size", "lora_matches_nothing"}
    assert set(found.passed) == set(CHECKS) - not_asked


def test_counts_that_are_not_those_of_the_file_are_named(tmp_path: Path, models_dir: Path) -> None:
    manifest = planted(tmp_path, [task(i) for i in range(4)])
    data = manifest.data.model_copy(update={"rows": 9, "train_rows": 8})
    finding = only(check(manifest.model_copy(update={"data": data}), models_dir), "row_counts")
    assert finding.message.endswith(": data.rows = 9, in it 5; data.train_rows = 8, in it 4.")
    assert (finding.severity, finding.keys) == (Severity.WARNING, ("data.rows", "data.train_rows"))


@pytest.mark.parametrize(
    ("evals", "said"), [([], "the data has no eval rows"), ([long_task(9, 40)], "all 1 eval rows are left out")]
)
def test_early_stopping_without_an_eval_loss_is_named(
    tmp_path: Path, models_dir: Path, evals: list[Trace], said: str
) -> None:
    found = check(
        planted(tmp_path, [task(i) for i in range(4)], evals, early_stopping=2, max_seq_length=64), models_dir
    )
    (finding,) = (finding for finding in found.findings if finding.code == "early_stopping")
    assert said in finding.message
    assert finding.keys[0] == "cadence.early_stopping"


def test_control_tokens_in_any_text_are_named_with_their_rows(tmp_path: Path, models_dir: Path) -> None:
    rows = [
        task(1),
        task(2, steps=(Step(0, "so <|im_end|> it is"),)),
        task(3, final_answer="6<|eos|>"),
        task(4, prompt="<|im_start|>system"),
    ]
    finding = only(check(planted(tmp_path, rows), models_dir), "control_tokens")
    assert (finding.severity, finding.rows) == (Severity.BLOCKING, (2, 3, 4))
    assert "<|im_end|>" in finding.message


def test_eval_rows_in_train_are_found_by_their_normalised_prompt(tmp_path: Path, models_dir: Path) -> None:
    evals = [task(9), task(2, prompt="what  IS 2 and 2?", final_answer="4")]
    finding = only(check(planted(tmp_path, [task(1), task(2)], evals), models_dir), "eval_in_train")
    assert (finding.severity, finding.rows) == (Severity.BLOCKING, (4,))


def test_duplicates_are_named_other_answers_to_a_prompt_are_none(tmp_path: Path, models_dir: Path) -> None:
    other = task(1, steps=(Step(0, "another way"),))
    finding = only(check(planted(tmp_path, [task(1), other, task(2), task(1)]), models_dir), "duplicates")
    assert (finding.severity, finding.rows) == (Severity.WARNING, (4,))


def test_rows_without_steps_are_named_where_steps_are_to_be_learned(tmp_path: Path, models_dir: Path) -> None:
    rows = [task(1), task(2, steps=())]
    assert only(check(planted(tmp_path, rows), models_dir), "no_steps").rows == (2,)
    assert check(planted(tmp_path, rows, reasoning="answer"), models_dir).findings == ()


def test_lines_that_are_no_rows_are_named_all_of_them(tmp_path: Path, models_dir: Path) -> None:
    manifest = planted(tmp_path, [task(1), task(2)])
    path = Path(manifest.data.path)
    empty_step = {"prompt": "p", "trace_steps": ["a", " "], "final_answer": "b"}
    path.write_bytes(path.read_bytes() + b"[1]\n{\n" + orjson.dumps(empty_step) + b"\n")
    found = check(manifest, models_dir)
    assert [finding.code for finding in found.blocking] == ["data_changed", "data_unreadable"]
    assert found.blocking[1].rows == (4, 5, 6)


def test_a_data_file_that_changed_or_is_gone_is_named(tmp_path: Path, models_dir: Path) -> None:
    manifest = planted(tmp_path, [task(1), task(2)])
    path = Path(manifest.data.path)
    write_rows(path, [task(1), task(3)], [task(99)])
    finding = only(check(manifest, models_dir), "data_changed")
    assert (finding.severity, finding.keys) == (Severity.BLOCKING, ("data.sha256",))
    path.unlink()
    found = check(manifest, models_dir)
    assert only(found, "data_changed").keys == ("data.path",)
    assert found.totals is None


# --- length -----------------------------------------------------------------------------------------------------


def test_rows_that_are_too_long_are_left_out_and_named(tmp_path: Path, models_dir: Path) -> None:
    rows = [task(1), long_task(2, 9), task(3)]
    found = check(planted(tmp_path, rows, max_seq_length=64), models_dir)
    finding = only(found, "rows_left_out")
    assert (finding.severity, finding.rows, finding.keys) == (Severity.WARNING, (2,), ("max_seq_length", "too_long"))
    assert found.totals is not None
    assert (found.totals.rows_left_out, found.totals.train_rows, found.totals.answers_cut) == (1, 2, 0)


def test_the_advice_for_long_rows_is_a_length_at_which_all_fit(tmp_path: Path, models_dir: Path) -> None:
    rows = [task(1), long_task(2, 9), task(3)]
    finding = only(check(planted(tmp_path, rows, max_seq_length=64), models_dir), "rows_left_out")
    advised = int(finding.advice.split("max_seq_length to ")[1].split(",")[0])
    assert check(planted(tmp_path, rows, max_seq_length=advised), models_dir).findings == ()


def test_a_row_that_loses_steps_keeps_its_answer_and_end(tmp_path: Path, models_dir: Path) -> None:
    rows = [task(1), long_task(2, 9), task(3)]
    found = check(planted(tmp_path, rows, max_seq_length=64, too_long="drop_steps"), models_dir)
    assert only(found, "steps_dropped").rows == (2,)
    view = next(view for view in found.views if view.number == 2)
    assert view.fate is Fate.SHORTENED
    seen = "".join(token.text for token in view.tokens if not token.cut)
    assert seen.endswith("</reasoning>\n<answer>4</answer><|im_end|>\n")
    assert "step 0 of" in seen
    assert "step 8 of" in seen
    cut = "".join(token.text for token in view.tokens if token.cut)
    assert "step 4 of" in cut
    # in the order of the data, line by line
    lines = "".join(token.text for token in view.tokens).splitlines()
    assert [line.split(" of ")[0] for line in lines if line.startswith("step ")] == [f"step {n}" for n in range(9)]
    assert "answer" not in cut
    assert len([token for token in view.tokens if not token.cut]) <= 64 < view.length


def test_both_policies_are_counted_whichever_is_chosen(tmp_path: Path, models_dir: Path) -> None:
    rows = [task(1), long_task(2, 9), task(3), task(4, steps=(Step(0, "very long " * 40),))]
    effects = [
        check(planted(tmp_path, rows, max_seq_length=64, too_long=policy), models_dir).policies
        for policy in ("drop_row", "drop_steps")
    ]
    assert effects[0] == effects[1]
    assert [(e.policy, e.kept_whole, e.shortened, e.left_out) for e in effects[0]] == [
        ("drop_row", 2, 0, 2),
        ("drop_steps", 2, 1, 1),
    ]
    assert effects[0][0].trained_tokens < effects[0][1].trained_tokens


def test_where_most_rows_or_all_are_too_long_nothing_starts(tmp_path: Path, models_dir: Path) -> None:
    most = [task(1), long_task(2, 9), long_task(3, 9), long_task(4, 9)]
    assert only(check(planted(tmp_path, most, max_seq_length=64), models_dir), "rows_left_out").severity == "blocking"
    found = check(planted(tmp_path, [long_task(2, 9)], max_seq_length=64), models_dir)
    assert [finding.code for finding in found.blocking] == ["nothing_fits"]
    assert found.totals is not None
    assert found.totals.train_steps == 0


# --- what the tokenizer makes of it -----------------------------------------------------------------------------


@pytest.fixture
def forgetful(tmp_path: Path) -> ModelDir:
    """A model whose tokenizer has no token for the sign §."""
    sign = {"type": "Replace", "pattern": {"String": "§"}, "content": ""}
    return ModelDir(tmp_path / "model").change("tokenizer.json", normalizer=sign)


def test_a_row_in_which_nothing_is_trained_is_named(tmp_path: Path, models_dir: Path, forgetful: ModelDir) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [task(1), task(2, final_answer="§")], [task(9)])
    manifest = of_model(tmp_path, forgetful, rows=path, reasoning="answer")
    finding = only(check(manifest, models_dir), "nothing_trained")
    assert (finding.severity, finding.rows) == (Severity.BLOCKING, (2,))


def test_an_answer_without_a_token_is_named_a_short_one_is_fine(
    tmp_path: Path, models_dir: Path, forgetful: ModelDir
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [task(1), task(2, final_answer="§")], [task(9)])
    # in the plain style the space before the answer and a short answer share a token
    found = check(of_model(tmp_path, forgetful, rows=path, reasoning="plain"), models_dir)
    assert only(found, "answer_cut").rows == (2,)
    assert found.totals is not None
    assert found.totals.answers_cut == 1


def test_a_start_token_that_is_doubled_or_missing_is_named(tmp_path: Path, models_dir: Path) -> None:
    doubled = ModelDir(tmp_path / "doubled").change("tokenizer_config.json", add_bos_token=True)
    rows = write_rows(tmp_path / "rows.jsonl", [task(1), task(2, prompt="<|bos|><|bos|>Again?")], [task(9)])
    manifest = of_model(tmp_path, doubled, rows=rows, chat="none")
    found = {finding.code: finding for finding in check(manifest, models_dir).findings}
    assert found["bos"].rows == (2,)
    assert "twice" in found["bos"].message

    template = "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    wanting = ModelDir(tmp_path / "wanting").change(
        "tokenizer_config.json",
        chat_template=template + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    )
    finding = only(check(of_model(tmp_path, wanting), models_dir), "bos")
    assert (finding.severity, finding.row_count) == (Severity.BLOCKING, 29)
    assert "begin with <|bos|>" in finding.message


def test_the_end_of_a_turn_must_be_a_token_and_stand_at_the_end_of_rows(tmp_path: Path, models_dir: Path) -> None:
    other = check(make_manifest(tmp_path, chat="gemma"), models_dir)
    finding = next(finding for finding in other.blocking if finding.code == "end_token")
    assert finding.keys == ("rendering.chat",)
    assert "<end_of_turn>" in finding.message

    def forget_end(tokenizer: dict[str, Any]) -> None:
        tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if t["content"] != "<|im_end|>"]

    split = ModelDir(tmp_path / "split").edit("tokenizer.json", forget_end)
    found = check(of_model(tmp_path, split), models_dir)
    ends = next(finding for finding in found.blocking if finding.code == "end_token")
    assert ends.row_count == 29


def test_other_programs_must_stop_where_rows_end(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model").change("generation_config.json", eos_token_id=2)
    assert only(check(of_model(tmp_path, model), models_dir), "stop_elsewhere").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("file", "change", "said", "severity"),
    [
        ("tokenizer_config.json", {"pad_token": "<|im_end|>"}, "in the prompt", Severity.BLOCKING),
        ("tokenizer_config.json", {"pad_token": "<nowhere>"}, "no such token", Severity.BLOCKING),
        ("config.json", {"pad_token_id": 3}, "pad_token_id = 3", Severity.WARNING),
    ],
)
def test_a_wrong_padding_token_is_named(
    tmp_path: Path, models_dir: Path, file: str, change: dict[str, Any], said: str, severity: Severity
) -> None:
    found = check(of_model(tmp_path, ModelDir(tmp_path / "model").change(file, **change)), models_dir)
    finding = next(finding for finding in found.findings if said in finding.message)
    assert (finding.code, finding.severity) == ("pad_id", severity)


# --- conversations ----------------------------------------------------------------------------------------------


def talking(folder: Path, train: list[Trace], **hyper: Any) -> Any:
    """As `planted`, with room for the definitions of tools."""
    return planted(folder, train, max_seq_length=2048, **hyper)


def found_in(manifest: Any, models_dir: Path) -> Preflight:
    """Without that the template of the built-in models has no tools."""
    found = check(manifest, models_dir)
    return replace(found, findings=tuple(each for each in found.findings if each.code != "chat_template"))


def test_what_the_chat_format_cannot_write_is_named_with_its_rows(tmp_path: Path, models_dir: Path) -> None:
    rows = [talk(1), called(2), task(3), calling(4)]
    finding = only(found_in(talking(tmp_path, rows, chat="none"), models_dir), "conversation")
    assert (finding.severity, finding.rows, finding.row_count) == (Severity.BLOCKING, (2, 4), 2)
    assert "2 rows hold what the chat format none has no form for: tools, tool calls" in finding.message
    assert found_in(talking(tmp_path, rows), models_dir).findings == ()


@pytest.mark.parametrize(
    ("train_on", "rows", "said"),
    [
        ("all", [task(1), calling(2)], "no row has an earlier turn of the assistant"),
        ("marked", [task(1)], "no row has an earlier turn of the assistant"),
        ("marked", [called(1)], "marks no earlier turn as trained"),
    ],
)
def test_turns_that_are_to_be_trained_and_are_not_there_are_a_warning(
    tmp_path: Path, models_dir: Path, train_on: str, rows: list[Trace], said: str
) -> None:
    finding = only(found_in(talking(tmp_path, rows, train_on=train_on), models_dir), "turns")
    assert finding.severity is Severity.WARNING
    assert said in finding.message


def test_turns_that_are_trained_without_their_thinking_are_a_warning(tmp_path: Path, models_dir: Path) -> None:
    rows = [called(1), talk(2)]
    finding = only(found_in(talking(tmp_path, rows, train_on="all"), models_dir), "earlier_thinking")
    assert (finding.severity, finding.rows) == (Severity.WARNING, (2,))
    for chosen in ("keep", "drop"):
        manifest = talking(tmp_path, rows, train_on="all", earlier_thinking=chosen)
        assert found_in(manifest, models_dir).findings == ()
    assert found_in(talking(tmp_path, rows), models_dir).findings == ()


def test_control_tokens_of_every_turn_and_tool_are_found(tmp_path: Path, models_dir: Path) -> None:
    end = "<|im_end|>"
    before = (Message("user", "a"), Message("assistant", "b", reasoning=end))
    tool = {"type": "function", "function": {"name": "t", "description": end}}
    rows = [
        task(1),
        talk(2, conversation=Conversation(messages=before)),
        called(3, conversation=Conversation(turns=(Message("assistant", calls=(Call("t", {"x": end}),)),))),
        called(4, conversation=Conversation(tools=(tool,))),
    ]
    finding = only(found_in(talking(tmp_path, rows), models_dir), "control_tokens")
    assert finding.rows == (2, 3, 4)


def test_whole_conversations_are_compared_with_the_models_own_template(tmp_path: Path, models_dir: Path) -> None:
    own = (DIRECTORY / "qwen2_5.jinja").read_text(encoding="utf-8")
    qwen = ModelDir(tmp_path / "qwen").change("tokenizer_config.json", chat_template=own)
    path = write_rows(tmp_path / "rows.jsonl", [task(1, system="s"), talk(2, system="s"), calling(3)], [task(99)])

    def findings(model: ModelDir, **hyper: Any) -> list[str]:
        found = check(
            of_model(tmp_path, model, rows=path, batch_size=2, max_seq_length=2048, chat="qwen2.5", **hyper), models_dir
        )
        return [finding.message for finding in found.findings if finding.code == "chat_template"]

    assert findings(qwen) == findings(qwen, earlier_thinking="keep") == []
    other = ModelDir(tmp_path / "other").change(
        "tokenizer_config.json", chat_template=own.replace("<tool_response>", "<result>")
    )
    (message,) = findings(other)
    assert "render a conversation differently" in message
    assert "tool_response>" in message


def test_the_turns_of_a_conversation_are_shown_and_which_are_trained(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.data.rows import load_data
    from tunixrt_core.tunix_backend.preflight.check import show_rows

    manifest = talking(tmp_path, [talk(1)], train_on="all")
    (view,) = show_rows(manifest, models_dir, [1])
    row = load_data(manifest, models_dir).train.rows[0]
    assert [token.id for token in view.tokens] == row.tokens.tolist()
    assert sum(token.trained for token in view.tokens) == row.trained == view.trained
    said = {part: "".join(t.text for t in view.tokens if t.part == part) for part in ("message", "reply", "answer")}
    assert said == {"message": "What is 1 and 1?", "reply": "It is 2.<|im_end|>\n", "answer": "3"}


# --- what is shown ----------------------------------------------------------------------------------------------


def test_a_row_is_shown_with_the_ids_that_the_trainer_gets(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.data.rows import load_data
    from tunixrt_core.tunix_backend.preflight.check import show_rows

    for chat in ("chatml", "none"):
        manifest = make_manifest(tmp_path, chat=chat)
        data = load_data(manifest, models_dir)
        views = show_rows(manifest, models_dir, [1, 5, 24])
        for view in views:
            row = data.train.rows[view.number - 1]
            assert [token.id for token in view.tokens] == row.tokens.tolist()
            assert [token.trained for token in view.tokens].index(True) == row.prompt_length
            assert view.trained == row.trained
    parts = {(token.part, token.step) for token in views[0].tokens}
    assert {("prompt", None), ("format", None), ("step", 1), ("answer", None)} <= parts


def test_characters_of_several_tokens_are_shown_once(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.preflight.check import show_rows

    manifest = planted(tmp_path, [task(1, final_answer="🙂 é")])
    view = show_rows(manifest, models_dir, [1])[0]
    assert "".join(token.text for token in view.tokens).endswith("<answer>🙂 é</answer><|im_end|>\n")
    assert "<|im_end|>" in [token.text for token in view.tokens if token.special]


def test_rows_are_shown_only_of_the_data_of_the_manifest(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.preflight.check import show_rows

    manifest = planted(tmp_path, [task(1)])
    assert show_rows(manifest, models_dir, [77]) == []
    Path(manifest.data.path).write_text("{}\n")
    with pytest.raises(InvalidManifest, match="has changed"):
        show_rows(manifest, models_dir, [1])


def test_picks_lead_with_the_extremes_and_with_what_findings_name(tmp_path: Path, models_dir: Path) -> None:
    rows = [task(1), task(2, steps=()), long_task(3, 9), task(4), task(4)]
    picks = check(planted(tmp_path, rows), models_dir).picks
    assert (picks["longest"][0], picks["shortest"][0], set(picks["worst"][:2])) == (3, 2, {2, 5})
    assert sorted(picks["random"]) == [1, 2, 3, 4, 5, 6]


def test_totals_are_those_of_the_batches(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.data.rows import load_data

    manifest = make_manifest(tmp_path, epochs=2, train_steps=None, gradient_accumulation=2)
    found = check(manifest, models_dir)
    data, totals = load_data(manifest, models_dir), found.totals
    assert totals is not None
    assert (totals.rows, totals.train_rows, totals.eval_rows, totals.packed_rows) == (29, 24, 5, 24)
    assert (totals.tokens, totals.trained_tokens) == (data.train.tokens, data.train.trained_tokens)
    assert (totals.train_steps, totals.epochs) == (3, 2.0)  # 24 rows in 3 batches, 2 of which make a train step
    cells = 24 * totals.batch_lengths[0]
    assert totals.padding_share == pytest.approx(1 - totals.tokens / cells, abs=1e-5)
    assert found.histogram is not None
    assert (sum(found.histogram.train), sum(found.histogram.eval)) == (24, 5)
    packed = check(make_manifest(tmp_path, packing=True, max_seq_length=512), models_dir).totals
    assert packed is not None
    assert packed.packed_rows < 24
    assert packed.batch_lengths == (512,)


def test_progress_is_told_to_the_last_row(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.runs.folder import RunDir
    from tunixrt_core.tunix_backend.preflight.check import run_preflight

    told: list[tuple[int, int]] = []
    manifest = planted(tmp_path, [task(i) for i in range(300)], [task(400)])
    run_preflight(
        manifest, RunDir(tmp_path / "run"), models_dir, on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(256, 301), (301, 301)]


def test_it_imports_neither_jax_nor_tunix(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, method="lora")
    (tmp_path / "manifest.yaml").write_text(manifest.to_yaml())
    code = (
        "import sys; from pathlib import Path; from tunixrt_core.manifest.manifest import load_manifest;"
        "from tunixrt_core.tunix_backend.backend import TunixBackend; from tunixrt_core.runs.folder import RunDir;"
        f"m = load_manifest(Path({str(tmp_path / 'manifest.yaml')!r}));"
        f"found = TunixBackend(Path({str(models_dir)!r})).preflight(m, RunDir(Path(m.output_dir)));"
        "print(found.totals.train_rows, sorted({'jax', 'tunix', 'transformers', 'flax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.strip() == "24 []"


def test_a_tile_size_that_divides_nothing_blocks_qlora_only(tmp_path: Path, models_dir: Path) -> None:
    found = check(make_manifest(tmp_path, method="qlora", tile_size=24), models_dir)
    assert [finding.code for finding in found.blocking] == ["tile_size"]
    assert found.blocking[0].keys == ("lora.tile_size",)
    assert not check(make_manifest(tmp_path, method="lora", tile_size=24), models_dir).blocking
