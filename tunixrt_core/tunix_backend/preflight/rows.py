"""Rows read for the encoder, with observations about each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import RenderingSection
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation
from tunixrt_core.traces.rendering.context import EarlierThinking, unfit
from tunixrt_core.traces.rendering.text import Rendered
from tunixrt_core.traces.rows import SPLITS, Split, numbered_lines, parse_row
from tunixrt_core.traces.trace import Trace
from tunixrt_core.tunix_backend.data.encoding import Parts, TokenRow, TokenRows
from tunixrt_core.tunix_backend.data.rows import row_encoder
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.preflight.read_back import Misread, ReadBack, control_pattern

_SAMPLES = 16  # traces of each split that are kept to be rendered again
_TELL_EVERY = 256

Progress = Callable[[int, int], None]  # (rows so far, rows in all)


@dataclass(slots=True)
class Noticed:
    """Observations from one pass over the file. Rows are numbered by their line in the data file, from 1."""

    numbers: dict[Split, list[int]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    unreadable: dict[int, str] = field(default_factory=dict)
    control_tokens: dict[int, set[str]] = field(default_factory=dict)
    duplicates: list[int] = field(default_factory=list)
    eval_in_train: list[int] = field(default_factory=list)
    stepless: list[int] = field(default_factory=list)
    unfit: dict[int, str] = field(default_factory=dict)  # conversations that the chat format cannot write
    replied: int = 0  # rows with earlier turns of the assistant
    marked: int = 0  # of them those with one that the data marks as trained
    thoughts_dropped: list[int] = field(default_factory=list)  # from turns that are trained on
    talks: dict[bool, Trace] = field(default_factory=dict)  # the first conversation with and without tools
    samples: dict[Split, list[Trace]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    misread: Misread = field(default_factory=Misread)


@dataclass(frozen=True, slots=True)
class FileRows:
    """The encoded rows of a manifest's data file, and the observations about them."""

    train: TokenRows
    eval: TokenRows
    parts: Parts
    noticed: Noticed

    def numbered(self) -> Iterator[tuple[int, TokenRow]]:
        """The rows that the trainer will see, each with its line in the file."""
        for split, rows in (("train", self.train), ("eval", self.eval)):
            for row in rows.rows:
                yield self.noticed.numbers[split][row.number], row  # type: ignore[index]

    def numbers_of(self, split: Split, places: Collection[int]) -> list[int]:
        """Lines of the file, for places among the rows of a split."""
        numbers = self.noticed.numbers[split]
        return [numbers[place] for place in places]


def encode_file(manifest: RunManifest, tokenizer: TextTokenizer, on_progress: Progress) -> FileRows:
    """All readable rows, as the trainer will see them; the others are recorded as unreadable."""
    watch = _Watch(manifest, tokenizer, on_progress)
    encoder = row_encoder(manifest, tokenizer)
    read_back, numbers = ReadBack(manifest.rendering, tokenizer, watch.noticed.misread), watch.noticed.numbers
    train = encoder.encode_all(watch.passing("train"), read_back.of(numbers["train"]))
    evals = encoder.encode_all(watch.passing("eval"), read_back.of(numbers["eval"]))
    on_progress(manifest.data.rows, manifest.data.rows)
    return FileRows(train, evals, encoder.parts, watch.noticed)


def traces_at(path: Path, numbers: Collection[int]) -> Iterator[tuple[int, Split, Trace]]:
    """The rows on these lines of a file, in the file's order."""
    wanted = set(numbers)
    last = max(wanted, default=0)
    for number, line in numbered_lines(path):
        if number > last:
            return
        if number in wanted:
            row = parse_row(line)
            yield number, row.split, row.trace


class _Watch:
    def __init__(self, manifest: RunManifest, tokenizer: TextTokenizer, on_progress: Progress) -> None:
        self._path = Path(manifest.data.path)
        self._rendering = manifest.rendering
        self._total = manifest.data.rows
        self._tell = on_progress
        self._passed = 0
        self._control = control_pattern(tokenizer)
        self._seen: set[bytes] = set()
        self._train_prompts: set[str] = set()
        self.noticed = Noticed()

    def passing(self, split: Split) -> Iterator[Trace]:
        """The traces of a split; train comes before eval."""
        for number, line in numbered_lines(self._path):
            try:
                row = parse_row(line)
            except InvalidTrace as error:
                self.noticed.unreadable[number] = str(error)
                continue
            if row.split != split:
                continue
            if reason := unfit(row.trace.conversation, self._rendering.chat):
                self.noticed.unfit[number] = reason
                continue
            self.noticed.numbers[split].append(number)
            self._look(number, split, row.trace)
            yield row.trace

    def _look(self, number: int, split: Split, trace: Trace) -> None:
        noticed = self.noticed
        texts = [trace.prompt, trace.system or "", trace.final_answer, *(step.content for step in trace.steps)]
        if trace.conversation is not NO_CONVERSATION:
            texts += _texts_of(trace.conversation)
            self._look_at_conversation(number, trace)
        if self._control and (found := self._control.findall("\n".join(texts))):
            noticed.control_tokens[number] = set(found)
        prompt = trace.group_key
        if split == "train":
            self._train_prompts.add(prompt)
        elif prompt in self._train_prompts:
            noticed.eval_in_train.append(number)
        content = "\0".join((split, prompt, *texts[1:])).encode()
        digest = blake2b(content, digest_size=16).digest()
        if digest in self._seen:
            noticed.duplicates.append(number)
        self._seen.add(digest)
        if not trace.steps:
            noticed.stepless.append(number)
        if len(noticed.samples[split]) < _SAMPLES:
            noticed.samples[split].append(trace)
        self._passed += 1
        if self._passed % _TELL_EVERY == 0:
            self._tell(self._passed, self._total)

    def _look_at_conversation(self, number: int, trace: Trace) -> None:
        noticed, talk = self.noticed, trace.conversation
        noticed.talks.setdefault(bool(talk.tools or talk.calls or any(m.calls for m in talk.turns)), trace)
        earlier = [message for message in (*talk.messages, *talk.turns) if message.role == "assistant"]
        noticed.replied += bool(earlier)
        noticed.marked += any(message.train for message in earlier)
        if any(message.thought_and_content[0] for message in earlier) and _drops_thoughts(self._rendering, trace):
            noticed.thoughts_dropped.append(number)


def _texts_of(talk: Conversation) -> Iterator[str]:
    for message in (*talk.messages, *talk.turns):
        yield from (text for _, text in message.texts())
    yield from map(str, talk.tools)


def _drops_thoughts(rendering: RenderingSection, trace: Trace) -> bool:
    """Whether turns are trained on without the thinking that the data has of them."""
    whole = rendering.model_copy(update={"earlier_thinking": EarlierThinking.KEEP})
    return _replies(rendering.row(trace)) != _replies(whole.row(trace))


def _replies(row: Rendered) -> list[str]:
    return [piece.text for piece in row.prompt_pieces if piece.kind == "reply"]
