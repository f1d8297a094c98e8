"""Invisible characters and controls: which a text may have, and the rest taken out.

Invisible characters hide words from every later stage and carry text that nobody sees (UTR #36, UTS #39), but some
scripts cannot be written without them. What stays:

- Zero-width joiner and non-joiner: one, behind a letter or mark of a script that joins or stacks (Arabic, Mongolian,
  Indic, Khmer and so on: Core Specification 23.2), the joiner also before one, and between emoji (UTS #51, ED-16).
- Zero-width space: one, between characters of a script without spaces (Thai, Lao, Khmer, Myanmar and their kin), and
  beside kana. Between Han characters it says nothing: a line may break there anyway (UAX #14).
- Variation selectors: one, behind a visible character (Core Specification 23.4); U+E0100 and on behind Han only.
- Tag characters: behind a black flag, as a flag of 3 to 6 with its end (UTS #51, ED-14a).
- U+180E inside a Mongolian word.
- Embeddings and isolates whose both ends stand in one line, for at the line's end they lapse (UAX #9, P1 and X8), no
  deeper than its 125 levels. Left-to-right, right-to-left and Arabic letter marks: one of a kind in a row. All of
  these only in lines with a right-to-left character.

What goes: overrides with their ends, soft hyphens, word joiners, invisible operators, deprecated format characters,
interlinear annotation, and all of the above where it has no use.
"""

import re
from functools import lru_cache

import regex

SURROGATE = re.compile("[\ud800-\udfff]")
# Newline functions of the Unicode Standard, 5.8. NEL is left to mojibake, for which U+0085 is a lost ellipsis.
LINE_END = re.compile("\r\n|[\r\v\f\u2028\u2029]")
# Beside controls: noncharacters, and the byte order mark where files were glued together.
_UNWANTED = "\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ufdd0-\ufdef\ufeff\ufffe\uffff"
UNWANTED = re.compile(f"[{_UNWANTED}]")

_USELESS = "\u00ad\u2060-\u2065\u206a-\u206f\ufff9-\ufffb\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"
_TAGS = "\U000e0000-\U000e007f"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ZERO_WIDTH = "\u200b-\u200d"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
MONGOLIAN_SEPARATOR = "\u180e"
INVISIBLE = re.compile(f"[{_USELESS}{_TAGS}{_SELECTORS}{_ZERO_WIDTH}{_BIDI}{MONGOLIAN_SEPARATOR}]")
# Any of them, or a surrogate. As the complement, since a set answers soonest for what it holds.
ODD = re.compile(
    "[^\t\n -~\x80-\xac\xae-\u061b\u061d-\u180d\u180f-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\ue000-\ufdcf"
    "\ufdf0-\ufdff\ufe10-\ufefe\uff00-\ufff8\ufffc\ufffd\U00010000-\U000dffff\U000e1000-\U0010ffff]"
)

USELESS = re.compile(f"[{_USELESS}]")
RARE = re.compile(f"[{_USELESS}{_TAGS}{MONGOLIAN_SEPARATOR}]")
TAGS = re.compile(f"(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{3,6}}\U000e007f)|[{_TAGS}]")
SELECTORS = re.compile(f"[{_SELECTORS}]+")
STRAY_SEPARATOR = regex.compile(rf"{MONGOLIAN_SEPARATOR}(?<!\p{{Mong}}.)|{MONGOLIAN_SEPARATOR}(?!\p{{Mong}})")
ZERO_WIDTH = re.compile(f"[{_ZERO_WIDTH}]+")
ZERO_WIDTH_SPACE, ZERO_WIDTH_JOINER = "\u200b", "\u200d"

# Blocks whose characters are right-to-left unless stated otherwise (DerivedBidiClass.txt), less the Arabic letter mark.
RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
BIDI = re.compile(f"[{_BIDI}]")
PAIRED = re.compile("[\u202a-\u202e\u2066-\u2069]")
REPEATED_MARK = re.compile("([\u061c\u200e\u200f])\\1+")
OVERRIDES, POP_FORMATTING = "\u202d\u202e", "\u202c"
ISOLATES, POP_ISOLATE = "\u2066\u2067\u2068", "\u2069"
MAX_DEPTH = 125

