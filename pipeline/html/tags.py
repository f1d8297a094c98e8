"""A page's tags and its text, by HTML's own tokens (https://html.spec.whatwg.org/#tokenization), without a tree.

One compiled pass over the page's UTF-8. What a browser would not see as an element is none here: what stands in
comments, attribute values, scripts and other raw text, and tags that are cut off by the page's end. Nothing is read
twice, so time is linear in the page.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.html.attributes import next_attribute
from pipeline.html.tokens import behind, comment_end, find_byte, is_space, is_xml, lower, raw_end
from pipeline.kernels.compiling import kernel, whole

HTML, META, LINK, BASE, TITLE, ANCHOR, TIME, DATA = range(8)  # kinds of tags that `tags` gives
MAX_OF_A_KIND = 1000  # tags of one kind that are given: more stand on pages that were made to hurt


class Tag(NamedTuple):
    """kind: of the above. attributes: their source. text: what stands in a title or in a script of data. place: where
    in the page the attributes begin."""

    kind: int
    attributes: bytes
    text: bytes
    place: int


def _pack(name: bytes) -> np.uint64:
    """A name of at most eight lower-case letters as a number."""
    return np.uint64(int.from_bytes(name, "little"))


_HTML, _META, _LINK, _BASE, _TITLE, _A, _AREA, _TIME, _SCRIPT, _STYLE, _TEXTAREA, _XMP, _IFRAME, _NOEMBED = map(
    _pack,
    (b"html", b"meta", b"link", b"base", b"title", b"a", b"area", b"time", b"script", b"style", b"textarea", b"xmp",
     b"iframe", b"noembed"),
)  # fmt: skip
_NOFRAMES, _TEMPLATE, SVG = map(_pack, (b"noframes", b"template", b"svg"))
_PLAINTEXT = _pack(b"plaintex")  # the first eight; it has nine
_NOTHING = np.uint64(0)
START, END, OTHER, STOP = 0, 1, 2, 3  # kinds of tokens
_LICENCES = tuple(b"creativecommons.org")
_JSON, _CANONICAL, _LICENSE, _COPYRIGHT = map(tuple, (b"ld+json", b"canonical", b"license", b"copyright"))


def tags(html: bytes) -> Iterator[Tag]:
    """Start tags of the page (UTF-8) that can say something about it, in order, but for those in templates.

    `html`, `meta`, `base`, `time`; a `title` outside SVG; a `link` that says canonical, license or copyright; an `a` or
    `area` that says creativecommons.org; a `script` that says ld+json. At most `MAX_OF_A_KIND` of each.
    """
    for kind, begin, end, text, text_end in _tags(np.frombuffer(html, np.uint8)).tolist():
        yield Tag(kind, html[begin:end], html[text:text_end], begin)


def text_runs(html: bytes) -> np.ndarray:
    """What is text and not white space alone, from tag to tag: int64 of shape (n, 2), begins and ends in `html`.

    Titles are text; scripts, styles, text areas and what else no reader sees are not.
    """
    wanted: np.ndarray = _runs(np.frombuffer(html, np.uint8))
    return wanted


@kernel
def _name(data, at) -> tuple:
    """The name of a tag from `at`, packed, 0 for what is too long, and where it ends."""
    name, size, begin = _NOTHING, len(data), at
    while at < size:
        byte = data[at]
        if byte <= 62 and (byte == 62 or byte == 47 or is_space(byte)):
            break
        if at - begin < 8:
            name |= np.uint64(lower(byte)) << np.uint64(8 * (at - begin))
        at += 1
    if at - begin > 8 and not (at - begin == 9 and name == _PLAINTEXT and lower(data[at - 1]) == 116):
        name = _NOTHING
    return name, at


@kernel
def _tag_end(data, at) -> tuple:
    """The place of the > that ends a tag whose attributes begin at `at`, the page's size without one, and whether it
    is />."""
    while True:
        attribute = next_attribute(data, at)
        if attribute.name == attribute.name_end:
            return attribute.name, attribute.slash
        at = attribute.end


@kernel
def next_token(data, at) -> tuple:
    """The next token that is no text: what it is, a tag's name, where it begins, its attributes' begin and end, what
    lies behind it, and whether it is a start tag that ends in />."""
    size = len(data)
    while True:
        at = find_byte(data, at, 60)
        if at + 1 >= size:
            break
        begin, byte = at, data[at + 1]
        ending = byte == 47
        letter = data[at + 2] if ending and at + 2 < size else byte
        if 97 <= lower(letter) <= 122:
            name, after = _name(data, at + 1 + ending)
            end, slash = _tag_end(data, after)
            if end == size:
                return STOP, _NOTHING, begin, size, size, size, False
            return (END if ending else START), name, begin, after, end, end + 1, slash and not ending
        if byte == 33 and at + 3 < size and data[at + 2] == 45 and data[at + 3] == 45:
            return OTHER, _NOTHING, begin, begin, begin, comment_end(data, at + 4), False
        if byte == 33 or byte == 63 or (ending and at + 2 < size):
            return OTHER, _NOTHING, begin, begin, begin, behind(data, at + 2, 62), False
        at += 1
    return STOP, _NOTHING, size, size, size, size, False


@kernel
def is_raw(name) -> bool:
    """Whether an element of that name, packed, holds raw text."""
    return name in (_SCRIPT, _STYLE, _TITLE, _TEXTAREA, _XMP, _IFRAME, _NOEMBED, _NOFRAMES)


@kernel
def _has(data, begin, end, words) -> bool:
    """Whether the ASCII letters `words` stand in a span, in any case."""
    length = len(words)
    for at in range(begin, end - length + 1):
        if data[at] | 32 == words[0]:
            same = True
            for i in range(1, length):
                if lower(data[at + i]) != words[i]:
                    same = False
                    break
            if same:
                return True
    return False


@kernel
def _tells(data, begin, end) -> bool:
    """Whether a link can be the page's address or its licence."""
    named = _has(data, begin, end, _CANONICAL) or _has(data, begin, end, _LICENSE)
    return named or _has(data, begin, end, _COPYRIGHT)


