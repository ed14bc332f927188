"""Answers without markdown, LaTeX, HTML, quotes and lead-in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_SPACES = dict.fromkeys((0xA0, 0x2002, 0x2003, 0x2004, 0x2005, 0x2007, 0x2008, 0x2009, 0x200A, 0x202F, 0x3000), " ")
_INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF, 0xFE0E, 0xFE0F), None)
_SIGNS = {
    **dict.fromkeys(map(ord, "−﹣‐‑"), "-"),
    **dict.fromkeys(map(ord, "—―"), "–"),
    **dict.fromkeys(map(ord, "‘’‛ʼ′`´"), "'"),
    **dict.fromkeys(map(ord, "“”„‟«»″"), '"'),
    **dict.fromkeys(map(ord, "⋅·∙•∗"), "*"),
    ord("×"): "*",
    ord("⁄"): "/",
    ord("∕"): "/",
    ord("÷"): "/",
    ord("…"): "...",
    ord("∣"): "|",
    ord("µ"): "μ",
    ord("º"): "°",
    ord("˚"): "°",
    ord("Ω"): "Ω",
}
_TABLE: dict[int, str | None] = {**_SPACES, **_INVISIBLE, **_SIGNS}
_UPPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_LOWER = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_VULGAR = re.compile("[¼½¾⅐-⅞↉]")
_WIDE = re.compile("[\uff01-\uff5e]+")

_FENCE = re.compile(r"^```[\w+-]*\s*\n?(.*?)\n?```$", re.DOTALL)
_MARKDOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^\s{0,3}(?:#{1,6}|>)\s+"), ""),
    (re.compile(r"^\s{0,3}[-*+]\s+(?=\S)(?![\d.,/ ]*$)"), ""),
    (re.compile(r"(?<![\w*\\])(\*{1,3})(?=[^\s*])([^*\n]+?)(?<=[^\s*])\1(?![\w*])"), r"\2"),
    (re.compile(r"(?<![\w_\\])(_{1,3})(?=[^\s_])([^_\n]+?)(?<=[^\s_])\1(?![\w_])"), r"\2"),
    (re.compile(r"(`+)([^`]+)\1"), r"\2"),
    (re.compile(r"</?(?:b|i|strong|em|u|span|p|code|mark|answer|big|small)>", re.IGNORECASE), ""),
    (re.compile(r"<sup>(.*?)</sup>", re.IGNORECASE), r"^\1"),
    (re.compile(r"<br\s*/?>", re.IGNORECASE), " "),
)

_MARKS = re.compile(r"[*_`<>#]|^\s{0,3}-\s")
_MATH = (
    re.compile(r"\$\$(.+?)\$\$", re.DOTALL),
    re.compile(r"\\\[(.+?)\\\]", re.DOTALL),
    re.compile(r"\\\((.+?)\\\)", re.DOTALL),
    # a closing dollar sign directly follows its formula and has no digit after it; otherwise it is money
    re.compile(r"(?<![\\\w])\$(?=[^\s$])([^$]*[^\s$\\])\$(?!\d)"),
)
_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt|normal)|mbox|hbox|operatorname|emph|fbox|boxed|bold"
    r"|boldsymbol|bm|underline|displaystyle)\s*\*?\{([^{}]*)\}"
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BOXED_WORD = re.compile(r"\\(?:boxed|fbox)\s+(\S+)$")
_FRACTION = re.compile(
    r"(?P<whole>\d\s*)?\\[dtc]?frac\s*(?:\{(?P<a>[^{}]*)\}|(?P<b>\d))\s*(?:\{(?P<c>[^{}]*)\}|(?P<d>\d))(?P<next>\s*\S)?"
)
_SIDES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits|mathstrut)(?![a-zA-Z])\s*\.?")
_WORDS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\{,\}|,\\!|\\!,"), ","),
    (_SIDES, ""),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\s+(?=\^)"), ""),
    (re.compile(r"\\(?:[,;:!> ]|quad|qquad|enspace|thinspace|hfill)(?![a-zA-Z])|(?<!\\)~"), " "),
    (re.compile(r"\^\s*(?:\{\s*\\(?:circ|degree)\s*\}|\\(?:circ|degree)(?![a-zA-Z]))|\\(?:degree|textdegree)"), "°"),
    (re.compile(r"\\[{}]|\\[lr]brace(?![a-zA-Z])"), lambda m: "⦃" if m[0] in (r"\{", r"\lbrace") else "⦄"),
    (re.compile(r"\\([$%#&_])"), r"\1"),
    (re.compile(r"\\([a-zA-Z]+)\s*"), lambda m: _COMMANDS.get(m[1], m[0])),
)
_EXPONENT = re.compile(r"\^\{\s*([-+]?\w+)\s*\}")
_TOKEN = re.compile(r"-?(?:\w+|\\[a-z]+\s*|[α-ω])")
_COMMANDS: dict[str, str] = {
    **{unicodedata.name(sign).split()[-1].lower(): sign for sign in "αβγδζηθικμνξπρστυχψω"},
    "lambda": "λ",
    "phi": "φ",
    "epsilon": "ε",
    **dict.fromkeys(("le", "leq", "leqslant"), "≤"),
    **dict.fromkeys(("ge", "geq", "geqslant"), "≥"),
    **dict.fromkeys(("ne", "neq"), "≠"),
    **dict.fromkeys(("times", "cdot", "ast"), "*"),
    **dict.fromkeys(("dots", "ldots", "cdots"), "..."),
    **dict.fromkeys(("emptyset", "varnothing"), "∅"),
    **dict.fromkeys(("approx", "sim", "simeq"), "≈"),
    "lt": "<",
    "gt": ">",
    "infty": "∞",
    "cup": "∪",
    "in": "∈",
    "pm": "±",
    "div": "/",
    "to": "→",
    "lor": " or ",
    "land": " and ",
    "checkmark": "✓",
    "dollar": "$",
    "pounds": "£",
    "euro": "€",
    "colon": ":",
    "mid": "|",
    "langle": "(",
    "rangle": ")",
    "backslash": "\\",
}
_ENVIRONMENT = re.compile(r"\\begin\s*\{")
_QUOTES = {'"': '"', "'": "'"}
_BRACKETS = {"(": ")", "[": "]", "{": "}", "⦃": "⦄"}

_SO = r"(?:(?:so|thus|hence|therefore|then|finally|ok|okay|in conclusion|as a result|consequently)\b\s*,?\s+)*"
_SO_ALONE = re.compile(r"(?:so|thus|hence|therefore|consequently)\s*,?\s+(?=\S)", re.IGNORECASE)
_LEAD = re.compile(
    _SO + r"(?:(?:the|my|our|your|its|this)\s+)?"
    r"(?:(?:final|correct|right|best|numerical|numeric|exact|simplified|required|total|short|only)\s+)*"
    r"(?:answer|result|solution|option|choice|value|sum|total|cost|price|area|perimeter|volume|length|width|height|distance"
    r"|speed|profit|difference|product|average|mean|median|probability|remainder|quotient|percentage|limit|integral|derivative"
    r"|expression|slope|maximum|minimum)"
    r"(?:\s+(?:to|for|of)\s+(?:the|this)\s+(?:question|problem|exercise|equation))?"
    r"\s*(?:(?:is|are|was|were|will be|would be|equals|comes out to be)\b\s*(?:[:=]\s*)?|(?:[:=]|–|-\s)\s*)(?=\S)",
    re.IGNORECASE,
)
_PLAIN_LEAD = re.compile(
    r"(?:(?:it|that|this)(?:'s|\s+(?:is|was|equals))|there\s+(?:is|are|were|was)|(?:we|i|you)\s+(?:get|have|obtain|find)"
    r"|(?:i|we)(?:\s+would|'d)?\s+(?:choose|pick|select|go with)|=)"
    r"\s+(?=\S)|=(?=[^=\s])",
    re.IGNORECASE,
)
_HEAD = re.compile(r"(?:#{1,6}\s*)(?=[-+$\d])")
_TAIL = re.compile(
    r"\s+is\s+(?:(?:(?:the|my|our)\s+)?(?:final|correct|right)\s+)?(?:the\s+|my\s+|our\s+)?(?:answer|result|solution)$"
    r"|\s+is\s+(?:correct|right)$",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """The answer itself: no emphasis, no dollar signs of mathematics, no `The answer is`, one space between words."""
    text = plain_signs(text.strip())
    for _ in range(3):
        before = text
        text = _undressed(text)
        if " " in text or ":" in text or "=" in text:
            for lead in (_LEAD, _SO_ALONE, _PLAIN_LEAD):
                if (found := lead.match(text)) is not None:
                    text = text[found.end() :]
            text = _TAIL.sub("", text)
        if text == before:
            break
    return text


def plain_signs(text: str) -> str:
    """The text with one sign for each meaning: spaces, minus, quotes, raised digits and one-sign fractions in ASCII."""
    if text.isascii():
        return text
    text = _VULGAR.sub(lambda m: f" {unicodedata.normalize('NFKC', m[0])}", text)
    text = _WIDE.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    text = _RAISED.sub(lambda m: f"^{m[0].translate(_UPPER)}", text)
    text = _LOWERED.sub(lambda m: f"_{m[0].translate(_LOWER)}", text)
    return unicodedata.normalize("NFC", text).translate(_TABLE).strip()


def enclosed(text: str) -> bool:
    """Whether the bracket that opens a text is closed by its last character."""
    if len(text) < 2 or _BRACKETS.get(text[0]) is None or text[-1] not in ")]}⦄":
        return False
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign in "([{⦃") - (sign in ")]}⦄")
        if depth == 0:
            return at == len(text) - 1
    return False


def _undressed(text: str) -> str:
    if found := _FENCE.match(text):
        text = found[1]
    if text.isalnum():
        return text
    if _MARKS.search(text):
        for pattern, with_ in _MARKDOWN:
            text = pattern.sub(with_, text)
        text = _HEAD.sub("", text, count=1) if text.startswith("#") else text
    text = _without_latex(text)
    return _without_ends(" ".join(_EXPONENT.sub(r"^\1", text).split()))


def _without_latex(text: str) -> str:
    if "$" not in text and "\\" not in text and "{,}" not in text:
        return text
    if text.startswith("$") and text.endswith("$") and text.count("$") == 2:
        text = text[1:-1].strip()
    for pattern in _MATH:
        text = pattern.sub(r"\1", text)
    text = _unboxed(text)
    if _ENVIRONMENT.search(text):
        return _SIDES.sub("", text)
    text = _BOXED_WORD.sub(r"\1", text)
    for _ in range(8):
        before = text
        text = _FRACTION.sub(_fraction, _TEXT.sub(r" \1 ", text))
        if text == before:
            break
    for pattern, with_ in _WORDS:
        text = pattern.sub(with_, text)
    return text


def _unboxed(text: str) -> str:
    """What a box around all of a text holds, whatever braces are in it."""
    found = _BOX.match(text)
    return text[found.end() : -1].strip() if found is not None and enclosed(text[found.end() - 1 :]) else text


def _fraction(found: re.Match[str]) -> str:
    over, under = (found["a"] or found["b"] or "").strip(), (found["c"] or found["d"] or "").strip()
    if under.startswith("-") and under[1:].isdecimal() and over.isdecimal():
        over, under = f"-{over}", under[1:]
    after = found["next"] or ""
    whole = found["whole"] or ""
    bare = bool(_TOKEN.fullmatch(over) and _TOKEN.fullmatch(under)) and (
        not after.strip() or after.strip() in "\\,.;%)]}°|$⦄-+=<>&"
    )
    if whole and not (bare and over.isdecimal() and under.isdecimal()):
        whole = f"{whole}*"
    between = " " if whole else ""
    return f"{whole}{between}{over}/{under}{after}" if bare else f"{whole}{between}({over})/({under}){after}"


def _without_ends(text: str) -> str:
    """Without the full stop, the quotes and the brackets around all of it."""
    while True:
        before = text
        if text.endswith((".", ";", ",", ":")) and not text.endswith("..."):
            text = text[:-1].rstrip()
        if text.endswith("!") and text[-2:-1].isalpha() and len(text) > 3:
            text = text[:-1].rstrip()
        if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
            text = text[1:-1].strip()
        if text == before:
            return text
