"""Export formats by name: writer, columns, options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.export import shapes, writers
from tunixrt_core.export.entries import ExportOptions, ScoresOf, SplitOf, entries_of
from tunixrt_core.export.parquet import Columns
from tunixrt_core.export.writers import Job, Lines, OnLeftOut
from tunixrt_core.traces.chat_messages import NO_PARTS, ChatParts, chat_parts
from tunixrt_core.traces.trace import Trace

_DEFAULT = ExportOptions()


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format: `lines` writes it. `columns` are the keys of a row in order, each with its kind of value; `options`
    those of ExportOptions that it asks. `grouped`: entries must come with those of one prompt together.
    """

    name: str
    title: str
    lines: Lines
    columns: Columns
    options: tuple[str, ...] = ()
    grouped: bool = False

    def resolved(self, options: ExportOptions, parts: ChatParts) -> ExportOptions:
        """The options for traces that hold these parts, with `auto` decided: messages where any trace holds what the
        prompt cannot hold as text. That of grpo has always been without the system text, and never is a list in a chat
        format.
        """
        turns = options.turns
        if "chat" in self.options:
            wanted = parts.conversation
            turns = "text" if options.chat is not None else turns
        else:
            wanted = parts.system or parts.conversation
        if turns == "auto":
            turns = "messages" if wanted else "text"
        return replace(options, turns=turns, parts=parts)

    def columns_with(self, options: ExportOptions) -> Columns:
        """The columns with the kind of value that they have under the resolved options: `turned` is `text` or `turns`,
        and `turns` hold all keys of a message where any trace needs them. Those that no trace needs are left out.
        """
        turns = "calls" if options.parts.keys else "thinking" if options.reasoning == "field" else "turns"
        kinds = {"turns": turns, "turned": turns if options.turns == "messages" else "text"}
        text = "turns" in self.options and options.turns == "text"
        needed = {"talk": options.parts.conversation, "tools": options.parts.keys and not text}
        kinds |= dict.fromkeys(needed, "json")
        return tuple((name, kinds.get(kind, kind)) for name, kind in self.columns if needed.get(kind, True))

    def __call__(
        self,
        traces: Iterable[Trace],
        *,
        split_of: SplitOf | None = None,
        options: ExportOptions = _DEFAULT,
        scores_of: ScoresOf = lambda trace_hash: (),
        on_left_out: OnLeftOut = lambda trace_hash, reason: None,
    ) -> Iterator[bytes]:
        """The lines of traces in the order given, each with its `\\n`. `split_of` gives the split of a trace."""
        if self.grouped:
            traces = sorted(traces, key=lambda trace: (trace.group_key, trace.content_hash))
        if options.turns == "auto" and "turns" in self.options:
            traces = list(traces)
            parts = reduce(ChatParts.joined, (chat_parts(trace.to_dict()) for trace in traces), NO_PARTS)
            options = self.resolved(options, parts)
        return self.lines(entries_of(traces, split_of), Job(options, scores_of, on_left_out))


# The kinds of value: text; texts, bools and turns (chat messages) as lists; turned, which is text or turns; json, which
# is JSON as text, because its keys differ per row; talk and tools, which are json where a trace has any;
# export_metadata, that of Tunix SFT; steps as in a trace.
_REST = (("split", "text"), ("metadata", "json"))
_TOOLS = ("tools", "tools")
_FORMATS = (
    ExportFormat(
        "tunix_sft",
        "Tunix SFT",
        writers.one_per_trace(shapes.tunix_sft),
        (("prompt", "text"), ("trace_steps", "texts"), ("final_answer", "text"), ("metadata", "export_metadata")),
    ),
    ExportFormat(
        "trace",
        "Traces",
        writers.canonical,
        (
            ("calls", "talk"),
            ("final_answer", "text"),
            ("layout", "json"),
            ("messages", "talk"),
            ("meta", "json"),
            ("model", "text"),
            ("prompt", "text"),
            ("reference_answer", "text"),
            ("source", "text"),
            ("steps", "steps"),
            ("system", "text"),
            ("tools", "talk"),
            ("trace_version", "text"),
            ("turns", "talk"),
        ),
    ),
    ExportFormat(
        "prompt_completion",
        "Prompt and completion",
        writers.some_of(
            writers.one_per_trace(shapes.prompt_completion),
            "a prompt of text holds no conversation. Choose messages.",
        ),
        (("prompt", "turned"), ("completion", "turned"), _TOOLS, *_REST),
        ("style", "turns"),
    ),
    ExportFormat(
        "messages",
        "Chat messages",
        writers.one_per_trace(shapes.messages),
        (("messages", "turns"), _TOOLS, *_REST),
        ("style", "reasoning"),
    ),
    ExportFormat(
        "stepwise",
        "Steps with labels",
        writers.some_of(
            writers.one_per_trace(shapes.stepwise, scored=True),
            "stepwise needs a score on every step. Score the steps, or import a data set that rates them.",
        ),
        (("prompt", "text"), ("completions", "texts"), ("labels", "bools"), *_REST),
    ),
    ExportFormat(
        "preference",
        "Preference pairs",
        writers.some_of(
            writers.preference,
            "preference needs pairs of a file, or two traces of one prompt, one with a right and one with a wrong "
            "answer, or with different scores. Import several traces of each prompt, and build the version with "
            "negatives: include.",
        ),
        (("prompt", "turned"), ("chosen", "turned"), ("rejected", "turned"), _TOOLS, *_REST),
        ("style", "turns"),
        grouped=True,
    ),
    ExportFormat(
        "grpo",
        "Prompts for GRPO",
        writers.some_of(
            writers.grpo,
            "grpo needs a prompt with a right answer, in a form that can hold its conversation. Choose messages, or "
            "another chat format.",
        ),
        (("prompts", "turned"), ("question", "text"), ("answer", "text"), *_REST),
        ("chat", "style", "turns"),
        grouped=True,
    ),
)
EXPORT_FORMATS: dict[str, ExportFormat] = {format.name: format for format in _FORMATS}
export_tunix_sft_jsonl = EXPORT_FORMATS["tunix_sft"]
export_trace_jsonl = EXPORT_FORMATS["trace"]
export_prompt_completion_jsonl = EXPORT_FORMATS["prompt_completion"]


def exporter_named(name: str) -> ExportFormat:
    """The exporter of a format. Raises InvalidDataset, listing the known ones."""
    if name not in EXPORT_FORMATS:
        raise InvalidDataset(f"There is no export format {name!r}. Use one of: {', '.join(EXPORT_FORMATS)}.")
    return EXPORT_FORMATS[name]
