"""The tokens that are trained on are those of TRL's SFTTrainer, on the rows of our own exports.

Runs where trl and torch are installed; `make test-reference` makes such an environment. Where TRL and Tunix RT differ
by design a test says in what, and docs/reference/exports.md why.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from msgspec.structs import replace

from tests.helpers.conversations import TOOL
from tests.helpers.render_reference import DIRECTORY
from tests.traces.rendering.test_context import openai
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.traces.conversation import Call, Conversation, Message, calls_text
from tunixrt_core.traces.rendering.chats import ChatFormat, stop_tokens
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.row import TurnOptions, render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.text import Rendered
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.tunix_backend.data.encoding import FIRST_TRAINED, RowEncoder
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
trl = pytest.importorskip("trl")

pytestmark = pytest.mark.tunix


class Family(NamedTuple):
    """The template that TRL knows a family by, its beginning-of-sequence token, and its other control tokens."""

    template: str
    begin: str
    tokens: tuple[str, ...]


GEMMA = ("<bos>", ("<start_of_turn>", "<end_of_turn>"))
FAMILIES = {
    ChatFormat.QWEN25: Family("qwen2_5", "", ("<|im_start|>", "<|im_end|>")),
    ChatFormat.QWEN3: Family("qwen3", "", ("<|im_start|>", "<|im_end|>")),
    ChatFormat.GEMMA: Family("gemma", *GEMMA),
    ChatFormat.GEMMA3: Family("gemma3", *GEMMA),
    ChatFormat.LLAMA3: Family(
        "llama3", "<|begin_of_text|>", ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    ),
}
TRACES = (
    Trace("What is 7 forward 4?", (Step(0, "Move on from 7."), Step(1, "It is 1.")), "1"),
    Trace("Größe? 日本語 🙂", (Step(0, "a  b\n\n c"),), "x = 2\nso 2"),
    Trace("Say 3.", (), "3"),
    Trace("What is 2 back 3?", (Step(0, "Go back."),), "6", system="Answer in steps."),
)


class Row(NamedTuple):
    """A row as a trainer sees it: its ids, and which of them are trained on."""

    ids: list[int]
    trained: list[bool]


def tokenizer_directory(directory: Path, chat: ChatFormat) -> Path:
    """The built-in tokenizer with the control tokens and the own template of a family."""
    from tokenizers import AddedToken, Tokenizer

    family = FAMILIES[chat]
    write_builtin_model("tiny-micro", directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokens = [token for token in (family.begin, *family.tokens) if token]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    tokenizer.save(str(directory / "tokenizer.json"))
    path = directory / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {
        "bos_token": family.begin or None,
        "eos_token": stop_tokens(chat)[0],
        "chat_template": (DIRECTORY / f"{family.template}.jinja").read_text(encoding="utf-8"),
    }
    config.pop("add_bos_token", None)
    path.write_text(json.dumps(config))
    return directory


def traces_for(chat: ChatFormat) -> list[Trace]:
    return [trace for trace in TRACES if chat is not ChatFormat.GEMMA or trace.system is None]  # its template refuses


def ours(directory: Path, chat: ChatFormat, style: ReasoningStyle) -> list[Row]:
    def text_of(trace: Trace) -> Rendered:
        return render(trace, style, chat)

    encoder = RowEncoder(TextTokenizer(directory), text_of, max_length=4096)
    rows = encoder.encode_all(traces_for(chat)).rows
    return [Row(row.tokens.tolist(), (row.parts >= FIRST_TRAINED).tolist()) for row in rows]


def theirs(directory: Path, chat: ChatFormat, format: str, options: ExportOptions, **more: Any) -> list[Row]:
    """What SFTTrainer has made of an export by the time that it trains."""
    exported = [orjson.loads(line) for line in EXPORT_FORMATS[format](traces_for(chat), options=options)]
    kept = [{key: row[key] for key in ("messages", "prompt", "completion") if key in row} | more for row in exported]
    return trained_on(directory, kept, assistant_only_loss=format == "messages")


def trained_on(directory: Path, rows: list[dict[str, Any]], *, assistant_only_loss: bool) -> list[Row]:
    from datasets import Dataset

    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    arguments = trl.SFTConfig(
        output_dir=str(directory / "out"),
        use_cpu=True,
        bf16=False,
        report_to="none",
        max_length=None,
        assistant_only_loss=assistant_only_loss,
    )
    trainer = trl.SFTTrainer(
        transformers.LlamaForCausalLM(config),
        arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    return [Row(row["input_ids"], [label != -100 for label in row["labels"]]) for row in trainer.train_dataset]


Made = Callable[[ChatFormat], Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return lambda chat: tokenizer_directory(tmp_path / "model", chat)


THINK, TAGS = ExportOptions(ReasoningStyle.THINK, "messages"), ExportOptions(ReasoningStyle.TAGS, "messages")
CASES = [
    (chat, options) for chat in FAMILIES for options in (THINK, TAGS) if (chat, options) != (ChatFormat.QWEN3, TAGS)
]


@pytest.mark.parametrize(("chat", "options"), CASES)
def test_the_completion_mask_is_trls(made: Made, chat: ChatFormat, options: ExportOptions) -> None:
    directory = made(chat)
    assert ours(directory, chat, options.style) == theirs(directory, chat, "prompt_completion", options)


@pytest.mark.parametrize(("chat", "options"), [case for case in CASES if case[0] is not ChatFormat.QWEN25])
def test_the_assistant_mask_is_trls(made: Made, chat: ChatFormat, options: ExportOptions) -> None:
    directory = made(chat)
    assert ours(directory, chat, options.style) == theirs(directory, chat, "messages", options)


def test_reasoning_in_a_field_of_its_own_is_trained_as_in_the_content(made: Made) -> None:
    directory = made(ChatFormat.QWEN3)
    apart = ExportOptions(reasoning="field")
    assert ours(directory, ChatFormat.QWEN3, ReasoningStyle.THINK) == theirs(
        directory, ChatFormat.QWEN3, "messages", apart
    )


def test_qwen_3_without_thoughts_is_trls_where_it_is_told_not_to_think(made: Made) -> None:
    directory = made(ChatFormat.QWEN3)
    told = {"chat_template_kwargs": {"enable_thinking": False}}
    assert ours(directory, ChatFormat.QWEN3, ReasoningStyle.TAGS) == theirs(
        directory, ChatFormat.QWEN3, "prompt_completion", TAGS, **told
    )


@pytest.mark.parametrize("format", ["messages", "prompt_completion"])
def test_else_trl_trains_the_empty_think_block_of_qwen_3_too(made: Made, format: str) -> None:
    directory = made(ChatFormat.QWEN3)
    mine, other = (
        ours(directory, ChatFormat.QWEN3, ReasoningStyle.TAGS),
        theirs(directory, ChatFormat.QWEN3, format, TAGS),
    )
    block = TextTokenizer(directory).encode_completion("<think>\n\n</think>\n\n")
    assert [row.ids for row in mine] == [row.ids for row in other]
    for we, they in zip(mine, other, strict=True):
        start = they.trained.index(True)
        assert they.ids[start : start + len(block)] == block
        assert we.trained == [False] * (start + len(block)) + they.trained[start + len(block) :]


@pytest.mark.parametrize("options", [THINK, TAGS])
def test_the_assistant_mask_of_qwen_2_5_has_the_line_end_of_the_turns_head_too(
    made: Made, options: ExportOptions
) -> None:
    directory = made(ChatFormat.QWEN25)
    mine, other = (
        ours(directory, ChatFormat.QWEN25, options.style),
        theirs(directory, ChatFormat.QWEN25, "messages", options),
    )
    line_end = TextTokenizer(directory).encode_completion("\n")
    assert [row.ids for row in mine] == [row.ids for row in other]
    for we, they in zip(mine, other, strict=True):
        start = they.trained.index(True)
        # generation is asked with that line end in the prompt, so no model is ever to write it
        assert they.ids[start : start + 1] == line_end
        assert we.trained == [*they.trained[:start], False, *they.trained[start + 1 :]]


# --- conversations ----------------------------------------------------------------------------------------------

CALL = Call("weather", {"city": "Köln", "days": 2})
SPOKEN = (
    Message("user", "What is 2+2?"),
    Message("assistant", "It is 4."),
    Message("user", "日本語?"),
    Message("assistant", "a\n\n  b"),
)
TALKS = (
    Trace("And 3+3?", (), "6", system="Be brief.", conversation=Conversation(messages=SPOKEN)),
    Trace("Move on.", (), "Done.", conversation=Conversation(messages=SPOKEN[:2])),
)
CALLED = (Message("assistant", "", calls=(CALL,)), Message("tool", '{"sun": true}'))
WITH_CALLS = (
    Trace("Sun?", (), "It shines.", conversation=Conversation(SPOKEN[:2], CALLED, (TOOL,))),
    Trace("Rain?", (), calls_text([CALL]), conversation=Conversation(SPOKEN, (), (TOOL,), (CALL,))),
)
EVERY = TurnOptions(train_on=TrainOn.ALL, thinking=EarlierThinking.KEEP)


def thinking(trace: Trace) -> Trace:
    """The same with a thought in every turn of the assistant."""

    def thought(turns: tuple[Message, ...]) -> tuple[Message, ...]:
        return tuple(replace(m, reasoning="I must think.") if m.role == "assistant" else m for m in turns)

    talk = trace.conversation
    both = {"messages": thought(talk.messages), "turns": thought(talk.turns)}
    return dataclasses.replace(trace, steps=(Step(0, "So it is."),), conversation=replace(talk, **both))


def as_messages(trace: Trace) -> dict[str, Any]:
    """The row of a conversation, as chat completions have it."""
    talk = trace.conversation
    said = Message(
        "assistant",
        "" if talk.calls else trace.final_answer,
        reasoning="\n".join(step.content for step in trace.steps),
        calls=talk.calls,
    )
    begin = [Message("system", trace.system)] if trace.system else []
    turns = [*begin, *talk.messages, Message("user", trace.prompt), *talk.turns, said]
    return {"messages": [openai(each) for each in turns], **({"tools": talk.tool_values} if talk.tools else {})}


def of_turns(directory: Path, chat: ChatFormat, traces: Sequence[Trace]) -> tuple[list[Row], list[Row]]:
    """Our rows with every turn trained, and TRL's with its loss on the assistant only."""
    style = ReasoningStyle.THINK if traces[0].steps else ReasoningStyle.ANSWER
    encoder = RowEncoder(
        TextTokenizer(directory), lambda trace: render(trace, style, chat, turns=EVERY), max_length=9999
    )
    rows = encoder.encode_all(traces).rows
    mine = [Row(row.tokens.tolist(), (row.parts >= FIRST_TRAINED).tolist()) for row in rows]
    return mine, trained_on(directory, [as_messages(trace) for trace in traces], assistant_only_loss=True)


