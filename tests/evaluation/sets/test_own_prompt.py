"""A base model is asked again in its own words, and both results are shown side by side."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import make_manifest
from tunixrt_core.evaluation.execution import execute_evaluation
from tunixrt_core.evaluation.planning import plan_evaluation, plan_evaluations
from tunixrt_core.evaluation.sets.eval_set import EvalRow
from tunixrt_core.evaluation.sets.own_prompt import INSTRUCTION, OwnPrompts, asked_plainly, own_prompts, plain_text
from tunixrt_core.evaluation.sets.setup import EvalRequest, EvalSetup
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.rendering.context import Asked
from tunixrt_core.training.execution import execute_training, run_folder_of
from tunixrt_core.training.trainer import Generation

TALK = Conversation((Message("user", "Hello"), Message("assistant", "Hi.")))
TOOLS = Conversation(
    turns=(Message("assistant", calls=(Call("add", '{"a": 1}'),)), Message("tool", "2")), tools=('{"name": "add"}',)
)


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    made = make_manifest(tmp_path, train_steps=2)
    return made.model_copy(update={"rendering": made.rendering.model_copy(update={"system": "Use <answer> tags."})})


@pytest.fixture
def folder(manifest: RunManifest) -> RunDir:
    found = run_folder_of(manifest, Path())
    execute_training(manifest, found, FakeBackend(), stop=threading.Event())
    return found


def row(prompt: str = "What is 6 times 7?", **more: object) -> EvalRow:
    return EvalRow("r", prompt, "42", **more)  # type: ignore[arg-type]


def test_the_base_is_asked_twice_and_the_tuned_model_once(manifest: RunManifest, folder: RunDir) -> None:
    plans = plan_evaluations(manifest, folder, ("base", "tuned"), EvalRequest())
    assert [plan.label for plan in plans] == ["base", plans[1].label, "base, own prompt"]
    assert len({plan.folder.path for plan in plans}) == 3
    assert plans[2].spec.setup.eval_set == plans[0].spec.setup.eval_set


@pytest.mark.parametrize(("targets", "own", "count"), [(("tuned",), True, 1), (("base", "tuned"), False, 2)])
def test_it_is_not_asked_twice_where_that_is_turned_off_or_it_is_not_asked_at_all(
    manifest: RunManifest, folder: RunDir, targets: tuple[str, ...], own: bool, count: int
) -> None:
    plans = plan_evaluations(manifest, folder, targets, EvalRequest(own_prompt=own))  # type: ignore[arg-type]
    assert len(plans) == count
    assert all(plan.spec.setup.prompt == "run" for plan in plans)


def test_an_evaluation_from_before_there_was_a_choice_is_the_same_as_one_with_the_runs_prompt(
    manifest: RunManifest, folder: RunDir
) -> None:
    """So that answers that exist are not generated again."""
    with_run, own = (plan_evaluation(manifest, folder, "base", EvalRequest(), prompt=p) for p in ("run", "own"))  # type: ignore[arg-type]
    before = with_run.spec.setup.to_dict()
    assert "prompt" not in before
    assert EvalSetup.from_dict(before) == with_run.spec.setup
    assert EvalSetup.from_dict(own.spec.setup.to_dict()) == own.spec.setup
    assert own.spec.setup.hash != with_run.spec.setup.hash


def test_the_instruction_demands_no_format_and_the_runs_system_prompt_is_left_out(
    manifest: RunManifest,
) -> None:
    asked = asked_plainly(row())
    assert (asked.prompt, asked.system) == (f"What is 6 times 7?\n\n{INSTRUCTION}", "")
    assert not set("<>#{}") & set(INSTRUCTION)


def test_what_belongs_to_the_row_stays() -> None:
    asked = asked_plainly(row(system="You are a clerk.", conversation=TALK))
    assert (asked.system, asked.conversation) == ("You are a clerk.", TALK)
    assert asked_plainly(row(conversation=TOOLS)).prompt == "What is 6 times 7?", "a call may be the answer"


def test_a_model_without_a_chat_template_gets_plain_text() -> None:
    assert plain_text(asked_plainly(row())) == f"Question: What is 6 times 7?\n\n{INSTRUCTION}\n\nAnswer:"
    assert plain_text(Asked(prompt="2?", system="Be brief.", conversation=TALK)) == (
        "Be brief.\n\nQuestion: Hello\n\nAnswer: Hi.\n\nQuestion: 2?\n\nAnswer:"
    )
    assert plain_text(Asked(prompt="2?", conversation=TOOLS)) == (
        'Tools:\n{"name": "add"}\n\nQuestion: 2?\n\n'
        'Answer: {"name": "add", "arguments": {"a": 1}}\n\nResult: 2\n\nAnswer:'
    )


def test_an_answer_to_plain_text_ends_where_the_model_writes_the_next_question() -> None:
    ran_on = Generation("It is 42.\nQuestion: What is 1 and 1?\n\nAnswer: 2", 20, True)
    assert OwnPrompts([], plain=True).ended(ran_on) == Generation("It is 42.", 20, False)
    assert OwnPrompts([], plain=False).ended(ran_on) == ran_on
    cut = Generation("It is 4", 20, True)
    assert OwnPrompts([], plain=True).ended(cut) == cut


class Templated(FakeBackend):
    def own_prompts(self, manifest: RunManifest, asked: Sequence[Asked]) -> list[str] | None:
        return [f"[user] {each.prompt} [model]" for each in asked]


def test_a_model_with_a_chat_template_is_asked_in_it(manifest: RunManifest) -> None:
    found = own_prompts(Templated(), manifest, [row()])
    assert (found.texts, found.plain) == ([f"[user] What is 6 times 7?\n\n{INSTRUCTION} [model]"], False)


def test_the_model_is_given_these_prompts_and_its_answers_are_kept_apart(
    manifest: RunManifest, folder: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.helpers import fakes

    given: list[str] = []
    generate = fakes._FakeGenerator.generate

    def watched(self: object, prompts: Sequence[str], **more: object) -> object:
        given.extend(prompts)
        return generate(self, prompts, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(fakes._FakeGenerator, "generate", watched)
    for plan in plan_evaluations(manifest, folder, ("base",), EvalRequest()):
        execute_evaluation(plan, Templated())
        assert plan.is_done
    run, own = given[:3], given[3:]
    assert all("<answer>" in prompt for prompt in run)
    assert all(prompt.startswith("[user] Task") and "<answer>" not in prompt for prompt in own)
