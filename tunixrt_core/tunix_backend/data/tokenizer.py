"""Text to token ids and back, by tokenizer.json alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tunixrt_core.errors import BrokenFile, ModelError
from tunixrt_core.util.files.regular import read_text

_MOST_BYTES = 256 << 20  # of one of its files; the largest public tokenizer.json has 35 MB
# Tokens that model families reserve for padding, used where the model names no padding token.
_SPARE_TOKENS = ("<|finetune_right_pad_id|>", "<pad>", "<|pad|>", "<|endoftext|>", "<|reserved_special_token_0|>")
# Control tokens of Gemma 4 around its thinking and its calls: without them nobody could tell these from an answer.
_MARKS = ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>')


class TextTokenizer:
    """Encodes rendered text. It also has the methods that Tunix's Sampler needs of a tokenizer."""

    def __init__(self, directory: Path) -> None:
        """Raises ModelError where the directory holds no usable tokenizer.json, or no end-of-sequence token."""
        self._tokenizer = _load(directory)
        self._config = _read_json(directory / "tokenizer_config.json")
        special = _read_json(directory / "special_tokens_map.json")
        self._bos = self._named("bos_token", special)
        self._eos = self._named("eos_token", special)
        if self._eos is None:
            raise ModelError(
                f"The tokenizer in {directory} names no end-of-sequence token. Add eos_token to tokenizer_config.json."
            )
        self._pad = self._spare(self._named("pad_token", special))
        self._marks = {i: text for text in _MARKS if (i := self.token_id(text)) is not None}
        self._adds_bos = self._bos is not None and self._config.get("add_bos_token", self._begins_with_bos())

    @property
    def vocab_size(self) -> int:
        """One more than the largest token id."""
        ids: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        return max(ids.values()) + 1

    @property
    def begin_id(self) -> int | None:
        """The beginning-of-sequence token, whether prompts want it or not."""
        return self._bos

    @property
    def adds_begin(self) -> bool:
        """Whether the tokenizer's own files put the beginning-of-sequence token before a text."""
        return self._adds_bos

    @property
    def control_tokens(self) -> dict[int, str]:
        """The control tokens, such as `<|im_end|>`, by id."""
        added = self._tokenizer.get_added_tokens_decoder()
        return {int(i): str(token.content) for i, token in added.items() if token.special}

    def named_token(self, name: str) -> str | None:
        """The text of a special token, such as `pad_token`, in tokenizer_config.json."""
        value = self._config.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        return text if isinstance(text, str) else None

    def encode_prompt(self, text: str) -> list[int]:
        """The ids of a rendered prompt; where the model wants a beginning-of-sequence token, exactly one."""
        return self._with_bos(self.encode_completion(text))

    def encode_prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode_prompt` for many texts, which the tokenizer encodes in parallel."""
        return [self._with_bos(found.ids) for found in self._encode_batch(texts)]

    def encode_spans(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """The ids of each text, and the characters that each id covers, as `[start, end)`."""
        return [(found.ids, found.offsets) for found in self._encode_batch(texts)]

    def _encode_batch(self, texts: Sequence[str]) -> list[Any]:
        return list(self._tokenizer.encode_batch(list(texts), add_special_tokens=False))

    def _with_bos(self, ids: list[int]) -> list[int]:
        return [self._bos, *ids] if self._adds_bos and ids[:1] != [self._bos] else ids  # type: ignore[list-item]

    def _begins_with_bos(self) -> bool:
        # where tokenizer_config.json does not say it, tokenizer.json does, as with Llama 3
        return list(self._tokenizer.encode("a", add_special_tokens=True).ids[:1]) == [self._bos]

    def encode_completion(self, text: str) -> list[int]:
        """The ids of this text alone: no token is added at its beginning or end."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def token_id(self, token: str) -> int | None:
        """The id of one token by its text, such as `<|im_end|>`."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def encode(self, text: str) -> list[int]:
        """The ids of a prompt, for the Sampler. Never end with an end-of-sequence token."""
        return self.encode_prompt(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without control tokens but those that mark parts of what a model says."""
        marked = groupby((int(i) for i in ids), key=self._marks.get)
        return "".join(
            mark * len(list(part)) if mark else str(self._tokenizer.decode(list(part), skip_special_tokens=True))
            for mark, part in marked
        )

    def decode_all(self, texts: Sequence[Sequence[int]]) -> list[str]:
        """The whole text of each list of ids, with control tokens; the tokenizer decodes them in parallel."""
        return list(self._tokenizer.decode_batch(list(texts), skip_special_tokens=False))

    def bos_id(self) -> None:
        """None: encode_prompt has already added the token, and the Sampler would add it a second time."""
        return

    def eos_id(self) -> int:
        assert self._eos is not None
        return self._eos

    def pad_id(self) -> int:
        """The id that pads short prompts. The Sampler masks this token at every position."""
        return self._pad

    def _named(self, name: str, special: dict[str, Any]) -> int | None:
        value = self._config.get(name) or special.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        return self.token_id(text) if isinstance(text, str) else None

    def _spare(self, pad: int | None) -> int:
        # a pad token that is also the end of a turn would hide the ends of turns inside a prompt
        if pad is not None and pad != self._eos:
            return pad
        spare = (self.token_id(token) for token in _SPARE_TOKENS)
        return next((i for i in spare if i is not None and i != self._eos), self.eos_id())


def named_stops(directory: Path) -> list[int]:
    """The ids of `eos_token_id` in generation_config.json, one or a list; none where the file is missing.

    Raises ModelError for a file that is not JSON.
    """
    named = _read_json(directory / "generation_config.json").get("eos_token_id")
    return [i for i in (named if isinstance(named, list) else [named]) if isinstance(i, int)]


def _load(directory: Path) -> Any:
    from tokenizers import Tokenizer

    path = directory / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"There is no tokenizer.json in {directory}. Put the model's tokenizer files there.")
    if not _read_json(path).get("model"):
        raise ModelError(f"{path} is not a tokenizer. Download it again.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the library raises Exception itself
        raise ModelError(f"{path} is not a tokenizer ({error}). Download it again.") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(read_text(path, most=_MOST_BYTES, follow=True))
    except BrokenFile as error:
        raise ModelError(f"{path} {error.reason}. Download it again.") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path} is not JSON. Download it again.") from None
    return value if isinstance(value, dict) else {}
