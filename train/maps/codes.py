"""A language by any of its names: what a map calls `fra` files call `fr` or `fra_Latn`, and `zho-CN` is `cmn_Hans`."""

import re
from collections.abc import Iterable

from pipeline.language.labels import ISO_639_3, OTHER_CODES

# Of the scripts that a region writes a language in where it is written in several; Hani says neither.
SCRIPTS = {"CN": "Hans", "SG": "Hans", "TW": "Hant", "HK": "Hant", "MO": "Hant"}
_SCRIPT = re.compile(r"[A-Z][a-z]{3}")


def find(language: str, there: Iterable[str]) -> str | None:
    """The one of these names that is of the language: the same name, else the one that agrees in language and, where
    both tell it, in script, the first in order; None. Macrolanguages are the language that FineWeb-2 takes for them."""
    names = sorted(there)
    if language in names:
        return language
    code, script = _parts(language)
    for name in names:
        other, written = _parts(name)
        if code == other and (not script or not written or script == written):
            return name
    return None


def _parts(name: str) -> tuple[str, str]:
    code, *more = re.split(r"[-_]", name)
    code = OTHER_CODES.get(code, code) if len(code) == 3 else ISO_639_3.get(code, code)
    script = next((SCRIPTS.get(one, one) for one in more if one in SCRIPTS or _SCRIPT.fullmatch(one)), "")
    return code, "" if script == "Hani" else script
