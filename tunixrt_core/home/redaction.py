"""Removal of secrets from text and values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tunixrt_core.settings import Settings

REMOVED = "(removed)"

_SHORTEST = 4  # a known secret of fewer characters would take ordinary text with it
_LONGEST_LINE = 2_000
_QUOTED = 60  # characters of a quoted text with spaces, beyond which it counts as prose
_SECRET_WORDS = frozenset(
    {
        "token",
        "secret",
        "password",
        "passwd",
        "pwd",
        "apikey",
        "credential",
        "credentials",
        "authorization",
        "cookie",
        "webhook",
    }
)
_FOLDERS = frozenset({"PWD", "OLDPWD"})  # variables of every shell: the folder that one is in, no password
_PLAIN_VALUES = frozenset({"true", "false", "none", "null"})  # of switches such as USE_TOKEN
_KEY_OF = frozenset({"api", "access", "private", "secret", "account", "storage", "service"})
_VALUE = r"""(?:\\?"[^"\r\n]*"|\\?'[^'\r\n]*'|[^\s"',;&}\])]+)"""

# in this order: secrets that span lines, those recognised by the name before them, those recognised by their shape
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REMOVED),
    # SQLAlchemy writes the rows, pydantic the values that it was given into their messages
    (re.compile(r"\[parameters: .*"), f"[parameters: {REMOVED}]"),
    (re.compile(r"input_value=.*?(?=, input_type=|\]|$)", re.MULTILINE), f"input_value={REMOVED}"),
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)\b(\\?[\"']?\s*[:=,]\s*b?\\?[\"']?)[^\r\n\"']+"
        ),
        rf"\1\2{REMOVED}",
    ),
    (re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {REMOVED}"),
    (
        re.compile(
            r"(?i)(?<![\w.-])(?!(?-i:OLDPWD|PWD)\b)([\w.-]*(?:token|secret|passw(?:or)?d|passwd|pwd|api[_-]?key|access[_-]?key|private[_-]?key"
            rf"|credentials?))(\\?[\"']?\s*[=:]\s*){_VALUE}"
        ),
        rf"\1\2{REMOVED}",
    ),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/\"']*@"), rf"\1{REMOVED}@"),
    (
        re.compile(
            r"\b(?:trt_|hf_|api_org_|gh[pousr]_|github_pat_|glpat-|sk-|xox[abprs]-|wandb_v1_|npm_|pypi-|AKIA|ASIA|AIza|ya29\.|eyJ)"
            r"[A-Za-z0-9][A-Za-z0-9._-]{11,}"
        ),
        REMOVED,
    ),
    # the shape of a Weights & Biases key
    (re.compile(r"\b[0-9a-fA-F]{40}\b"), REMOVED),
    (re.compile(rf"'[^'\r\n]{{{_QUOTED},}}'"), "prose"),
    (re.compile(rf'"[^"\r\n]{{{_QUOTED},}}"'), "prose"),
)


class Redactor:
    """Removes secrets: the ones it is given, and those with the usual shapes and names of secrets."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        forms = {form for one in known for form in (one, quote(one, safe=""), unquote(one)) if len(form) >= _SHORTEST}
        # a secret that holds another one goes first
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """The text without secrets, without the rows that a database error quotes, and without long quoted prose."""
        text = self.without_known(text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(_without_prose if instead == "prose" else instead, text)
        return "\n".join(_cut(line) for line in text.split("\n"))

    def without_known(self, text: str) -> str:
        """The text without the known secrets; the rest is unchanged."""
        return self._known.sub(REMOVED, text) if self._known else text

    def value(self, value: Any, name: str = "") -> Any:
        """A JSON value without secrets; the value under the name of a secret is removed as a whole."""
        if isinstance(value, Mapping):
            return {str(key): self.value(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner, name) for inner in value]
        if isinstance(value, str):
            return (REMOVED if value else "") if names_secret(name) else self.text(value)
        return value


def names_secret(name: str) -> bool:
    """Whether the value of this name is a secret: `HF_TOKEN` and `apiKey`, not `max_new_tokens` or `group_key`."""
    if name in _FOLDERS:
        return False
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    if _SECRET_WORDS & set(words):
        return True
    return any(word == "key" and i and words[i - 1] in _KEY_OF for i, word in enumerate(words))


def known_secrets(settings: Settings, environ: Mapping[str, str]) -> set[str]:
    """The secrets of this server: its token, given or kept, the database's password, and those of the environment."""
    found = {settings.token or "", settings.webhook or "", _kept_token(settings), _password(settings.database_url)}
    found.add(settings.oidc_client_secret or "")
    found |= {_password(value) for value in environ.values() if "://" in value}
    # in the environment any KEY is one
    found |= {
        value
        for name, value in environ.items()
        if (names_secret(name) or name.upper().endswith("KEY")) and value.lower() not in _PLAIN_VALUES
    }
    return {one for one in found if one}


def _kept_token(settings: Settings) -> str:
    try:
        return settings.token_file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _without_prose(found: re.Match[str]) -> str:
    text = found[0]
    return text if " " not in text else f"{text[0]}({len(text) - 2} characters removed){text[-1]}"


def _cut(line: str) -> str:
    over = len(line) - _LONGEST_LINE
    return line if over <= 0 else f"{line[:_LONGEST_LINE]} ({over} more characters)"
