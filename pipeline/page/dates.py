"""When a page says that it was published: its dates, the surest first, and which of them can be true."""

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from pipeline.page.linked_data import types

FIRST_YEAR, LAST_YEAR = 1990, 2100  # of a web page; others are years of other calendars, or of what it is about
MAX_DAYS = 8  # that are remembered of a page

# Names of meta elements (name, property or itemprop) that give a page's date, the surest first. None that tells when
# something ends (expires, validThrough) or was changed.
_DATES = """
article:published_time datepublished og:article:published_time rnews:datepublished article.published
citation_publication_date citation_date parsely-pub-date sailthru.date bt:pubdate
dcterms.issued dc.date.issued dcterms.created dc.date.created dcterms.date dc.date
originalpublicationdate publication_date publication-date published_time pubdate publishdate publish_date publish-date
date_published published-date date
"""
DATE_NAMES = {name: rank for rank, name in enumerate(_DATES.split())}
_CITED = DATE_NAMES["citation_online_date"] = DATE_NAMES["citation_publication_date"]
_SURE = DATE_NAMES["article.published"]  # names up to this one outweigh JSON-LD
_OTHER_TYPES = frozenset({"comment", "review", "userreview", "answer", "videoobject", "imageobject", "organization"})

_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
_NUMBERS = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)|(\d{4})(\d\d)(\d\d)(?:\d{6})?(?!\d)|(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\d)"
)
_WORDS = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})\.?,?[ -](\d{4})\b"
    r"|\b([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b", re.I
)  # fmt: skip


def stated_days(named: Iterable[tuple[int, str]], nodes: Iterable[dict[str, Any]], times: Iterable[str]) -> list[str]:
    """The days, YYYY-MM-DD, that a page gives as its own, the surest first, at most MAX_DAYS.

    named: meta elements' ranks (of DATE_NAMES) and texts. Those for articles come first, then JSON-LD's `nodes`, then
    other meta elements, then `times`, of `time` elements that are marked as such, where they agree: a list of articles
    has no date of its own. Of a cited paper's two dates the earlier: an issue's may be months behind its pages'.
    """
    ranked = sorted(_ranked(named), key=lambda entry: (entry[0], entry[1] if entry[0] == _CITED else ""))
    days = [day for rank, day in ranked if rank <= _SURE]
    days += filter(None, map(_day, _data_dates(nodes)))
    days += [day for rank, day in ranked if rank > _SURE]
    marked = {day for day in map(_day, times) if day}
    return list(dict.fromkeys([*days, *(marked if len(marked) == 1 else ())]))[:MAX_DAYS]


def believed(days: Iterable[str], fetched: str | None) -> str | None:
    """The first day that is not behind the day of the fetch, by a day at most, which places may be ahead.

    fetched: the record's date, YYYY-MM-DD...; without one, or with one of a clock that was never set, all are
    believed, and not those up to today: a table must not hang on the day on which it is made.
    """
    limit = fetched[:10] if fetched and fetched >= str(FIRST_YEAR) else "9999"
    return next((day for day in days if str(date.fromisoformat(day) - timedelta(1)) <= limit), None)


def _ranked(named: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for rank, text in named:
        if day := _day(text):
            yield rank, day


def _data_dates(nodes: Iterable[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        if isinstance(value := node.get("datePublished"), str) and not _OTHER_TYPES.intersection(types(node)):
            yield value


def _day(text: str) -> str | None:
    """YYYY-MM-DD of a date that is written in one way only: ISO 8601, day.month.year, or with an English month."""
    text = text.strip()[:60]
    if match := _NUMBERS.match(text):
        year, _, month, day, *rest = match.groups()
        year, month, day = (year, month, day) if year else (rest[0], rest[1], rest[2]) if rest[0] else rest[5:2:-1]
    elif match := _WORDS.search(text):
        day, name, year = match.group(1, 2, 3) if match.group(1) else match.group(5, 4, 6)
        month = _MONTHS.get(name[:3].lower(), 0)
    else:
        return None
    try:
        published = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return published.isoformat() if FIRST_YEAR <= published.year <= LAST_YEAR else None
