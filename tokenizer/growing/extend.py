"""Pieces for new languages behind those of a vocabulary, whose ids all stay, so that a model keeps its rows.

- unigram: pieces that the new text alone would have, at a tenth of their probability there: text that the old pieces
  cover stays with them.
- bpe: merges go on where the old ones end (`continued_merges`).
- wordpiece: pieces that the new text alone would have; the longest match goes first, whichever it is.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path

from schemas.errors import UserError
from tokenizer.cleaning import Sentences
from tokenizer.fast import MODEL
from tokenizer.growing.continued_merges import continued_merges
from tokenizer.learn import LearntVocabulary, of_sentencepiece, of_wordpiece, padding, spare_rows_of
from tokenizer.model import (
    NEW_SHARE,
    RESERVED,
    SCORE_STEP,
    is_nfkc,
    kind_of,
    pieces_encoder,
    read_vocabulary,
    special_rows,
    with_pieces,
)
from tokenizer.sentencepieces import NO_TEXT, learn_sentencepiece
from tokenizer.wordpiece import SPECIAL_TOKENS, learn_wordpiece

WORDPIECES = "vocab.txt"


def extend(
    base: Path,
    sentences: Iterable[str],
    *,
    vocab_size: int,
    character_coverage: float = 0.9995,
    max_sentence_bytes: int = 4192,
    num_threads: int = 16,
    allow_smaller: bool = False,
) -> LearntVocabulary:
    """base: a folder that jobs/vocab.py wrote. vocab_size: rows of both together.

    Raises UserError for a base that is no such folder, for a size that is not above its own, and for one that the text
    does not support, with the figure that would work.
    """
    source = Sentences(sentences, max_sentence_bytes)
    settings = {"character_coverage": character_coverage, "max_sentence_bytes": max_sentence_bytes}
    if (base / MODEL).is_file():
        proto = (base / MODEL).read_bytes()
        old = [piece for piece, _ in read_vocabulary(proto)]
        added = _room(base, len(old), vocab_size)
        if kind_of(proto) == "bpe":
            new = _merged(proto, old, source, added)
        else:
            folding = "nfkc" if is_nfkc(proto) else "identity"
            # Asked for all rows: how many of its pieces are new is not known before.
            learnt = learn_sentencepiece(
                source,
                vocab_size=max(vocab_size, RESERVED + added),
                normalization=folding,  # type: ignore[arg-type]
                num_threads=num_threads,
                allow_smaller=True,
                **settings,  # type: ignore[arg-type]
            )
            new = _unigrams(read_vocabulary(learnt), set(old), added)
        _check(len(old), len(new), vocab_size, allow_smaller)
        rows = padding(len(old) + len(new), spare_rows_of(old))
        return of_sentencepiece(with_pieces(proto, new, rows), source.told(), _max_length(base))
    if (base / WORDPIECES).is_file():
        pieces = (base / WORDPIECES).read_text(encoding="utf-8").rstrip("\n").split("\n")
        if tuple(pieces[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
            raise UserError(f"{base / WORDPIECES} does not start with {' '.join(SPECIAL_TOKENS)}: name another folder")
        added = _room(base, len(pieces), vocab_size)
        candidates = learn_wordpiece(source, vocab_size=vocab_size, allow_smaller=True, **settings)  # type: ignore[arg-type]
        known = set(pieces)
        more = [piece for piece in candidates if piece not in known][:added]
        _check(len(pieces), len(more), vocab_size, allow_smaller)
        special = [
            piece for piece in pieces[len(SPECIAL_TOKENS) :] if len(piece) > 2 and piece[0] == "<" and piece[-1] == ">"
        ]
        rows = padding(len(pieces) + len(more), spare_rows_of(pieces))
        return of_wordpiece([*pieces, *more, *rows], [*special, *rows], source.told(), _max_length(base))
    raise UserError(f"{base} holds neither {MODEL} nor {WORDPIECES}: name a folder that jobs/vocab.py wrote")


def _room(base: Path, rows: int, vocab_size: int) -> int:
    if vocab_size <= rows:
        raise UserError(f"vocab_size = {vocab_size} leaves nothing to add to the {rows} rows of {base}: give more")
    return vocab_size - rows


def _check(rows: int, new: int, vocab_size: int, allow_smaller: bool) -> None:
    if rows + new < vocab_size and not allow_smaller:
        raise UserError(
            f"vocab_size {vocab_size} is more than the sample holds: at most {rows + new}; lower it or give more text"
        )


def _unigrams(learnt: list[tuple[str, float]], known: set[str], added: int) -> list[tuple[str, float]]:
    """Characters first: each one of a piece must have a piece of its own."""
    shift = math.log(NEW_SHARE)
    new = [(piece, score) for piece, score in learnt[RESERVED:] if piece not in known]
    new.sort(key=lambda item: len(item[0]) > 1)
    return [(piece, round((score + shift) / SCORE_STEP) * SCORE_STEP) for piece, score in new[:added]]


def _merged(proto: bytes, old: list[str], source: Sentences, added: int) -> list[tuple[str, float]]:
    special = set(special_rows(proto))
    texts = list(source)
    if not source.has_text:
        raise UserError(NO_TEXT)
    known = [piece for number, piece in enumerate(old) if number >= RESERVED and number not in special]
    lowest = min(score for number, (_, score) in enumerate(read_vocabulary(proto)) if number not in special)
    single = sorted({character for text in texts for character in text if not character.isspace()} - set(known))
    held = set(single[:added])
    encode = pieces_encoder(with_pieces(proto, ((character, lowest - 1) for character in sorted(held))))
    grown = continued_merges(texts, encode, [*known, *sorted(held)], added - len(held))
    return [(piece, lowest - 1 - place) for place, piece in enumerate([*sorted(held), *grown])]


def _max_length(base: Path) -> int:
    path = base / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return int(settings.get("model_max_length", 8192))
