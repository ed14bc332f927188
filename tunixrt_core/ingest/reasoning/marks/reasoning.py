"""Marks around the reasoning of a text, and their positions."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from tunixrt_core.ingest.reasoning.layout import unframed
from tunixrt_core.ingest.reasoning.steps import Span, Sure, stripped


class Marked(NamedTuple):
    """Positions of reasoning and answer by their marks. `plain`: the answer is not searched any further.

    The reasoning may consist of several stretches, with marks or other text between them.
    """

    name: str
    reasoning: tuple[Span, ...]
    answer: Span
    sure: Sure
    why: str
    plain: bool = False


class Pair(NamedTuple):
    """An opening and a closing mark, in any case of letters. `anywhere`: other text may surround the pair, and the
    opening mark of reasoning may be missing; the words of other pairs are too common for that.
    """

    opener: str
    closer: str
    anywhere: bool = False


# The table of marks around the reasoning. `<|begin_of_thought|>` and Gemma 4's channel have rules of their own below.
REASONING: tuple[Pair, ...] = (
    Pair("<think>", "</think>", anywhere=True),
    Pair("<thinking>", "</thinking>", anywhere=True),
    Pair("<thought>", "</thought>", anywhere=True),
    Pair("<thoughts>", "</thoughts>", anywhere=True),
    Pair("[THINK]", "[/THINK]", anywhere=True),  # Mistral
    Pair("<seed:think>", "</seed:think>", anywhere=True),  # Seed-OSS
    Pair("<|think|>", "<|/think|>", anywhere=True),
    Pair("◁think▷", "◁/think▷", anywhere=True),  # Kimi
    Pair("<|START_THINKING|>", "<|END_THINKING|>", anywhere=True),  # Command A
    Pair("<|inner_prefix|>", "<|inner_suffix|>", anywhere=True),  # Apertus
    Pair("<unused94>thought", "<unused95>", anywhere=True),  # MedGemma
    Pair("<start_working_out>", "<end_working_out>", anywhere=True),
    Pair("<reasoning>", "</reasoning>"),
    Pair("<reason>", "</reason>"),
    Pair("<rationale>", "</rationale>"),
    Pair("<analysis>", "</analysis>"),
    Pair("<reflection>", "</reflection>"),
    Pair("<scratchpad>", "</scratchpad>"),
    Pair("<inner_monologue>", "</inner_monologue>"),
    Pair("<chain_of_thought>", "</chain_of_thought>"),
    Pair("<cot>", "</cot>"),
    Pair("<working>", "</working>"),
    Pair("<working_out>", "</working_out>"),
    Pair("[REASONING]", "[/REASONING]"),
    Pair("Here is my thought process:", "Here is my response:"),  # Granite
)
_THOUGHT, _CHANNEL = "<|begin_of_thought|>", "<|channel>thought"


def one_of(marks: Sequence[str]) -> str:
    return "|".join(map(re.escape, marks))


_PAIRS = {pair.opener.lower(): pair for pair in REASONING}
_CLOSERS = {pair.closer.lower(): pair for pair in REASONING if pair.anywhere}
# each alternative begins with one of a few characters that are no letters, which `re` looks for very fast
_CLOSES = re.compile(one_of(list(_CLOSERS)), re.IGNORECASE)
_BEGINS = re.compile(rf"\s*({one_of([*_PAIRS, _THOUGHT, _CHANNEL])})", re.IGNORECASE)
_TAGS_BEGIN = re.compile(r"\s*<reasoning>")
_TAGS_MIDDLE = re.compile(r"</reasoning>\s*+<answer>")
_HARMONY = re.compile(
    r"(?:<\|start\|>assistant)?<\|channel\|>(?P<channel>\w++)(?:[^<]|<(?!\|))*+<\|message\|>(?P<text>.*?)"
    r"(?:<\|end\|>|<\|return\|>|<\|call\|>|(?=<\|start\|>)|\Z)",
    re.DOTALL,
)


def find_marks(text: str, own: tuple[str, str] | None = None) -> Marked | None:
    """The first marks that the text is written with; None where it has none, or reasoning that is never closed.

    `own`: a pair that the user named, which comes before the known ones.
    """
    if own is not None and (found := _paired(text, text.find(own[0]), Pair(*own, anywhere=True), "own")):
        return found
    if not may_hold(text) and not _BEGINS.match(text):
        return None
    return _tags(text) or _thought(text) or _channel(text) or _harmony(text) or _known(text)


def may_hold(text: str) -> bool:
    """Whether there is a character that marks begin with; most texts are told by it in no time."""
    return "<" in text or "[" in text or "◁" in text


def opener_of(text: str, own: tuple[str, str] | None = None) -> str | None:
    """The opening mark that the text begins with, as it is written there."""
    if own is not None and text.lstrip().startswith(own[0]):
        return own[0]
    found = _BEGINS.match(text)
    return found[1] if found and found[1][0] in "<[◁" else None


def _tags(text: str) -> Marked | None:
    begins = _TAGS_BEGIN.match(text) if "<reasoning>" in text else None
    middle = _TAGS_MIDDLE.search(text, begins.end()) if begins else None
    if begins is None or middle is None:
        return None
    ends = text.rfind("</answer>", middle.end())
    if ends < 0 or text[ends + len("</answer>") :].strip():
        return None
    why = "<reasoning> and <answer> mark them"
    reasoning = unframed(text, begins.end(), middle.start(), 1, 1)
    return Marked("tags", (reasoning,), Span(middle.end(), ends), "high", why, plain=True)


def _thought(text: str) -> Marked | None:
    bounds = _between(text, _THOUGHT, "<|end_of_thought|>", 2)
    if bounds is None:
        return None
    reasoning, rest = bounds
    begins, ends = (text.find(f"<|{word}_of_solution|>", rest) for word in ("begin", "end"))
    start = rest if begins < 0 else begins + len("<|begin_of_solution|>")
    answer = Span(start, len(text) if ends < start else ends)
    return Marked("thought", (reasoning,), answer, "high", "<|begin_of_thought|> and its solution mark them")


def _channel(text: str) -> Marked | None:
    bounds = _between(text, _CHANNEL, "<channel|>", 1)
    if bounds is None:
        return None
    reasoning, rest = bounds
    return Marked("channel", (reasoning,), Span(rest, len(text)), "high", "a thought channel marks the reasoning")


def _harmony(text: str) -> Marked | None:
    """Channels as gpt-oss writes them: `analysis` is the reasoning, the one `final` the answer."""
    if "<|channel|>" not in text:
        return None
    found = list(_HARMONY.finditer(text))
    finals = [one for one in found if one["channel"] == "final"]
    analysis = [Span(*one.span("text")) for one in found if one["channel"] == "analysis"]
    outside = _HARMONY.sub("", text).strip()
    if len(finals) != 1 or found[-1] is not finals[0] or len(analysis) + 1 != len(found) or outside or not analysis:
        return None
    return Marked("harmony", tuple(analysis), Span(*finals[0].span("text")), "high", "channels mark them")


def _known(text: str) -> Marked | None:
    """The first pair of the table that is both opened and closed; else a closing mark alone."""
    if found := _BEGINS.match(text):
        pair = _PAIRS.get(found[1].lower())
        if pair is not None and (marked := _paired(text, found.start(1), pair)):
            return marked
    closed = _CLOSES.search(text)
    if closed is None:
        return None
    pair = _CLOSERS[closed[0].lower()]
    if (opened := _find(text, pair.opener, 0, closed.start())) >= 0:
        return _paired(text, opened, pair)
    why = f"{closed[0]} ends the reasoning; its opening tag is missing"
    reasoning = unframed(text, 0, closed.start(), 0, 1)
    return Marked("unopened", (reasoning,), Span(closed.end(), len(text)), "medium", why)


def _paired(text: str, at: int, pair: Pair, name: str = "think") -> Marked | None:
    """The text that a pair with its opening mark at `at` marks. Text before it is the first step."""
    start = at + len(pair.opener)
    closed = _find(text, pair.closer, start) if at >= 0 else -1
    if closed < 0:
        return None
    before, reasoning = stripped(text, 0, at), unframed(text, start, closed, 1, 1)
    rest = Span(closed + len(pair.closer), len(text))
    opener = text[at:start]
    if before.start < before.end:
        return Marked(name, (before, reasoning), rest, "low", f"there is text before {opener}")
    return Marked(name, (reasoning,), rest, "high", f"{opener} marks the reasoning")


def _find(text: str, mark: str, start: int, end: int = sys.maxsize) -> int:
    """Position of a mark, in any case of letters; -1 where it is missing. The spelling of the table is found faster."""
    at = text.find(mark, start, end)
    if at >= 0:
        return at
    found = in_any_case(mark).search(text, start, end)
    return found.start() if found else -1


def in_any_case(mark: str) -> re.Pattern[str]:
    """The mark in any case of letters."""
    return re.compile(re.escape(mark), re.IGNORECASE)  # which `re` keeps


def _between(text: str, opener: str, closer: str, line_ends: int) -> tuple[Span, int] | None:
    """The stretch between two marks of which the first begins the text, and where the second ends."""
    if opener not in text:
        return None
    begins = len(text) - len(text.lstrip())
    if not text.startswith(opener, begins) or (ends := text.find(closer, begins)) < 0:
        return None
    return unframed(text, begins + len(opener), ends, line_ends, line_ends), ends + len(closer)
