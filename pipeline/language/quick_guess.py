"""A quick look at a page's language before its main text is sought: whether it is surely none of the wanted ones.

The page's text without tags is cut down to its longest runs, which is where main text is, and the model alone is asked
about all of them and about each. What it does not know for sure is kept: a document's language is found later, on its
main text, by `pipeline.language.identifier`.
"""

import html as entities
from collections.abc import Collection
from functools import cache

import numpy as np

from pipeline.html.tags import text_runs
from pipeline.language.fasttext_model import FastText, load
from pipeline.language.labels import NO_LANGUAGE, family, iso_639_3
from pipeline.language.model_files import embedded_model

# Measured on 7,300 web pages and texts, each of their languages in turn the only wanted one: of wanted pages fewer than
# one in 1,000 was refused, of others nine in ten, also with half or twice the bytes, and with floors of 0.01 to 0.05
# and 0.3 to 0.7. With SURE at 0.3 it was 2 in 1,000.
SAMPLE_BYTES, PIECE_BYTES = 4000, 500
MIN_SAMPLE_BYTES = 200  # with less, nothing is said
MIN_PIECE_BYTES = 100  # of a piece that is asked about by itself
FLOOR, PIECE_FLOOR = 0.02, 0.5  # of a wanted language's probability, on the whole and in a piece: with more, it is kept
SURE = 0.5  # of another language's probability: with less, it is kept


class QuickLanguage:
    """Refuses pages that are surely in none of `languages`, ISO 639-3 codes of ours; languages too close for a short
    text (`pipeline.language.labels.family`) count as one."""

    def __init__(self, languages: Collection[str]) -> None:
        self._codes = [iso_639_3(label) for label in _model().labels]
        self._names, self._families = np.unique([family(code) for code in self._codes], return_inverse=True)
        wanted = {family(code) for code in languages}
        self._wanted = np.array([family(code) in wanted for code in self._codes])
        self._passed_over = self._wanted | np.array([code == NO_LANGUAGE for code in self._codes])

    def refuses(self, page: bytes, *, is_text: bool = False) -> str | None:
        """What a page (UTF-8) is in instead, as `deu 0.98`; None where it may be in a wanted language.

        is_text: it has no markup.
        """
        pieces = sample(page, is_text)
        sizes = np.array([len(piece) for piece in pieces], np.int64)
        if sizes.sum() < MIN_SAMPLE_BYTES:
            return None
        ends = np.cumsum(sizes)
        sums, counts = _model().sums(np.frombuffer(b"".join(pieces), np.uint8), ends - sizes, ends)
        (whole,) = _model().scores(sums.sum(axis=0, keepdims=True), counts.sum(keepdims=True))
        others = np.bincount(self._families, np.where(self._passed_over, 0, whole))
        best = int(others.argmax())
        if others[best] < SURE or whole[self._wanted].sum() >= FLOOR:
            return None
        long = sizes >= min(MIN_PIECE_BYTES, sizes.max())
        piece_scores = _model().scores(sums[long], counts[long])
        if piece_scores[:, self._wanted].sum(axis=1).max() >= PIECE_FLOOR:
            return None
        return f"{self._names[best]} {others[best]:.2f}"


@cache
def _model() -> FastText:
    return load(embedded_model())


def sample(page: bytes, is_text: bool = False) -> list[bytes]:
    """Of the longest runs of a page's text (UTF-8), in their order, pieces of SAMPLE_BYTES together at most."""
    runs = _lines(page) if is_text else text_runs(page)
    sizes = runs[:, 1] - runs[:, 0]
    order = np.argsort(-sizes, kind="stable")
    room = SAMPLE_BYTES - (np.cumsum(sizes[order]) - sizes[order])  # what the longer ones leave
    taken = np.zeros(len(runs), np.int64)
    taken[order] = np.clip(sizes[order], 0, np.maximum(room, 0))
    pieces: list[bytes] = []
    for place in np.flatnonzero(taken).tolist():
        run = page[runs[place, 0] : runs[place, 0] + taken[place]]
        if b"&" in run and not is_text:
            run = entities.unescape(run.decode("utf-8", "replace")).encode("utf-8", "ignore")
        pieces += [run[at : at + PIECE_BYTES] for at in range(0, len(run), PIECE_BYTES)]
    return pieces


def _lines(text: bytes) -> np.ndarray:
    """Begins and ends of lines, int64 of shape (n, 2)."""
    ends = np.append(np.flatnonzero(np.frombuffer(text, np.uint8) == 10), len(text))
    return np.stack([np.append(0, ends[:-1] + 1), ends], axis=1)
