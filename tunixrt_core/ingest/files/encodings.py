"""The encoding of a text file: UTF-8, its byte order mark, or one guess."""

from __future__ import annotations

import codecs
import io
import re
from typing import IO, BinaryIO, NamedTuple, cast

from tunixrt_core.errors import UnreadableFile

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENOUGH = 4  # bytes that are not ASCII; of fewer nothing is guessed for a whole file
_BLOCK = 1 << 18
_QUOTES = "‘’“”–—…«»°§·×÷±€£ "
# the letters beyond ASCII that are common in texts of each encoding: a short text holds too few for statistics
_COMMON = {
    "gb18030": "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里"
    "后小多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两"
    "长知民样现分将外但身些与高意进把法此实回二理点月明其种全工话者向情部正名定女问力机给等几很最间新"
    "什打便位因重被走四第题答案请数值计算解设求证共元米",
    "big5hkscs": "的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可裡"
    "後小多天而能好都然沒日於起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩"
    "長知民樣現分將外但身些與高意進把法此實回二理點月明其種全工話者向情部正名定女問力機給等幾很最間新"
    "什打便位因重被走四第題答案請數值計算解設求證共元米",
    "cp932": "".join(map(chr, range(0x3041, 0x3094))),
    "euc_jp": "".join(map(chr, range(0x3041, 0x3094))),
    "cp949": "이가는을를의에은로고다하지한기사나도라서자대리어아수인그해정일"
    "스시들과것있합니까요몇질문답무엇마면만보여주세",
    "cp1252": "éèàçêâîôûùëïœæüöäßñáíóúìòãõåøÉÈÀÇÊÔÖÜÄÑÁÍÓÚÅØ¿¡ºª",
    "cp1250": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžČŘŠŽőűÁÉÍÚ",
    "iso8859_2": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžČŘŠŽőűÁÉÍÚ",
    "cp1251": "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїє",
    "koi8_r": "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "cp1254": "ğışçöüİĞŞÇÖÜâî",
}
_SCRIPTS = {"gb18030": 0.25, "big5hkscs": 0.25, "cp932": 0.25, "euc_jp": 0.25, "cp949": 0.25} | {
    "cp1251": 0.7,  # small letters: in the other one of the two they are capital ones
    "koi8_r": 0.7,
}  # the least share of common characters among those beyond ASCII
_NONE = frozenset(map(chr, range(0x80, 0xA0)))  # control characters, which no text holds
_IN_A_ROW = re.compile(r"[^\W\d_a-zA-Z]{2,}")
_NOT_GUESSED = ["utf_7", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"]
_COHERENT = 0.2  # of charset-normalizer: how much the letters are those of a language
_MOST = 0.9  # of the letters of an alphabet beyond ASCII


class Encoding(NamedTuple):
    """The name of an encoding, and how it is known: told, byte order mark, guess."""

    name: str
    why: str


def encoding_named(name: str) -> str:
    """The encoding of that name as Python knows it. Raises UnreadableFile where it knows none that is of text."""
    try:
        found = codecs.lookup(name)
        "".encode(found.name)
    except (LookupError, ValueError):
        raise UnreadableFile(
            f"There is no encoding {name!r}. Use a name such as utf-8, utf-16, gb18030, cp932, cp1252."
        ) from None
    return found.name


def find_encoding(head: bytes) -> Encoding | None:
    """The encoding of a text that begins like this; None for UTF-8, and where single bytes are at fault."""
    for mark, marked in _BOMS:
        if head.startswith(mark) and b"\0" in head:  # those of the ASCII characters that rows are written with
            return Encoding(marked, "by its byte order mark")
    if (wide := _without_mark(head)) is not None:
        return Encoding(wide, "guessed")
    if b"\0" in head:
        return None
    odd = sum(byte > 127 for byte in head)
    if odd < _ENOUGH or _is_utf8_with_faults(head):
        return None
    name = guess(head)
    return None if name is None else Encoding(name, "guessed")


def guess(data: bytes) -> str | None:
    """The likely encoding of bytes that are not UTF-8; None where nothing can be said."""
    from charset_normalizer import from_bytes  # takes a twentieth of a second

    lines = b"\n".join(line for line in data.split(b"\n") if not line.isascii())[:_BLOCK]
    shares = {name: _share_of_common(lines, name) for name in _COMMON}
    best = max(shares, key=lambda name: shares[name])  # the first of equals
    few = sum(byte > 127 for byte in lines) < _ENOUGH
    if shares[best] >= _SCRIPTS.get(best, _MOST) and (best == "cp1252" or not few):
        return best
    if few:
        return None
    found = from_bytes(lines, cp_exclusion=_NOT_GUESSED).best()
    return None if found is None or found.coherence < _COHERENT else found.encoding


def encoding_hint(data: bytes) -> str:
    """What to do about bytes that are not UTF-8."""
    name = guess(data)
    which = f"--encoding {name}, if the file is written in that" if name else "--encoding NAME"
    return f"Save the file as UTF-8, or name its encoding: {which}"


def decoded(stream: IO[bytes], encoding: str) -> BinaryIO:
    """The stream as UTF-8. Bytes that the encoding does not have stay as they are, so that their row is found."""
    return cast(BinaryIO, io.BufferedReader(_Recoded(stream, encoding), _BLOCK))


class _Recoded(io.RawIOBase):
    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._ready and not self._ended:
            data = self._stream.read(_BLOCK)
            self._ended = not data
            try:
                text = self._decoder.decode(data, self._ended)
            except UnicodeDecodeError as error:  # UTF-16 and UTF-32 keep no single bytes
                raise OSError(f"it is not {error.encoding} throughout") from None
            self._ready = text.encode("utf-8", "surrogateescape")
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def _without_mark(head: bytes) -> str | None:
    """UTF-16 without its mark: every second byte of its first, ASCII characters is zero."""
    start = head[:64]
    if len(start) < 8 or start.count(0) < len(start) // 3:
        return None
    if not any(start[0::2]) or not any(start[1::2]):
        return "utf-16-be" if not any(start[0::2]) else "utf-16-le"
    return None


def _is_utf8_with_faults(head: bytes) -> bool:
    """Whether most lines that are not ASCII are UTF-8, so that the others are at fault."""
    lines = [line for line in head.split(b"\n") if not line.isascii()]
    last = lines[-1:] if not head.endswith(b"\n") else []  # the block may end inside a character
    good = sum(_is_utf8(line) or (line in last and _is_utf8(line[:-1] + b" ", cut=True)) for line in lines)
    return good * 2 >= len(lines)


def _is_utf8(line: bytes, *, cut: bool = False) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return cut and error.start >= len(line) - 4
    return True


def _share_of_common(data: bytes, name: str) -> float:
    """Of the letters beyond ASCII in this encoding, the share of common ones; 0 where the bytes are none of it."""
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        return 0.0
    odd = [c for c in text if ord(c) > 127 and c not in _QUOTES]
    if name not in _SCRIPTS and sum(map(len, _IN_A_ROW.findall(text))) > 0.7 * len(odd):
        return 0.0  # whole words of such letters: the letters are those of another alphabet
    return sum(c in _COMMON[name] for c in odd) / len(odd) if odd and not any(c in _NONE for c in text) else 0.0