_JOINING = """Adlm Arab Bali Beng Bhks Brah Cakm Cham Chrs Deva Diak Dogr Gong Gonm Gran Gujr Guru Java Kawi Khar Khmr
Khoj Knda Kthi Lana Limb Mand Mani Mlym Modi Mong Mtei Mymr Nand Newa Nkoo Orya Ougr Phag Phlp Rjng Rohg Saur Sidd Sind
Sinh Sogd Soyo Sund Sylo Syrc Takr Taml Telu Tibt Tirh Zanb"""
_WITHOUT_SPACES = "Bali Java Khmr Lana Laoo Mymr Tale Talu Tavt Thai"


def _scripts(codes: str) -> str:
    """A set for `regex`: characters that one of these scripts uses."""
    return "[" + "".join(rf"\p{{Script_Extensions={code}}}" for code in codes.split()) + "]"


JOINING = regex.compile(rf"(?V1)[{_scripts(_JOINING)}&&[\p{{L}}\p{{M}}]]")
_KANA = r"\p{Hiragana}\p{Katakana}\u30fc"  # no extensions: Chinese shares their punctuation
WITHOUT_SPACES = regex.compile(_scripts(_WITHOUT_SPACES)[:-1] + _KANA + "]")
KANA = regex.compile(f"[{_KANA}]")
HAN = regex.compile(r"\p{Han}")
PICTOGRAPH = regex.compile(r"\p{Extended_Pictographic}")
VISIBLE = regex.compile(r"[^\s\p{Cc}\p{Cf}]")
EMOJI_END = regex.compile(r"[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f\U000e007f]")


@lru_cache(8192)
def _is(what: regex.Pattern[str], character: str) -> bool:
    return what.match(character) is not None


def _selector(match: re.Match[str]) -> str:
    """What stays of a run of variation selectors."""
    before = match.string[match.start() - 1] if match.start() else "\n"
    first = match.group()[0]
    return first if _is(VISIBLE if first <= "\ufe0f" else HAN, before) else ""


def _zero_width(match: re.Match[str]) -> str:
    """What stays of a run of zero-width characters."""
    run, text = match.group(), match.string
    before = text[match.start() - 1] if match.start() else "\n"
    after = text[match.end()] if match.end() < len(text) else "\n"
    if ZERO_WIDTH_JOINER in run and _is(PICTOGRAPH, after) and _is(EMOJI_END, before):
        return ZERO_WIDTH_JOINER
    joiners = run.replace(ZERO_WIDTH_SPACE, "")
    if joiners and _is(JOINING, before):
        return joiners[0]
    if ZERO_WIDTH_JOINER in run and _is(JOINING, after):
        return ZERO_WIDTH_JOINER
    if ZERO_WIDTH_SPACE in run and (
        (_is(WITHOUT_SPACES, before) and _is(WITHOUT_SPACES, after))
        or (_is(KANA, before) and _is(HAN, after))
        or (_is(HAN, before) and _is(KANA, after))
    ):
        return ZERO_WIDTH_SPACE
    return ""


def _directions(line: str) -> str:
    """A line with the bidirectional controls that the module's docstring lets stay."""
    if not BIDI.search(line):
        return line
    if not RIGHT_TO_LEFT.search(line):
        return BIDI.sub("", line)
    line = REPEATED_MARK.sub(r"\1", line)
    stays: set[int] = set()
    opened: list[tuple[str, int]] = []
    n_isolates = 0
    for control in PAIRED.finditer(line):
        character, at = control.group(), control.start()
        if character == POP_FORMATTING:
            if opened and opened[-1][0] not in ISOLATES:
                opener, start = opened.pop()
                if opener not in OVERRIDES and len(opened) < MAX_DEPTH:
                    stays.update((start, at))
        elif character != POP_ISOLATE:
            opened.append((character, at))
            n_isolates += character in ISOLATES
        elif n_isolates:
            while opened[-1][0] not in ISOLATES:  # UAX #9, X6a: what is open inside an isolate ends with it
                opened.pop()
            _, start = opened.pop()
            n_isolates -= 1
            if len(opened) < MAX_DEPTH:
                stays.update((start, at))
    return PAIRED.sub(lambda control: control.group() if control.start() in stays else "", line)


def drop_invisible(text: str) -> str:
    invisible = set(INVISIBLE.findall(text))
    if not invisible:
        return text
    if RARE.search("".join(invisible)):
        text = TAGS.sub(r"\1", USELESS.sub("", text))
        text = STRAY_SEPARATOR.sub("", text)
    text = SELECTORS.sub(_selector, text)
    if BIDI.search(text):
        text = "\n".join(map(_directions, text.split("\n")))
    return ZERO_WIDTH.sub(_zero_width, text)