@pytest.mark.parametrize("chat", [ChatFormat.GEMMA, ChatFormat.GEMMA3, ChatFormat.LLAMA3])
def test_every_turn_is_trained_as_trl_does(made: Made, chat: ChatFormat) -> None:
    traces = TALKS[1:] if chat is ChatFormat.GEMMA else TALKS  # its template refuses a system text
    mine, other = of_turns(made(chat), chat, traces)
    assert mine == other


@pytest.mark.parametrize("traces", [TALKS, WITH_CALLS])
def test_every_turn_of_qwen_3_is_trained_as_trl_does_with_its_thoughts_and_calls(
    made: Made, traces: Sequence[Trace]
) -> None:
    mine, other = of_turns(made(ChatFormat.QWEN3), ChatFormat.QWEN3, [thinking(trace) for trace in traces])
    assert mine == other


@pytest.mark.parametrize("traces", [TALKS, WITH_CALLS])
def test_every_turn_of_qwen_2_5_is_too_but_for_the_line_end_of_the_turns_head(
    made: Made, traces: Sequence[Trace]
) -> None:
    directory = made(ChatFormat.QWEN25)
    mine, other = of_turns(directory, ChatFormat.QWEN25, traces)
    line_end = TextTokenizer(directory).encode_completion("\n")
    assert [row.ids for row in mine] == [row.ids for row in other]
    for we, they in zip(mine, other, strict=True):
        heads = [i for i, now in enumerate(they.trained) if now and not they.trained[i - 1]]
        assert {they.ids[i] for i in heads} == set(line_end)
        assert we.trained == [now and i not in heads for i, now in enumerate(they.trained)]


def test_else_trl_trains_an_empty_think_block_of_qwen_3_in_turns_without_a_thought(made: Made) -> None:
    directory = made(ChatFormat.QWEN3)
    mixed = dataclasses.replace(thinking(TALKS[1]), conversation=TALKS[1].conversation)
    (we,), (they,) = of_turns(directory, ChatFormat.QWEN3, [mixed])
    block = TextTokenizer(directory).encode_completion("<think>\n\n</think>\n\n")
    # the family's own template writes no such block in an earlier turn
    start = they.trained.index(True)
    assert they.ids[start : start + len(block)] == block
    assert we.ids == [*they.ids[:start], *they.ids[start + len(block) :]]
    assert we.trained == [*they.trained[:start], *they.trained[start + len(block) :]]
