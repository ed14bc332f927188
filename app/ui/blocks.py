"""HTML blocks with escaped text, for what Streamlit has no element for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Literal

import streamlit as st

from app.ui.reading.marks import marked
from tunixrt_core.traces.trace import DEFAULT_STEP_TYPE
from tunixrt_core.training.preflight.report import Fate, RowView, TokenView

# the same in light and dark mode
BLUE, RUST, TEAL, PINK, GRAY = "#4C7DF0", "#C4642B", "#14967A", "#C850AE", "#7C8797"

CheckState = Literal["pass", "warning", "blocked"]
_CHECK_WORDS: dict[CheckState, str] = {"pass": "Pass", "warning": "Warning", "blocked": "Blocked"}

# Tints by step type; other types are grey.
_STEP_TINTS = {
    "plan": "blue",
    "think": "blue",
    "compute": "green",
    "calculate": "green",
    "tool": "green",
    "check": "pink",
    "verify": "pink",
    "conclude": "amber",
    "answer": "amber",
}


EMPTY = "<span class='mut'>empty</span>"


def html(body: str) -> None:
    """Write a block. `body` is markup in which external text is already escaped; it uses `app/style.css`."""
    st.html(f"<div class='rt'>{body}</div>")


def step_type(kind: str) -> str:
    """The step type as a chip; the default type has none."""
    if kind == DEFAULT_STEP_TYPE:
        return ""
    return f"<span class='chip {_STEP_TINTS.get(kind.casefold(), 'grey')}'>{escape(kind)}</span>"


def prose(text: str) -> None:
    """Text from a trace or a model, unchanged."""
    html(f"<div class='text'>{marked(text)}</div>")


def segments(
    parts: Sequence[tuple[str, int, str]], label: str, *, words: Callable[[int], str] = lambda value: f"{value:,}"
) -> None:
    """A bar of `(name, value, colour)` with its legend. `label` says the same in words for a screen reader.

    `words` formats a value, such as bytes with their unit. A part without a colour is the empty remainder.
    """
    total = sum(value for _, value, _ in parts) or 1
    bars = "".join(
        f"<i style='width:{100 * v / total:.2f}%;background:{c or 'var(--grey)'}'></i>" for _, v, c in parts if v
    )
    legend = "".join(
        f"<span><i style='background:{c or 'var(--grey)'}'></i>{escape(n)} <strong>{escape(words(v))}</strong></span>"
        for n, v, c in parts
    )
    html(f"<div class='seg' role='img' aria-label='{escape(label)}'>{bars}</div><div class='legend'>{legend}</div>")


def tokens(view: RowView, limit: int) -> None:
    """A row token by token, tinted by part, with cut tokens in place, and a legend."""
    parts = "".join(_part(name, list(group)) for name, group in groupby(_shown(view.tokens), _part_name))
    legend = "".join(f"<span><i class='{css}'></i>{words}</span>" for css, words in _legend(view) if words)
    left_out = view.fate is Fate.LEFT_OUT
    note = f"<span class='gap'>left out: {view.length:,} tokens, more than {limit:,}</span>\n" if left_out else ""
    html(f"<div class='legend'>{legend}</div><div class='toks{' lost' if left_out else ''}'>{note}{parts}</div>")


_PART_WORDS = {
    "prompt": "Prompt, not trained",
    "message": "Other turns, not trained",
    "reply": "Earlier turn, trained",
    "format": "Format",
    "step": "Reasoning",
    "answer": "Answer",
}
_MOST_TOKENS = 4000


def _shown(found: Sequence[TokenView]) -> Iterable[TokenView | None]:
    """The tokens; of very many, the first and last with None between."""
    if len(found) <= _MOST_TOKENS:
        return found
    half = _MOST_TOKENS // 2
    return [*found[:half], None, *found[-half:]]


def _part_name(token: TokenView | None) -> tuple[str, bool]:
    if token is None:
        return "", False
    return (f"step {token.step}" if token.step else token.part), token.cut


def _part(name: tuple[str, bool], found: Sequence[TokenView | None]) -> str:
    if not name[0]:
        return "<span class='gap'>tokens in the middle are not shown</span>"
    text = "".join(_token(token) for token in found if token is not None)
    said = f"<span class='sr'>{escape(name[0])}{', cut' if name[1] else ''}: </span>"
    number = f"<b class='num' aria-hidden='true'>{name[0][5:]}</b>" if name[0].startswith("step ") else ""
    return f"{said}{number}{text}"


def _token(token: TokenView) -> str:
    css = f"t {token.part}{' special' if token.special else ''}{' cut' if token.cut else ''}"
    # a line end keeps its place and is visible
    text = escape(token.text).replace("\n", "<i class='nl'>⏎</i>\n")
    return f"<span class='{css}' title='token {token.id}'>{text}</span>"


def _legend(view: RowView) -> Iterable[tuple[str, str]]:
    present = {token.part for token in view.tokens}
    yield from ((f"t {part}", words) for part, words in _PART_WORDS.items() if part in present)
    yield "t special", "Control token" if any(token.special for token in view.tokens) else ""
    yield "t cut", "Cut, not seen by the trainer" if view.fate is Fate.SHORTENED else ""


def checks(items: Iterable[tuple[CheckState, str, str]]) -> None:
    """`(state, what, why)` one below the other."""
    tints: dict[CheckState, str] = {"pass": "green", "warning": "amber", "blocked": "red"}
    rows = "".join(
        f"<li><span><span class='chip {tints[state]}'>{_CHECK_WORDS[state]}</span></span>"
        f"<span>{escape(what)}{_why(why)}</span></li>"
        for state, what, why in items
    )
    html(f"<ul class='checks'>{rows}</ul>")


def _why(why: str) -> str:
    return f"<div class='mut small why'>{escape(why)}</div>" if why else ""


def key_values(pairs: Iterable[tuple[str, str]]) -> None:
    """A small list of facts."""
    html(f"<dl class='kv'>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in pairs)}</dl>")


def downloads(files: Iterable[tuple[str, str, str]]) -> None:
    """Download links for files, as `(name, address, note)`. A link of Streamlit would open a tab per file."""
    html(
        "<ul class='files'>"
        + "".join(
            f"<li><a href='{escape(address, quote=True)}' download>{escape(name)}</a>"
            f" <span class='mut small'>{escape(note)}</span></li>"
            for name, address, note in files
        )
        + "</ul>"
    )


def intervals(rows: Sequence[tuple[str, str, float, float, float, str]], unit: str) -> None:
    """Scores as dots on one axis from 0 to 100 %: `(name, note, low, value, high, colour)`, shares."""
    body = "".join(
        f"<tr><td><strong>{escape(name)}</strong><div class='mut small'>{escape(note)}</div></td>"
        f"<td class='n'><strong>{100 * value:.1f}%</strong>"
        f"<div class='mut small'>{100 * low:.1f} to {100 * high:.1f}</div></td>"
        f"<td><div class='track'>"
        f"<i style='left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%;background:{colour}'></i>"
        f"<b style='left:{100 * value:.1f}%;background:{colour}'></b></div></td></tr>"
        for name, note, low, value, high, colour in rows
    )
    head = f"<th>Model</th><th class='n'>{escape(unit)}</th><th><span style='float:right'>100%</span>0%</th>"
    html(f"<div class='scroll'><table class='iv'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")


def stretch(before: str, span: str, after: str, where: str) -> None:
    """A marked stretch of text with its context."""
    html(
        f"<div class='mut small'>{escape(where)}</div>"
        f"<div class='box text plain'>…{marked(before)}<ins>{marked(span)}</ins>{marked(after)}…</div>"
    )


def side_by_side(left: tuple[str, str], right: tuple[str, str]) -> None:
    """Two model outputs as `(title, text)`; the words that differ are marked."""
    first, second = _differing(left[1], right[1])
    columns = "".join(
        f"<div><strong>{escape(title)}</strong><div class='out'>{text or EMPTY}</div></div>"
        for title, text in ((left[0], first), (right[0], second))
    )
    html(f"<div class='cmp'>{columns}</div>")


def changed(before: str, now: str) -> None:
    """A model's output; words that differ from the previous output are marked."""
    text = _differing(before, now)[1] if before else marked(now)
    html(f"<div class='out'>{text or EMPTY}</div>")


