"""Letters in disguise: the same letter under another code point, made for the width or the shape of a glyph.

- Full-width Latin letters and digits become the plain ones. Full-width punctuation is Chinese and Japanese punctuation,
  and stays, as the half-width `｡｢｣､･` do.
- Half-width katakana become katakana, with their voicing marks.
- Arabic presentation forms become the letters that they show; marks that stand alone become the mark. Ligatures of
  letters and of words go as well, ﷲ too, which is how some fonts and old files spell a word that others write with its
  letters. The honorifics ﷺ ﷻ, the bismillah ﷽, the rial ﷼ and the two Koranic stop signs stay: people type them as
  signs, as they do © or €, and nobody would write them out.

No other compatibility character is touched (UAX #15 has them all): superscripts, circled numbers, ligatures such as ﬁ,
and the styled letters of mathematics mean something by their form.
"""

import re
import unicodedata
from functools import cache

_FULL_WIDTH = "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
_KATAKANA = "\uff66-\uff9f"
_ARABIC = "\ufb50-\ufbb1\ufbd3-\ufd3d\ufd50-\ufd8f\ufd92-\ufdc7\ufdf2-\ufdf9\ufe70-\ufe72\ufe74\ufe76-\ufefc"
DISGUISED = re.compile(f"[{_FULL_WIDTH}{_KATAKANA}{_ARABIC}]")
KATAKANA_RUN = re.compile(f"[{_KATAKANA}]+")
VOICED = {"\uff9e": "\u3099", "\uff9f": "\u309a"}
VOICED_ALONE = {"\uff9e": "\u309b", "\uff9f": "\u309c"}
KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
TATWEEL = "\u0640"


@cache
def letters() -> dict[int, str]:
    """What each disguised character is, but for katakana: by code point, for str.translate."""
    table = {}
    for code in (*range(0xFF10, 0xFF5B), *range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFD)):
        character = chr(code)
        plain = unicodedata.normalize("NFKC", character)
        if plain == character or not DISGUISED.match(character):
            continue
        letters_of = plain.replace(TATWEEL, "").strip()
        table[code] = letters_of if unicodedata.combining(letters_of[0]) else plain
    return table


def _katakana(run: re.Match[str]) -> str:
    text = run.group()
    first = ""
    while text and text[0] in VOICED:  # with no half-width letter before it
        before = first or run.string[: run.start()][-1:]
        first += (VOICED if KANA.match(before) else VOICED_ALONE)[text[0]]
        text = text[1:]
    plain = unicodedata.normalize("NFKC", text)
    return first + plain.replace("\u3099", "\u309b").replace("\u309a", "\u309c")


def undisguise(text: str) -> str:
    """The text with plain letters, not normalized; the same object where there is nothing to do."""
    if not DISGUISED.search(text):
        return text
    return KATAKANA_RUN.sub(_katakana, text.translate(letters()))
