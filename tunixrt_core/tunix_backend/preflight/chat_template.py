"""The model's chat template against the manifest's chat format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tunixrt_core.errors import BrokenFile
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import RenderingSection
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, Message, calls_text
from tunixrt_core.traces.rendering.chats import ChatFormat, stop_tokens
from tunixrt_core.traces.rendering.context import EarlierThinking
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.preflight.report import Finding, about_rows, blocking, many, warning
from tunixrt_core.tunix_backend.data.own_template import messages_of, model_template, render_template
from tunixrt_core.tunix_backend.data.template_worker import TemplateError, TemplateRenderer
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.preflight.rows import FileRows

CHECKED = ("template", "chat_template", "no_chat_template", "bos")

_SHOWN = 40  # characters of a difference


def template_faults(
    manifest: RunManifest, directory: Path, tokenizer: TextTokenizer, rows: FileRows
) -> Iterator[Finding]:
    """`template`, `chat_template`, `no_chat_template` and `bos`. `directory` is the tokenizer's."""
    yield from _generation_faults(manifest, tokenizer, rows)
    begins = False
    try:
        source = model_template(directory)
    except BrokenFile as error:
        yield _not_compared(f"{error.path.name} {error.reason}")
        return
    if source is None:
        if manifest.rendering.chat is not ChatFormat.NONE:
            yield warning(
                "no_chat_template",
                "The model has no chat template, so it is probably a base model that has not seen chat turns.",
                "Choose rendering.chat: none, or use the instruction-tuned model.",
                keys=("rendering.chat", "model.id"),
            )
    else:
        with TemplateRenderer(source) as renderer:
            try:
                begins = _begins(renderer, tokenizer)
                yield from _model_template_faults(manifest, renderer, tokenizer, rows)
            except TemplateError as error:
                yield _not_compared(str(error))
    yield from _begin_faults(manifest, tokenizer, rows, begins)


def _not_compared(reason: str) -> Finding:
    return warning(
        "chat_template",
        f"The model's chat template cannot be rendered here ({reason}), so it was not compared.",
        keys=("rendering.chat",),
    )


def asks_to_think(chat: ChatFormat, style: ReasoningStyle) -> bool | None:
    """The value of `enable_thinking` with which a template writes the same as the format; None: not set."""
    return style is ReasoningStyle.THINK if chat in (ChatFormat.QWEN3, ChatFormat.GEMMA4) else None


def _begins(renderer: TemplateRenderer, tokenizer: TextTokenizer) -> bool:
    """Whether the model's own template puts the beginning-of-sequence token first."""
    begin = tokenizer.begin_id
    if begin is None:
        return False
    text = render_template(renderer, messages_of(None, "a"), tokenizer, prompt=True)
    return tokenizer.encode_completion(text)[:1] == [begin]


def _model_template_faults(
    manifest: RunManifest, renderer: TemplateRenderer, tokenizer: TextTokenizer, rows: FileRows
) -> Iterator[Finding]:
    samples = rows.noticed.samples["train"]
    if not samples:
        return
    # what is written without a choice of one's own is compared
    rendering = manifest.rendering.model_copy(update={"earlier_thinking": EarlierThinking.TEMPLATE})
    for trace in (samples[0], *rows.noticed.talks.values()):
        if finding := _difference_in(trace, rendering, renderer, tokenizer):
            yield finding
            return
    trace = samples[0]
    # a style that no template parses
    content = render_completion([step.content for step in trace.steps], trace.final_answer, ReasoningStyle.TAGS)
    for stop in stop_tokens(rendering.chat)[:1]:
        asked = messages_of(
            trace.system or rendering.system, trace.prompt, Conversation(turns=(Message("assistant", content),))
        )
        whole = render_template(renderer, asked, tokenizer, prompt=False)
        after = whole.rpartition(content.strip())[2].lstrip()
        if not after.startswith(stop):
            yield warning(
                "chat_template",
                f"The chat format {rendering.chat.value} ends a turn with {stop}, the model's own template with "
                f"{after[:_SHOWN]!r}.",
                "Choose the model's format in rendering.chat.",
                keys=("rendering.chat",),
            )


