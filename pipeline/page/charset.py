"""Bytes to text in the order of the WHATWG standards: byte order mark, HTTP, meta, then a detector.

Labels: https://encoding.spec.whatwg.org/#names-and-labels (by `webencodings`).
Meta: https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding.
"""

import codecs
import re
from typing import NamedTuple

import numpy as np
import webencodings
from resiliparse.parse.encoding import detect_encoding

from pipeline.html.attributes import attributes

PRESCAN_BYTES = 4096  # the standard's 1,024 would miss a meta behind inline scripts; Chromium reads to the head's end
DETECT_BYTES = 1 << 18  # where bytes outside ASCII are looked for
SAMPLE_BYTES = 1 << 13  # of them and their surroundings, for the detector
REACH = 100  # bytes of surroundings on each side
MAX_DAMAGE = 0.01  # share of characters that a declared encoding may fail on before the detector is asked
PROOF_CHARS = 4  # characters outside ASCII that prove UTF-8
MAX_BAD_UTF8 = 0.25  # share of characters outside ASCII that may be no UTF-8 in what is else UTF-8
MAX_GARBAGE = 0.1  # share of U+FFFD and control characters above which bytes are no text

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
_TOKEN = re.compile(
    rb"""<!--(?:>|->|.*?-->)|<(/?[a-z][^\s/>]*+)((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>|<[!/?][^>]*+>""", re.I | re.S
)
_CONTENT_CHARSET = re.compile(rb"""charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))""", re.I)
_XML_DECLARATION = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([^"'>]+)["']""")
_MARKUP = re.compile(  # what is never closed reaches to the end, which keeps this linear
    rb"<(?:script|style)\b(?:.*?</(?:script|style)|.*)|<!--(?:.*?-->|.*)|<[^<>]*>", re.I | re.S
)
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
# The detector's answers that count. In the others (ISO-8859-3, -10, -14, DOS code pages of Latin) hardly a page is
# written, yet it finds them in short texts. Its ISO-8859-16 is Romanian, which the web wrote in windows-1250
# and ISO-8859-2.
_ANSWERS = {
    "big5": "big5", "shift_jis": "shift_jis", "cp949": "euc-kr", "euc_jp": "euc-jp", "gb18030": "gb18030",
    "cp855": "ibm855", "cp866": "ibm866", "koi8-r": "koi8-r", "koi8-u": "koi8-u", "mac-cyrillic": "x-mac-cyrillic",
    "iso8859-1": "windows-1252", "iso8859-9": "windows-1254", "tis-620": "windows-874", "iso8859-16": "windows-1250",
    **{f"cp{page}": f"windows-{page}" for page in range(1250, 1259)},
    **{f"iso8859-{part}": f"iso-8859-{part}" for part in (2, 4, 5, 6, 7, 8, 13, 15)},
}  # fmt: skip
_UKRAINIAN = re.compile(rb"[\xa4\xa6\xa7\xad\xb4\xb6\xb7\xbd]")  # letters of KOI8-U, which are drawn lines in KOI8-R
_PYTHON_CODECS = {  # the standard has one decoder for both; the rest as `webencodings` has it
    "gbk": codecs.lookup("gb18030"),
    "ibm855": codecs.lookup("cp855"),
}


class Decoded(NamedTuple):
    """encoding: WHATWG name, or ibm855.  source: bom, http, meta, detector, fallback.  n_replacement: U+FFFD put in."""

    text: str
    encoding: str
    source: str
    n_replacement: int


def decode(body: bytes, http_charset: str | None) -> Decoded | None:
    """The text of `body`, without byte order mark; None when the bytes are no text, or in an encoding that is refused.

    A declaration is followed as browsers follow it, but where the bytes prove it wrong: it fails on more than one
    character in a hundred (of those outside ASCII) and the detected encoding on at most a tenth as many; or a meta
    element denies UTF-8 on a page that is UTF-8 throughout, which saved pages do.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return _checked(_decode(body[len(mark) :], name, "bom"), body)
    for source, label_name in (("http", encoding_of_label(http_charset)), ("meta", prescan(body))):
        if label_name == "replacement":
            return None
        if label_name is None:
            continue
        if source == "meta" and label_name != "utf-8" and (proven := _proven_utf8(body)) is not None:
            return _checked(proven, body)
        declared = _decode(body, label_name, source)
        failed = declared.n_replacement and declared.n_replacement > MAX_DAMAGE * _foreign(declared.text)
        if failed or b"\0" in body[:1024]:
            detected = _detected(body)
            if detected is not None and 10 * _damage(detected, body) <= _damage(declared, body):
                return _checked(detected, body)
        return _checked(declared, body)
    return _checked(_detected(body), body)


def encoding_of_label(label: str | None) -> str | None:
    """WHATWG name of a label, `replacement` for those that a decoder must refuse, None for unknown ones."""
    encoding = webencodings.lookup(label) if label else None
    return encoding.name if encoding else None


def prescan(body: bytes) -> str | None:
    """Encoding that an XML declaration or a meta element among the first bytes names."""
    head = body[:PRESCAN_BYTES]
    if head.startswith(b"<\0?\0x\0"):
        return "utf-16le"
    if head.startswith(b"\0<\0?\0x"):
        return "utf-16be"
    if (declaration := _XML_DECLARATION.match(head.lstrip())) and (name := _meta_name(declaration.group(1))):
        return name
    if b"charset" not in head.lower():
        return None
    for token in _TOKEN.finditer(head):
        if (token.group(1) or b"").lower() == b"meta" and (name := _meta_encoding(token.group(2))):
            return name
    return None


def _meta_encoding(source: bytes) -> str | None:
    if b"charset" not in source.lower():
        return None
    values = attributes(source)
    if b"charset" in values:
        return _meta_name(values[b"charset"])
    if values.get(b"http-equiv", b"").strip().lower() == b"content-type":
        content = _CONTENT_CHARSET.search(values.get(b"content", b""))
        if content:
            return _meta_name(next(filter(None, content.groups()), b""))
    return None


def _meta_name(label: bytes) -> str | None:
    """As `encoding_of_label`, with the two exceptions for declarations that were read as ASCII."""
    name = encoding_of_label(label.decode("latin-1"))
    if name in ("utf-16le", "utf-16be"):
        return "utf-8"
    return "windows-1252" if name == "x-user-defined" else name


def _detected(body: bytes) -> Decoded | None:
    """UTF-16 by its NULs, ISO-2022 by its escapes, UTF-8 by validity, the rest by a detector on the text without tags.

    None: ISO-2022-KR, which the standard refuses.
    """
    head = body[:1024]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > 0.3 * len(head[1::2]) and min(even, odd) < 0.05 * len(head):
        return _decode(body, "utf-16le" if odd > even else "utf-16be", "detector")
    if body.isascii() and b"\x1b" in body and b"\x1b$" in body:
        return None if b"\x1b$)C" in body else _decode(body, "iso-2022-jp", "detector")
    if (decoded := _decode(body, "utf-8", "detector")).n_replacement == 0 or _is_damaged_utf8(decoded, body):
        return decoded
    head = body[:DETECT_BYTES]
    sample = _foreign_parts(_MARKUP.sub(b" ", head)) or _foreign_parts(head) or _foreign_parts(body)
    name = _guessed(sample)
    fallback = _decode(body, "windows-1252", "fallback")
    if name is None:
        return fallback
    detected = _decode(body, name, "detector")
    if detected.n_replacement > MAX_DAMAGE * len(detected.text):
        return min(fallback, detected, key=lambda decoded: _damage(decoded, body))
    return fallback._replace(source="detector") if detected.text == fallback.text else detected


def _guessed(sample: bytes) -> str | None:
    """WHATWG name, or ibm855: DOS Cyrillic, which browsers do not know and show wrong, but Python reads."""
    name = _ANSWERS.get(detect_encoding(sample, html5_compatible=False) or "")
    return "koi8-u" if name == "koi8-r" and _UKRAINIAN.search(sample) else name


def _foreign_parts(data: bytes) -> bytes:
    """The bytes outside ASCII and REACH before and after: much English around would drown them in the detector."""
    at = np.flatnonzero(np.frombuffer(data, np.uint8) >= 128)
    if not len(at):
        return b""
    gaps = np.flatnonzero(np.diff(at) > 2 * REACH)
    starts, ends = at[np.r_[0, gaps + 1]] - REACH, at[np.r_[gaps, -1]] + REACH
    parts = (data[max(start, 0) : end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
    return b"\n".join(parts)[:SAMPLE_BYTES]


def _is_damaged_utf8(decoded: Decoded, body: bytes) -> bool:
    """A last character that is cut off, or a few bad bytes among good characters: other encodings break nearly all."""
    cut_off = decoded.n_replacement == 1 and _is_utf8(body)
    return cut_off or decoded.n_replacement <= MAX_BAD_UTF8 * _foreign(decoded.text)


def _is_utf8(body: bytes) -> bool:
    try:
        codecs.utf_8_decode(body, "strict", False)  # a last character may be cut off
    except UnicodeDecodeError:
        return False
    return True


def _proven_utf8(body: bytes) -> Decoded | None:
    """Legacy text that happens to be valid UTF-8 is unheard of beyond a handful of characters."""
    if body.isascii() or not _is_utf8(body):
        return None
    decoded = _decode(body, "utf-8", "detector")
    return decoded if _foreign(decoded.text) >= PROOF_CHARS else None


def _decode(body: bytes, name: str, source: str) -> Decoded:
    codec = _PYTHON_CODECS.get(name) or webencodings.lookup(name).codec_info
    try:
        text, count = codec.decode(body, "strict")[0], 0
    except UnicodeDecodeError:
        text = codec.decode(body, "replace")[0]
        count = text.count("\ufffd") - codec.decode(body, "ignore")[0].count("\ufffd")  # less the page's own
    return Decoded(text.removeprefix("\ufeff"), name, source, count)


def _foreign(text: str) -> int:
    """Characters outside ASCII."""
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))


def _damage(decoded: Decoded, body: bytes) -> float:
    """Share of replaced characters and controls; UTF-16 has its controls in the text, the others in the bytes."""
    data = decoded.text.encode("ascii", "ignore") if decoded.encoding.startswith("utf-16") else body
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return (decoded.n_replacement + controls) / max(len(decoded.text), 1)


def _checked(decoded: Decoded | None, body: bytes) -> Decoded | None:
    if decoded is None:
        return None
    below_space = np.count_nonzero(np.frombuffer(body, np.uint8) < 32)  # a bound that few pages exceed, far cheaper
    if decoded.n_replacement + below_space <= MAX_GARBAGE * len(decoded.text):
        return decoded
    return None if _damage(decoded, body) > MAX_GARBAGE else decoded
