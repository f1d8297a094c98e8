"""Documents to read, kept ones and those that each rule dropped. Examples in, rows of text out."""

from typing import NamedTuple

from pipeline.report.gather import Stage
from pipeline.report.words import meaning, shown, tag
from schemas.records import Example

MOST_EXAMPLES = 6  # a reason


class Shown(NamedTuple):
    url: str
    label: str
    tag: str
    text: str


class Examples(NamedTuple):
    """Documents of one stage with one fate; reason empty: kept."""

    reason: str
    meaning: str
    rows: int
    documents: list[Shown]


def examples(name: str, stage: Stage) -> list[Examples]:
    """The kept ones first, then a group a reason, the commonest first."""
    by_reason: dict[str, list[Example]] = {}
    for example in stage.examples:
        by_reason.setdefault(example["reason"] or "", []).append(example)
    dropped = stage.ledger["dropped"]
    ordered = sorted(by_reason, key=lambda reason: (reason != "", -dropped.get(reason, 0), reason))
    return [
        Examples(
            reason,
            meaning(name, reason) if reason else "",
            dropped.get(reason, 0) if reason else stage.ledger["rows_out"],
            [_shown(example) for example in by_reason[reason][:MOST_EXAMPLES]],
        )
        for reason in ordered
    ]


def _shown(example: Example) -> Shown:
    return Shown(shown(example["url"]), example["language"], tag(example["language"]), shown(example["text"]))
