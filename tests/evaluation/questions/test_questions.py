"""A question that cannot be asked says why; a state tells which model has answered."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.helpers.conversations import CALL, called
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.questions.question import Answered, Question, QuestionState
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.traces.conversation import Conversation, Message


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": "a\0b"}, "NUL"),
        ({"prompt": "a\ud800"}, "surrogate"),
        ({"prompt": "a" * ((1 << 20) + 1)}, "1,048,577 bytes"),
        ({"system": "\0"}, "system: holds a NUL"),
        ({"targets": ()}, "targets is empty"),
        ({"targets": ("base", "other")}, "base, other"),
        ({"targets": ("base", "base")}, "once"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"conversation": Conversation(turns=(Message("user", "a"),))}, r"turns\[0\].role: is user"),
        ({"conversation": Conversation(calls=(CALL,))}, "calls: are what the model is to write"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidEvaluation, match=says):
        Question(**{"run_id": "r-0001", "prompt": "How far?", **wrong})


def test_a_state_tells_which_model_has_answered_and_is_plain_json() -> None:
    question = Question(run_id="r-0001", prompt="How far?", conversation=called().conversation)
    base = Answered(
        target="base",
        train_step=None,
        model="tiny",
        output="7",
        steps=(),
        answer="7",
        prompt_tokens=3,
        tokens=1,
        hit_limit=False,
        seconds=0.5,
        compiled=True,
    )
    state = QuestionState(id="q-1", question=question, status=RunStatus.RUNNING, answers=(base,))
    assert state.answer_of("base") is base
    assert state.answer_of("tuned") is None
    told = orjson.loads(orjson.dumps(state.to_dict()))
    assert (told["status"], told["question"]["targets"]) == ("running", ["base", "tuned"])
    assert told["question"]["conversation"]["turns"][1] == {"role": "tool", "content": "1 degrees"}
    assert told["answers"][0]["answer"] == "7"
