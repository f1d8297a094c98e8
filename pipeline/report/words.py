"""Numbers and texts as the report writes them."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from babel import Locale

from pipeline.language.labels import ISO_639_3
from pipeline.privacy.masks import mask
from schemas import clean, dedup, extract, sample, vocab
from schemas.records import REMOVED

MEANINGS: dict[str, dict[str, str]] = {
    schema.STAGE: schema.REASONS for schema in (extract, clean, dedup, sample, vocab)
}
TEXT_CHARACTERS = 600
CUT = " …"  # stands at the end of a text that goes on

# BCP 47 asks for the code of two letters where there is one. lid.176's bh and sh are no tags of today.
_SHORT = {code: label for label, code in ISO_639_3.items() if len(label) == 2 and label not in ("bh", "sh")}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def brief(value: float) -> str:
    """A count, in thousand millions where it would be longer than ten digits."""
    return count(value) if value < 1e10 else f"{value / 1e9:,.0f}\u00a0bn"


def share(value: float | None) -> str:
    """0 to 1 as percent; what is not nothing is never written 0, what is not all never 100."""
    if value is None:
        return ""
    if 0 < value < 0.0005:
        return "<\u00a00.1\u00a0%"
    if 0.9995 <= value < 1:
        return ">\u00a099.9\u00a0%"
    return f"{100 * value:.1f}\u00a0%" if value % 1 else f"{100 * value:.0f}\u00a0%"


def size(value: float | None) -> str:
    """Bytes in powers of 1000."""
    if value is None:
        return ""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5:
            return f"{value:.0f}\u00a0B" if unit == "B" else f"{value:.3g}\u00a0{unit}"
        value /= 1000
    return f"{value:,.3g}\u00a0PB"


def number(value: float | None) -> str:
    """Four digits that matter, no exponent above 0.0001."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def nats(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def tag(label: str) -> str:
    """BCP 47 for the attribute `lang`: `ara-Arab` as a browser knows it; empty where the language is unknown."""
    language, _, script = label.partition("_")
    if not re.fullmatch("[a-z]{2,3}", language) or language == "und":
        return ""
    known = re.fullmatch("[A-Z][a-z]{3}", script) and script not in ("Zyyy", "Hani", "Hang")
    return "-".join([_SHORT.get(language, language), *([script] if known else [])])


def name_of(label_tag: str) -> str:
    """English name of a tag's language by CLDR; empty where it has none."""
    return _names().get(label_tag.partition("-")[0], "") if label_tag else ""


@cache
def _names() -> Mapping[str, str]:
    return Locale("en").languages


def shown(text: str, most: int = TEXT_CHARACTERS) -> str:
    """A text of the web fit to be shown: addresses masked, cut when long."""
    masked = mask(text).text
    return masked if len(masked) <= most else masked[:most].rstrip() + CUT


def printable(page: str) -> str:
    """Control characters and lone surrogates, which no HTML or UTF-8 can hold, as U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", page)


def meaning(stage: str, reason: str) -> str:
    """From the schemas; of `rule:detail` without an entry of its own, that of `rule`."""
    known = MEANINGS.get(stage, {}) | {REMOVED: "taken down: see the folder removed/"}
    return known.get(reason) or known.get(reason.split(":")[0], "")


def setting(value: Any) -> str:
    """A value of a run record on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {setting(inner)}" for key, inner in sorted(value.items())) or "none"
    if isinstance(value, list):
        return ", ".join(map(setting, value)) or "none"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)
