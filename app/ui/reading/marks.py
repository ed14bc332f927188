"""Invisible characters of a text, such as a bidi override, shown as marks in HTML."""

from __future__ import annotations

import re
from html import escape

# as in app/component/src/shared/marks.ts, but for what joins parts of emoji and of Persian words
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_NAMES = {
    "\u202e": "RLO",
    "\u202d": "LRO",
    "\u202c": "PDF",
    "\u200b": "ZWSP",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\xad": "SHY",
}


def marked(text: str) -> str:
    """Escaped text with a mark in place of each invisible character, which then changes nothing around it."""
    return _INVISIBLE.sub(_mark, escape(text))


def _mark(found: re.Match[str]) -> str:
    code = f"U+{ord(found[0]):04X}"
    return f"<span class='ctl' title='Invisible character {code}'>{_NAMES.get(found[0], code)}</span>"