def _difference_in(
    trace: Trace, rendering: RenderingSection, renderer: TemplateRenderer, tokenizer: TextTokenizer
) -> Finding | None:
    """The first difference between what the format and the model's own template write of a row up to its answer."""
    talk, system = _with_final_calls(trace), trace.system or rendering.system
    ours = rendering.prompt(trace.prompt, trace.system or None, talk)
    thinks = asks_to_think(rendering.chat, rendering.reasoning)
    messages = messages_of(system, trace.prompt, talk)
    theirs = render_template(renderer, messages, tokenizer, prompt=True, thinks=thinks, tools=talk.tool_values)
    begin = tokenizer.named_token("bos_token") or ""
    if ours.startswith(begin) is not theirs.startswith(begin):  # one that the tokenizer adds is checked as `bos`
        ours, theirs = ours.removeprefix(begin), theirs.removeprefix(begin)
    if ours == theirs:
        return None
    at, mine, other = _difference(ours, theirs)
    what = "a prompt" if trace.conversation is NO_CONVERSATION else "a conversation"
    return warning(
        "chat_template",
        f"The chat format {rendering.chat.value} and the model's own template render {what} differently: from "
        f"character {at:,} on, the format has {mine} and the template {other}.",
        "Programs that use the model's template will prompt it differently from its training. Choose the model's "
        "format in rendering.chat, or its system prompt in rendering.system.",
        keys=("rendering.chat", "rendering.system"),
    )


def _with_final_calls(trace: Trace) -> Conversation:
    """The conversation, and the calls of its final turn, as far as it says nothing else, as one of the turns before."""
    talk = trace.conversation
    if not talk.calls or trace.final_answer != calls_text(talk.calls):
        return talk
    called = (Message("assistant", calls=talk.calls), *(Message("tool", "1", name=call.name) for call in talk.calls))
    return Conversation(talk.messages, (*talk.turns, *called), talk.tools)


def _difference(ours: str, theirs: str) -> tuple[int, str, str]:
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    return at, repr(ours[at : at + _SHOWN]), repr(theirs[at : at + _SHOWN])


def _generation_faults(manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
    """Compare the prompt of a row with the ids that generation would give the model."""
    rendering = manifest.rendering
    different: list[int] = []
    for split, encoded in (("train", rows.train), ("eval", rows.eval)):
        numbers, samples = rows.noticed.numbers[split], rows.noticed.samples[split]  # type: ignore[index]
        for row in encoded.rows:
            if row.number >= len(samples):
                break
            trace = samples[row.number]
            # where replies are trained on, each is encoded apart, as for generation; what comes first is the same
            asked = rendering.row(trace).stretches[0].text if row.replied else rendering.asked(trace)
            ids = tokenizer.encode(asked)
            if ids != [int(token) for token in row.tokens[: len(ids) if row.replied else row.prompt_length]]:
                different.append(numbers[row.number])
    if different:
        yield blocking(
            "template",
            f"{many(different, 'row has', 'rows have')} a prompt that generation encodes differently.",
            keys=("rendering.chat", "tokenizer.path"),
            **about_rows(different),
        )


def _begin_faults(
    manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows, template_begins: bool
) -> Iterator[Finding]:
    begin = tokenizer.begin_id
    if begin is None:
        return
    name = tokenizer.control_tokens.get(begin, str(begin))
    starts = [(number, row.tokens[:2].tolist()) for number, row in rows.numbered()]
    # later ones are no fault: with ChatML it may be the token that every turn begins with
    doubled = [number for number, tokens in starts if tokens == [begin, begin]]
    if doubled:
        yield blocking(
            "bos",
            f"{many(doubled, 'row has', 'rows have')} the start token {name} twice: once more than the model expects.",
            "Remove it from the prompts; the tokenizer or the chat format adds it.",
            **about_rows(doubled),
        )
    missing = [number for number, tokens in starts if tokens[:1] != [begin]]
    if missing and (template_begins or tokenizer.adds_begin):
        yield blocking(
            "bos",
            f"The model's texts begin with {name}, but {many(missing, 'row does', 'rows do')} not.",
            "Choose the model's chat format in rendering.chat, or set add_bos_token in tokenizer_config.json.",
            keys=("rendering.chat",),
            **about_rows(missing),
        )
