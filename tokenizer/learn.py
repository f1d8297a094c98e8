"""Learn a vocabulary, whatever its model, and make the files of a folder that `transformers.AutoTokenizer` opens."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.errors import UserError
from tokenizer.cleaning import Sentences
from tokenizer.export import sentencepiece_files, wordpiece_files
from tokenizer.fast import encoder_of
from tokenizer.model import kind_of, read_vocabulary, with_pieces
from tokenizer.sentencepieces import Normalization, learn_sentencepiece
from tokenizer.wordpiece import learn_wordpiece

Model = Literal["unigram", "bpe", "wordpiece"]

ROWS = 64  # of a model's embedding: a multiple of it, for whole tiles of a GPU's products


@dataclass(frozen=True)
class LearntVocabulary:
    """files: of the exported folder, name -> content. pieces: by id, special rows included. encode: texts to ids,
    without special tokens. told: counts of what was read and mended, and of rows."""

    model: Model
    files: dict[str, bytes]
    pieces: list[str]
    encode: Callable[[list[str]], list[list[int]]]
    told: dict[str, int]


def learn_vocabulary(
    sentences: Iterable[str],
    *,
    model: Model,
    vocab_size: int,
    character_coverage: float = 0.9995,
    normalization: Normalization = "identity",
    max_sentence_bytes: int = 4192,
    num_threads: int = 16,
    language_tokens: Sequence[str] = (),
    spare_rows: int = 0,
    allow_smaller: bool = False,
    model_max_length: int = 8192,
) -> LearntVocabulary:
    """vocab_size: rows in all. language_tokens: names, `eng_Latn` for the special token <eng_Latn>; these, then
    `spare_rows` special tokens without a use, stand behind the pieces, and more of these up to a multiple of 64, so
    that a model need not pad. Else as `learn_sentencepiece` has them.

    Raises UserError with the figure that would work where the text does not support vocab_size.
    """
    rows = special_rows(language_tokens, spare_rows)
    source = Sentences(sentences, max_sentence_bytes)
    size = vocab_size - len(rows)
    if model == "wordpiece":
        if normalization != "identity":
            raise UserError("normalization = nfkc is of unigram and bpe: BERT's WordPiece has a normaliser of its own")
        pieces = learn_wordpiece(
            source,
            vocab_size=size,
            character_coverage=character_coverage,
            max_sentence_bytes=max_sentence_bytes,
            allow_smaller=allow_smaller,
        )
        rows += padding(len(pieces) + len(rows), spare_rows)
        return of_wordpiece([*pieces, *rows], rows, source.told(), model_max_length)
    proto = learn_sentencepiece(
        source,
        vocab_size=size,
        kind=model,
        normalization=normalization,
        character_coverage=character_coverage,
        max_sentence_bytes=max_sentence_bytes,
        num_threads=num_threads,
        allow_smaller=allow_smaller,
    )
    rows += padding(len(read_vocabulary(proto)) + len(rows), spare_rows)
    return of_sentencepiece(with_pieces(proto, rows=rows), source.told(), model_max_length)


def special_rows(language_tokens: Sequence[str], spare_rows: int) -> list[str]:
    """Names of the special tokens behind the pieces. UserError for a name that cannot be one."""
    for name in language_tokens:
        if not name or not name.replace("_", "").replace("-", "").isalnum():
            raise UserError(f"language_tokens: {name!r} is no label such as eng_Latn")
    return [*(f"<{name}>" for name in dict.fromkeys(language_tokens)), *map(_spare, range(spare_rows))]


def padding(rows: int, spare_rows: int) -> list[str]:
    """Spare rows up to a multiple of ROWS; `spare_rows` there are."""
    return [_spare(spare_rows + place) for place in range(-rows % ROWS)]


def _spare(number: int) -> str:
    return f"<spare_{number}>"


def spare_rows_of(pieces: Sequence[str]) -> int:
    """How many spare rows a vocabulary has."""
    named = set(pieces)
    return next(number for number in range(len(named) + 1) if _spare(number) not in named)


def of_sentencepiece(proto: bytes, told: dict[str, int], model_max_length: int) -> LearntVocabulary:
    pieces = [piece for piece, _ in read_vocabulary(proto)]
    files = sentencepiece_files(proto, model_max_length=model_max_length)
    return _learnt(kind_of(proto), files, pieces, told)


def of_wordpiece(
    pieces: Sequence[str], special: Sequence[str], told: dict[str, int], model_max_length: int
) -> LearntVocabulary:  # fmt: skip
    files = wordpiece_files(pieces, special, model_max_length=model_max_length)
    return _learnt("wordpiece", files, list(pieces), told)


def _learnt(model: Model, files: dict[str, bytes], pieces: list[str], told: dict[str, int]) -> LearntVocabulary:
    spare = spare_rows_of(pieces)
    told = {**told, "rows": len(pieces), "spare_rows": spare}
    return LearntVocabulary(model, files, pieces, encoder_of(files), told)
