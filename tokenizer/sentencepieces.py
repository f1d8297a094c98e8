"""Learn a SentencePiece vocabulary that loses nothing of the text: unigram (Kudo 2018, arXiv 1804.10959) or byte-pair
encoding (Sennrich et al. 2016, arXiv 1508.07909).

Spaces, their runs, tabs, line breaks and characters outside the vocabulary all come back from decoding: normalisation
is the identity, characters that are not covered fall back to their UTF-8 bytes, and no space is put before the text.
So the first word of a text and of each line has no space in its piece, alike, and a text may be cut before any space.
"""

import io
import re
import string
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import sentencepiece

from schemas.errors import UserError
from tokenizer.cleaning import Sentences
from tokenizer.model import (
    BOS_ID,
    EOS_ID,
    ESCAPES,
    PAD_ID,
    RESERVED,
    SPACE,
    SPECIAL_TOKENS,
    UNK_ID,
    Kind,
    canonical,
)
from tokenizer.normalisation import nfkc_rules

Normalization = Literal["identity", "nfkc"]

NO_TEXT = "no text to learn a vocabulary from: the sample is empty"

# Always pieces: the letters of every special token and byte piece, and what separates words and lines.
_REQUIRED = SPACE + "\t\n" + string.digits + string.ascii_letters + string.punctuation

_TOO_LARGE = re.compile(r"Vocabulary size too high .* value <= (\d+)")
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


def learn_sentencepiece(
    sentences: Iterable[str] | Sentences,
    *,
    vocab_size: int,
    kind: Kind = "unigram",
    normalization: Normalization = "identity",
    character_coverage: float = 0.9995,
    max_sentence_bytes: int = 4192,
    num_threads: int = 16,
    allow_smaller: bool = False,
) -> bytes:
    """The model (an `spm.model` file's bytes) learned from sentences, or from whole texts with their line breaks.

    sentences: NFC text, read once, in order. The trainer holds all of it with a suffix array, 23 bytes a character at
        its peak, and takes some 11 seconds of one core a million characters, so the caller samples. Whole texts teach
        pieces that end a line; single lines take half the time and gave 1.5 % more tokens on web pages.
    vocab_size: pieces in all, the 5 special tokens and 256 bytes included.
    character_coverage: share of the sample's characters that get a piece; the rarest rest is spelled in bytes.
        0.9995 is SentencePiece's default, advised for languages with many characters.
    max_sentence_bytes: longer texts are cut at a line break, else a space, else a character (SentencePiece alone would
        drop them silently). The default is SentencePiece's own limit.
    num_threads: part of the result, since each thread adds up its own share in floating point. The same sentences in
        the same order with the same num_threads give the same bytes on any number of cores (one build of SentencePiece
        provided); do not derive it from the machine.
    allow_smaller: where the sample does not hold vocab_size pieces, return as many as it holds instead of an error.

    Raises UserError for a vocab_size that the sample cannot fill or that is too small for its characters, naming the
    largest or smallest possible, and for a sample without text. An exception of the iterator comes through as it is.
    """
    check(vocab_size, character_coverage, max_sentence_bytes, num_threads)
    proto = io.BytesIO()
    source = sentences if isinstance(sentences, Sentences) else Sentences(sentences, max_sentence_bytes)
    rules = [*ESCAPES.items(), *(nfkc_rules() if normalization == "nfkc" else ())]
    with tempfile.TemporaryDirectory() as folder:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(source),
                model_writer=proto,
                model_type=kind,
                vocab_size=vocab_size,
                hard_vocab_limit=not allow_smaller,
                character_coverage=character_coverage,
                required_chars=_REQUIRED,
                byte_fallback=True,
                split_digits=True,
                split_by_unicode_script=True,
                allow_whitespace_only_pieces=True,
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                normalization_rule_tsv=_write_rules(Path(folder) / "normalise.tsv", rules),
                denormalization_rule_tsv=_write_rules(
                    Path(folder) / "unescape.tsv", ((code, text) for text, code in ESCAPES.items())
                ),
                input_sentence_size=0,
                shuffle_input_sentence=False,
                max_sentence_length=max_sentence_bytes,
                num_threads=num_threads,
                pad_id=PAD_ID,
                unk_id=UNK_ID,
                bos_id=BOS_ID,
                eos_id=EOS_ID,
                pad_piece=SPECIAL_TOKENS[PAD_ID],
                unk_piece=SPECIAL_TOKENS[UNK_ID],
                bos_piece=SPECIAL_TOKENS[BOS_ID],
                eos_piece=SPECIAL_TOKENS[EOS_ID],
                control_symbols=[SPECIAL_TOKENS[-1]],
                minloglevel=2,
            )
        except (RuntimeError, IndexError) as error:
            if source.failure is not None:
                raise source.failure from None
            raise _explained(error, vocab_size, source) from error
    if not source.has_text:
        raise UserError(NO_TEXT)
    # Where the characters before them reach the coverage, the trainer leaves out required ones that the sample lacks.
    return canonical(proto.getvalue(), vocab_size, _REQUIRED)


def check(vocab_size: int, character_coverage: float, max_sentence_bytes: int, num_threads: int) -> None:
    """UserError for values that no trainer takes."""
    if vocab_size <= RESERVED:
        raise UserError(f"vocab_size is {vocab_size}; special tokens and bytes alone take {RESERVED}")
    if not 0.98 <= character_coverage <= 1.0:
        raise UserError(f"character_coverage is {character_coverage}; SentencePiece takes 0.98 to 1.0")
    if max_sentence_bytes < 64:
        raise UserError(f"max_sentence_bytes is {max_sentence_bytes}; give 64 or more")
    if num_threads < 1:
        raise UserError(f"num_threads is {num_threads}; give 1 or more")


def _write_rules(path: Path, rules: Iterable[tuple[str, str]]) -> str:
    def codes(text: str) -> str:
        return " ".join(f"{ord(character):X}" for character in text)

    path.write_text("".join(f"{codes(before)}\t{codes(after)}\n" for before, after in rules), encoding="ascii")
    return str(path)


def _explained(error: Exception, vocab_size: int, source: Sentences) -> Exception:
    """The trainer's error as one that says the way out, where the user has one."""
    message = str(error)
    if not source.has_text:
        return UserError(NO_TEXT)
    if match := _TOO_LARGE.search(message):
        return UserError(
            f"vocab_size {vocab_size} is more than the sample holds: at most {match[1]}; lower it or give more text"
        )
    if match := _TOO_SMALL.search(message):
        return UserError(
            f"vocab_size {vocab_size} is too small: special and byte pieces and the characters take {match[1]}; "
            "raise it or lower character_coverage"
        )
    return error
