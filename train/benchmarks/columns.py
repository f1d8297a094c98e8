"""Which column of a table is which part of an example: as the user names it, else by its usual names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UserError


@dataclass(frozen=True)
class Columns:
    """Names of columns, given by the user; "": found by layout or by the usual names. In files of a word a line `tags`
    may be the number of a column, from 1, or a name of CoNLL-U's."""

    text: str = ""
    pair: str = ""
    label: str = ""
    language: str = ""
    words: str = ""
    tags: str = ""
    question: str = ""
    context: str = ""
    answers: str = ""
    id: str = ""
    score: str = ""


# Names under which benchmarks are published on the Hub and in files, the likelier first.
PAIRS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("premise", "hypo"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("#1 string", "#2 string"),
    ("source_sentence", "target_sentence"),
    ("anchor", "positive"),
    ("query", "positive"),
    ("first", "second"),
    ("text", "pair"),
    ("text", "text_pair"),
)
USUAL = {
    "text": ("text", "sentence", "content", "sentence1", "premise"),
    "label": ("label", "gold_label", "category", "class", "is_duplicate", "quality", "labels"),
    "score": ("score", "similarity_score", "similarity"),
    "language": ("language", "lang", "langs", "language_script"),
    "words": ("tokens", "words"),
    "tags": ("ner_tags", "tags", "upos", "pos_tags", "labels"),
    "question": ("question",),
    "context": ("context",),
    "answers": ("answers",),
    "id": ("id", "index_id", "guid", "idx"),
}
ALL_NAMES = {name for names in (*PAIRS, *USUAL.values()) for name in names}


def flag(role: str) -> str:
    """The flag by which programs let a column be named."""
    return f"--{role}_column"


def find(path: Path, names: Sequence[str], columns: Columns, role: str) -> int | None:
    """Where the column of that role is among `names`, None where nothing there is named so. UserError where the user
    named one that is not there."""
    wanted = getattr(columns, role)
    if wanted:
        if wanted not in names:
            raise UserError(f"{path} has no column {wanted!r}, which {flag(role)} names: it has {listed(names)}")
        return names.index(wanted)
    return _usual(names, USUAL[role])


def need(path: Path, names: Sequence[str], columns: Columns, role: str) -> int:
    """The same, and UserError where there is none."""
    found = find(path, names, columns, role)
    if found is None:
        raise UserError(
            f"{path} has no column for {role} (as {' or '.join(map(repr, USUAL[role][:3]))}), it has {listed(names)}: "
            f"name one with {flag(role)}"
        )
    return found


def find_pair(path: Path, names: Sequence[str], columns: Columns) -> tuple[int, int] | None:
    """Where the two texts of a pair are: the two that the user names, or the one and what usually stands beside it."""
    if columns.text and columns.pair:
        return need(path, names, columns, "text"), need_named(path, names, columns.pair, "pair")
    lower = [name.lower() for name in names]
    for first, second in PAIRS:
        if (columns.text and columns.text.lower() != first) or (columns.pair and columns.pair.lower() != second):
            continue
        if first in lower and second in lower:
            return lower.index(first), lower.index(second)
    for role in ("text", "pair"):
        wanted = getattr(columns, role)
        if wanted:
            need_named(path, names, wanted, role)
    if columns.pair:  # the first text may be the usual one
        first_text = _usual([name if name != columns.pair else "" for name in names], USUAL["text"])
        return None if first_text is None else (first_text, names.index(columns.pair))
    return None


def need_named(path: Path, names: Sequence[str], wanted: str, role: str) -> int:
    if wanted not in names:
        raise UserError(f"{path} has no column {wanted!r}, which {flag(role)} names: it has {listed(names)}")
    return names.index(wanted)


def listed(names: Sequence[str]) -> str:
    """For a message."""
    shown = [repr(name if len(name) <= 40 else name[:39] + "…") for name in names[:12]]
    more = [f"and {len(names) - 12} more"] if len(names) > 12 else []
    return "the columns " + ", ".join([*shown, *more]) if shown else "no columns"


def _usual(names: Sequence[str], usual: Sequence[str]) -> int | None:
    lower = [name.lower() for name in names]
    return next((lower.index(name) for name in usual if name in lower), None)
