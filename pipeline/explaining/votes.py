"""What spoke for a text's language: the model, its commonest words, and the pieces of its sample."""

from functools import cache

import numpy as np

from pipeline.explaining.story import Piece, Votes
from pipeline.kernels.arrow_text import from_strings
from pipeline.language.capitals import in_capitals, lowered
from pipeline.language.identifier import PIECE_SCORE, Identifier

MOST = 4  # languages named
LEAST = 0.01


@cache
def _identifier(model: str) -> Identifier:
    return Identifier(model or None)


def votes_of(text: str, model: str) -> Votes:
    """Of a text as clean keeps it, by the model that clean's config names. UserError where that is not there."""
    identifier = _identifier(model)
    texts = from_strings([text])
    found = identifier.identify(texts)
    if in_capitals(texts)[0]:
        text = lowered(texts)[0].as_py()
    heard = identifier.hear(text)
    data = text.encode("utf-8", "surrogatepass")
    pieces = []
    spans = zip(heard.starts.tolist(), heard.ends.tolist(), heard.pieces, heard.letters.tolist(), strict=True)
    for start, end, scores, letters in spans:
        best = int(scores.argmax())
        probability = float(scores[best])
        piece = data[start:end].decode("utf-8", "replace").strip()
        if piece:
            votes = probability >= PIECE_SCORE
            pieces.append(Piece(piece, heard.codes[best] if probability else "", probability, letters, votes))
    label = f"{found.language[0].as_py()}_{found.language_script[0].as_py()}"
    return Votes(
        _most(dict(zip(heard.codes, heard.whole.astype(np.float64).tolist(), strict=True))),
        _most(heard.words),
        heard.n_words,
        tuple(pieces),
        label,
        found.language_score[0].as_py(),
    )


def _most(values: dict[str, float]) -> dict[str, float]:
    """The largest, by language."""
    first = sorted(values.items(), key=lambda one: (-one[1], one[0]))[:MOST]
    return {name: round(value, 4) for name, value in first if value >= LEAST}