def _differing(left: str, right: str) -> tuple[str, str]:
    """Both texts escaped. If they are similar, `<ins>` marks the words that the other text lacks."""
    a, b = _words(left), _words(right)
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < 0.4:  # two different texts: marking everything would not help
        return marked(left), marked(right)
    out: tuple[list[str], list[str]] = ([], [])
    for kind, i, j, k, m in matcher.get_opcodes():
        for target, part in ((out[0], a[i:j]), (out[1], b[k:m])):
            text = marked("".join(part))
            target.append(text if kind == "equal" or not text.strip() else f"<ins>{text}</ins>")
    return "".join(out[0]), "".join(out[1])


def _words(text: str) -> list[str]:
    # a longer text is compared by lines: word by word takes quadratic time
    return text.splitlines(keepends=True) if len(text) > 4000 else re.findall(r"\s|\S+", text)


def facts(name: str, state: str, tint: str, text: str, *, code: str = "") -> None:
    """One line of a list: a name and its id, its state as a chip, and a sentence."""
    named = f"<strong>{marked(name)}</strong>" + (f" <code>{escape(code)}</code>" if code else "")
    html(f"<span class='chip {tint}'>{escape(state)}</span> {named} {escape(text)}")


def chip(text: str, tint: str = "grey") -> None:
    html(f"<span class='chip {tint}'>{escape(text)}</span>")
