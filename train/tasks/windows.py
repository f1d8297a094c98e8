"""Long texts cut into windows of tokens that overlap, each with what the tokenizer puts around a text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import UserError
from train.encoders.batches import Encoded

Offsets = list[tuple[int, int]]


@dataclass
class Windows:
    """A row a window. examples: number of the text that it is of. places: (row's first token of the text, behind its
    last one, number of that first token among all of the text). offsets: characters of each token of the row, those of
    the text at its places."""

    encoded: Encoded = field(default_factory=dict)
    examples: list[int] = field(default_factory=list)
    places: list[tuple[int, int, int]] = field(default_factory=list)
    offsets: list[Offsets] = field(default_factory=list)


def windows(
    tokenizer: Any, texts: Sequence[str], longest: int, overlap: int, before: Sequence[str] | None = None
) -> Windows:
    """Each window has at most `longest` tokens, and shares `overlap` tokens of the text with the next one, at most half
    of what it holds. before: texts that stand whole before each window of the other ones, as questions do; what is more
    than half of `longest` of them is cut off. UserError where the tokenizer does not tell where its tokens stand.
    """
    if not tokenizer.is_fast:
        raise UserError(
            f"{tokenizer.name_or_path}: its tokenizer does not tell where in a text its tokens stand: take a model "
            "with a tokenizer.json"
        )
    arguments = (list(texts),) if before is None else (list(before), list(texts))
    found = tokenizer(*arguments, return_offsets_mapping=True, truncation=False)
    offsets = found.pop("offset_mapping")
    made = Windows({name: [] for name in found})
    for example in range(len(texts)):
        of_text = found.sequence_ids(example)
        for first, picked, inner in _cuts(of_text, 0 if before is None else 1, longest, overlap):
            for name, lists in found.items():
                made.encoded[name].append([lists[example][place] for place in picked])
            made.examples.append(example)
            made.places.append((inner.start, inner.stop, first))
            made.offsets.append([offsets[example][place] for place in picked])
    return made


def _cuts(
    of_text: Sequence[int | None], text: int, longest: int, overlap: int
) -> Iterator[tuple[int, list[int], range]]:
    """(first token of the text, numbers of the tokens that a window takes, where the text's are among them)."""
    inner = [place for place, number in enumerate(of_text) if number == text]
    told = [place for place, number in enumerate(of_text) if number is not None]
    begin = inner[0] if inner else told[-1] + 1 if told else min(1, len(of_text))
    behind = inner[-1] + 1 if inner else begin
    tail = list(range(behind, len(of_text)))
    question = [place for place in range(begin) if of_text[place] is not None]
    around = begin - len(question) + len(tail)
    too_long = set(question[min(longest // 2, max(0, longest - around - 1)) :])
    head = [place for place in range(begin) if place not in too_long]
    room = max(1, longest - len(head) - len(tail))
    step = room - min(overlap, room // 2)
    first = 0
    while True:
        held = inner[first : first + room]
        yield first, head + held + tail, range(len(head), len(head) + len(held))
        if first + room >= len(inner):
            return
        first += step