@kernel
def _tags(data) -> np.ndarray:
    """Kind, attributes' begin and end, text's begin and end of each tag, int64 of shape (n, 5)."""
    wanted, n = np.empty((64, 5), np.int64), 0
    counts = np.zeros(8, np.int64)
    at, templates, drawings, xml = whole(0), 0, 0, is_xml(data)
    while True:
        what, name, tag, begin, end, at, slash = next_token(data, at)
        if what == STOP:
            break
        if what == OTHER:
            continue
        if name == _TEMPLATE:
            templates = max(0, templates + (1 if what == START else -1))
        elif name == SVG and not slash:
            drawings = max(0, drawings + (1 if what == START else -1))
        if what == END:
            continue
        if name == _PLAINTEXT:
            break
        text, text_end = at, at
        if is_raw(name) and not (slash and (xml or drawings)):
            text_end = raw_end(data, at, tag + 1, begin)
            at = text_end
        if templates:
            continue
        kind = -1
        if name == _META:
            kind = META
        elif name == _LINK:
            kind = LINK if _tells(data, begin, end) else -1
        elif name == _TITLE:
            kind = TITLE if not drawings else -1
        elif name == _HTML:
            kind = HTML
        elif name == _BASE:
            kind = BASE
        elif name == _TIME:
            kind = TIME
        elif name in (_A, _AREA) and _has(data, begin, end, _LICENCES):
            kind = ANCHOR
        elif name == _SCRIPT and _has(data, begin, end, _JSON):
            kind = DATA
        if kind < 0 or counts[kind] == MAX_OF_A_KIND:
            continue
        counts[kind] += 1
        if n == len(wanted):
            more = np.empty((2 * n, 5), np.int64)
            more[:n] = wanted
            wanted = more
        wanted[n, 0], wanted[n, 1], wanted[n, 2], wanted[n, 3], wanted[n, 4] = kind, begin, end, text, text_end
        n += 1
    return wanted[:n]


@kernel
def _runs(data) -> np.ndarray:
    runs, n = np.empty((256, 2), np.int64), 0
    at, drawings, xml = whole(0), 0, is_xml(data)
    while True:
        what, name, tag, name_end, _, after, slash = next_token(data, at)
        begin = tag
        if name == SVG and not slash:
            drawings = max(0, drawings + (1 if what == START else -1))
        raw = what == START and is_raw(name) and not (slash and (xml or drawings))
        titled = raw and name == _TITLE
        for part in range(2 if titled else 1):
            if part:
                at, begin = after, raw_end(data, after, tag + 1, name_end)
                after = begin
            while at < begin and data[at] <= 32:
                at += 1
            while begin > at and data[begin - 1] <= 32:
                begin -= 1
            if begin == at:
                continue
            if n == len(runs):
                more = np.empty((2 * n, 2), np.int64)
                more[:n] = runs
                runs = more
            runs[n, 0], runs[n, 1] = at, begin
            n += 1
        at = after
        if what == START and name == _PLAINTEXT:
            continue
        if raw and not titled:
            at = raw_end(data, after, tag + 1, name_end)
        if what == STOP:
            break
    return runs[:n]
