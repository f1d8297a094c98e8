"""A mixture before and after: shares of languages in the corpus, and in what a run reads. Values in, text out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.report.tables import MOST_LANGUAGES
from pipeline.report.words import ratio, share, size, tag


class MixedRow(NamedTuple):
    """before, after: shares; the widths are percent of the largest of either. times: after by before."""

    label: str
    tag: str
    size: str
    size_value: float
    before: float
    before_text: str
    before_width: float
    after: float
    after_text: str
    after_width: float
    times: float | None
    times_text: str
    epochs: float
    epochs_text: str


class Mixed(NamedTuple):
    """told: how, in words. left_out: languages with a smaller share that have no row."""

    told: str
    rows: list[MixedRow]
    left_out: int


def mixed(mixture: Mapping[str, Any]) -> Mixed:
    """A row a language, the largest before first. Of the training split, in the unit that the mixture was made by."""
    languages: Mapping[str, Mapping[str, Any]] = mixture["languages"]
    unit = mixture.get("unit", "bytes")
    sizes = {label: row.get(unit, row["bytes"]) for label, row in languages.items()}
    whole = sum(sizes.values()) or 1
    before = {label: amount / whole for label, amount in sizes.items()}
    widest = max([*before.values(), *(row["weight"] for row in languages.values())], default=1.0) or 1.0
    ordered = sorted(languages, key=lambda label: (-before[label], label))
    rows = []
    for label in ordered[:MOST_LANGUAGES]:
        row, first = languages[label], before[label]
        times = row["weight"] / first if first else None
        rows.append(
            MixedRow(
                label,
                tag(label),
                size(row["bytes"]),
                row["bytes"],
                first,
                share(first),
                round(100 * first / widest, 2),
                row["weight"],
                share(row["weight"]),
                round(100 * row["weight"] / widest, 2),
                times,
                "" if times is None else f"×\u00a0{ratio(times)}",
                row["epochs"],
                ratio(row["epochs"]),
            )
        )
    told = mixture["method"] + (f", T = {mixture['temperature']:g}" if mixture.get("temperature") else "")
    return Mixed(told, rows, len(ordered) - len(rows))
