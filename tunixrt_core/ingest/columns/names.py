"""Usual names of columns, compared without case and separators."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Each in the order of preference: the first that a row has a value for is used.
QUESTIONS = (
    "question",
    "problem",
    "instruction",
    "query",
    "prompt",
    "problem_statement",
    "question_text",
    "question_stem",
    "user_prompt",
    "user_query",
    "user_input",
    "input",
    "inputs",
    "task",
)
ANSWERS = ("final_answer", "answer", "response", "output", "solution", "target", "targets", "answers", "answer_text")
# what a model wrote: reasoning and answer in one text
COMPLETIONS = (
    "response",
    "generation",
    "output",
    "generated_text",
    "generated_solution",
    "generated_answer",
    "model_response",
    "model_output",
    "model_answer",
    "model_solution",
    "model_completion",
    "r1_solution",
    "r1_generation",
    "r1_response",
    "deepseek_response",
    "deepseek_solution",
    "full_response",
    "llm_response",
    "assistant_response",
    "completion",
)
LISTS_OF_COMPLETIONS = ("generations", "responses", "outputs", "completions", "solutions", "r1_solutions")
REASONINGS = (
    "reasoning",
    "rationale",
    "thinking",
    "reasoning_content",
    "chain_of_thought",
    "cot",
    "cot_content",
    "steps",
    "solution",
    "complex_cot",
    "deepseek_reasoning",
    "thought",
    "thoughts",
    "think",
    "reasoning_trace",
    "reasoning_steps",
    "r1_reasoning",
    "model_reasoning",
)
REFERENCES = (
    "reference_answer",
    "expected_answer",
    "ground_truth",
    "ground_truth_answer",
    "gold_answer",
    "golden_answer",
    "correct_answer",
    "true_answer",
    "reference_solution",
    "expected_output",
    "expected",
    "reference",
    "gold",
    "ground_truth_solution",
    "final_answer",
    "answer",
    "target",
    "solution",
)
# what must be known to answer the question; it precedes the question in the prompt
CONTEXTS = (
    "context",
    "contexts",
    "ctx",
    "body",
    "passage",
    "passages",
    "theory",
    "article",
    "story",
    "scenario",
    "document",
    "documents",
    "paragraph",
    "background",
    "premise",
    "premises",
    "narrative",
    "dialogue_context",
    "schema",
    "table",
)
CHOICES = ("choices", "options", "answer_choices", "candidates", "endings", "multiple_choice", "answer_options")
# one column per choice, `{}` for its letter or number
LETTERED_CHOICES = ("{}", "option_{}", "choice_{}", "option{}", "choice{}", "op{}", "answer_{}", "ending{}", "sol{}")
# which choice is right, where no column of answers says it
KEYS_OF_CHOICES = (
    "answer_key",
    "correct_option",
    "correct_choice",
    "correct_answer",
    "correct_index",
    "correct",
    "answer_index",
    "answer_idx",
    "gold",
    "label",
    "cop",
)
# other names for chat messages; they count where the column holds messages
CHATS = (
    "conversation",
    "dialog",
    "dialogue",
    "dialogs",
    "chat",
    "chats",
    "chat_rounds",
    "turns",
    "message",
    "chat_messages",
    "contents",
    "trajectory",
    "transcript",
)
# columns of chats and lists, which CSV and Parquet hold as JSON text
STRUCTURED = (
    "messages",
    "conversations",
    "prompt",
    "completion",
    "completions",
    "labels",
    "chosen",
    "rejected",
    "steps",
    "trace_steps",
    "generations",
    "thinking_trajectories",
    *CHOICES,
)
_OTHERS = (
    "system",
    "source",
    "model",
    "metadata",
    "meta",
    "label",
    "question",
    "prompts",
    "attempt",
    "generation_model",
    "correctness_math_verify",
    "correctness_llama",
    "is_reasoning_complete",
    "finish_reasons",
    "pass_rate_72b_tir",
    "schema_version",
    "agent",
    "trace_version",
    "input",
    *(
        f"{writer}_{name}"
        for writer in ("gemini", "deepseek")
        for name in ("thinking_trajectory", "attempt", "grade", "grade_reason")
    ),
)
# these are common words for other things too: another case of them alone says nothing
_WEAK = frozenset({"source", "model", "label", "agent", "table", "schema", "correct", "gold", "cop", "meta"})


def plain(name: str) -> str:
    """The letters and digits of a name, without case: `Expected Answer` and `expectedAnswer` are one name."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _by_plain(*groups: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in (name for group in groups for name in group):
        found.setdefault(plain(name), name)
    return found


_KNOWN: Mapping[str, str] = _by_plain(
    QUESTIONS,
    ANSWERS,
    COMPLETIONS,
    LISTS_OF_COMPLETIONS,
    REASONINGS,
    REFERENCES,
    CONTEXTS,
    CHOICES,
    KEYS_OF_CHOICES,
    CHATS,
    STRUCTURED,
    _OTHERS,
)
_NAMES = frozenset(_KNOWN.values())


def usual_name(name: str) -> str | None:
    """The name as the formats write it; None for one that is not known."""
    return name if name in _NAMES else _KNOWN.get(plain(name))


def is_usual_name(name: str) -> bool:
    """Whether a name is one that the formats know, in any spelling."""
    return usual_name(name) is not None


def renamed(names: Iterable[str]) -> dict[str, str]:
    """Each name that is a usual one in another spelling, with the usual one. None takes the place of another column.

    Weak names, such as `Source`, are renamed only where a strong one is.
    """
    given = list(names)
    taken, found = set(given), dict[str, str]()
    for name in given:
        usual = None if name in _NAMES else _KNOWN.get(plain(name))
        if usual is not None and usual not in taken:
            found[name] = usual
            taken.add(usual)
    return found if any(usual not in _WEAK for usual in found.values()) else {}
