"""Perplexity of documents under language models in cc_net's layout (Wenzek et al. 2020), and its thirds.

A folder has {language}.sp.model, a unigram model of SentencePiece, and {language}.arpa.bin, a KenLM model of its
pieces (or {language}.arpa, as text), by ISO 639-1 as cc_net names them, or 639-3; and cutoff.csv, with a row a
percentile and a column a language, if documents are to be put into head, middle and tail.

As in cc_net a document is one line: pp = 10 ** (-log10 p(pieces, </s> | <s>) / (pieces + 1)), rounded to a decimal. Its
text is what `cc_net_text` says. All of a text is read, however long.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.types

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.elementary import exps
from pipeline.language.labels import ISO_639_3, iso_639_3
from pipeline.scores.ngrams.cc_net_text import CodePoints
from pipeline.scores.ngrams.ngram_model import NGrams
from pipeline.scores.ngrams.sentence_pieces import SentencePieces
from schemas.errors import UserError

TOKENIZER, MODELS, CUTOFFS = ".sp.model", (".arpa.bin", ".arpa"), "cutoff.csv"
HEAD_PERCENTILE, TAIL_PERCENTILE = 30, 60  # cc_net's PerplexityBucket
BUCKETS = ("head", "middle", "tail")
LEAST_KNOWN = 0.5  # of the tokenizer's pieces: below, the language model was learnt of others
AT_ONCE = 1 << 20  # bytes of text that are cut before they are scored
WHOLE_FILE = 64 << 20  # a larger file's checksum is of its size and SAMPLES pieces of SAMPLE bytes
SAMPLES, SAMPLE = 64, 1 << 20
LN_10 = 2.302585092994045684


class Perplexity:
    """The models in a folder, each opened when a text of its language first comes; `languages` are ISO 639-3.

    `checksums`, those of the driver, hold this machine's files against the driver's.
    """

    def __init__(self, folder: str, checksums: Mapping[str, str] | None = None) -> None:
        self._folder = Path(folder)
        self._files = _files(self._folder)
        self._expected = checksums
        self.languages: tuple[str, ...] = tuple(sorted(self._files))
        self._cutoffs = _cutoffs(self._folder, checksums)
        self._models: dict[str, _Model] = {}
        self._points: dict[bytes, CodePoints] = {}

    def measure(self, texts: pa.Array, languages: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Of each text, a string or large_string, in its language: the perplexity, float64 (n,), NaN without a model of
        its language or a token; and the bucket, int8 (n,): its place in BUCKETS, -1 without a perplexity or cutoffs."""
        perplexities = np.full(len(texts), np.nan)
        buckets = np.full(len(texts), -1, np.int8)
        names, of = np.unique(np.array([language or "" for language in languages], dtype=np.str_), return_inverse=True)
        buffers = utf8(texts)
        for place, name in enumerate(names.tolist()):
            language = iso_639_3(name)
            if language not in self._files:
                continue
            rows = np.flatnonzero(of == place)
            for some in _portions(rows, buffers.offsets):
                words, offsets = self._model(language).cutter.cut(buffers, some)
                n = np.diff(offsets)
                scores = self._model(language).grams.score(words, offsets)
                measured = np.round(exps(-scores / (n + 1) * LN_10), 1)
                perplexities[some] = np.where(n > 0, measured, np.nan)
            if language in self._cutoffs:
                buckets[rows] = _bucket(perplexities[rows], *self._cutoffs[language])
        return perplexities, buckets

    def _model(self, language: str) -> "_Model":
        if language not in self._models:
            files = self._files[language]
            if self._expected is not None:
                for file in files:
                    _verify(file, self._expected)
            self._models[language] = _Model(*files, self._points)
        return self._models[language]


class _Model:
    def __init__(self, tokenizer: Path, model: Path, points: dict[bytes, CodePoints]) -> None:
        pieces = SentencePieces(tokenizer)
        self.grams = NGrams(model)
        tokens = self.grams.ids([piece.encode() for piece in pieces.pieces])
        known = np.count_nonzero(tokens) / len(tokens)
        if known < LEAST_KNOWN:
            raise UserError(
                f"{model} knows {known:.0%} of the pieces of {tokenizer.name}: it was learnt of another tokenizer's; "
                "put the two that belong together there"
            )
        in_bytes = sorted(pieces.byte_pieces, key=pieces.byte_pieces.__getitem__)
        byte_tokens = self.grams.ids([pieces.byte_pieces[i].encode() for i in in_bytes])
        if pieces.charsmap not in points:
            try:
                points[pieces.charsmap] = CodePoints(pieces.charsmap)
            except (ValueError, RuntimeError) as error:
                raise UserError(f"{tokenizer} is damaged: {error}; put it there again") from None
        words = self.grams.words
        self.cutter = pieces.cutter(points[pieces.charsmap], tokens, byte_tokens, (words.hashes, words.ids))


def checksums(folder: str) -> dict[str, str]:
    """A digest of each file that is used, by name. UserError where the folder, or any model in it, is not what it
    should be: each is opened. A file of more than 64 MiB is told by its size and 64 pieces of a MiB, evenly spaced."""
    opened = Perplexity(folder)
    points: dict[bytes, CodePoints] = {}
    for files in opened._files.values():
        _Model(*files, points)
    used = [file for pair in opened._files.values() for file in pair]
    table = Path(folder) / CUTOFFS
    return {file.name: _digest(file) for file in sorted([*used, *([table] if table.is_file() else [])])}


def stems(folder: str) -> dict[str, str]:
    """What a language's files are named by in the folder, by ISO 639-3: cmn is zh."""
    return {
        language: tokenizer.name.removesuffix(TOKENIZER) for language, (tokenizer, _) in _files(Path(folder)).items()
    }


def to_csv(percentiles: Mapping[str, Sequence[float]]) -> str:
    """cc_net's table of cutoffs: 101 numbers of each language, by the name of its column."""
    rows = [f"{p},{','.join(f'{column[p]:.1f}' for column in percentiles.values())}" for p in range(101)]
    return "\n".join([",".join(["", *percentiles]), *rows, ""])


def _files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """(tokenizer, model) by ISO 639-3."""
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder} of language models; name one with files as en.sp.model, en.arpa.bin"
        )
    names = {file.name for file in folder.iterdir() if file.is_file()}
    stems: dict[str, str] = {}
    for name in sorted(names):
        for ending in MODELS:
            if name.endswith(ending) and name != ending:
                stems.setdefault(name.removesuffix(ending), name)
    for stem in sorted(name.removesuffix(TOKENIZER) for name in names if name.endswith(TOKENIZER)):
        if stem not in stems:
            raise UserError(
                f"{folder} has {stem}{TOKENIZER} without {stem}.arpa.bin or {stem}.arpa; put its model there"
            )
    found: dict[str, tuple[Path, Path]] = {}
    for stem, name in stems.items():
        if f"{stem}{TOKENIZER}" not in names:
            raise UserError(f"{folder} has {name} without its tokenizer {stem}{TOKENIZER}; put it there")
        language = _language(stem, folder / name)
        if language in found:
            raise UserError(f"{folder} has two models of {language}, {found[language][1].name} and {name}; keep one")
        found[language] = (folder / f"{stem}{TOKENIZER}", folder / name)
    if not found:
        raise UserError(f"{folder} has no language models; they are named as en.sp.model and en.arpa.bin")
    return found


def _language(stem: str, where: Path) -> str:
    if not (stem.isascii() and stem.isalpha() and stem.islower() and 2 <= len(stem) <= 3) or (
        len(stem) == 2 and stem not in ISO_639_3 and iso_639_3(stem) == stem
    ):
        raise UserError(f"{where} is named by no language; name it by ISO 639-1 or 639-3, such as en or eng")
    return iso_639_3(stem)


def _cutoffs(folder: Path, expected: Mapping[str, str] | None) -> dict[str, tuple[float, float]]:
    """(below it head, from it on tail) by ISO 639-3, of cc_net's table; none without one."""
    path = folder / CUTOFFS
    if not path.is_file():
        return {}
    if expected is not None:
        _verify(path, expected)
    wrong = (
        f"{path} is no table of cutoffs: a column of percentiles, and one a language; make it with jobs/fit_cutoffs.py"
    )
    try:
        table = pyarrow.csv.read_csv(path)
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        raise UserError(wrong) from None
    numbers = [column for column in table.columns if _is_number(column.type)]
    if table.num_columns < 2 or len(numbers) != table.num_columns:
        raise UserError(wrong)
    percentiles = table.column(0).to_pylist()
    if any(percentiles.count(wanted) != 1 for wanted in (HEAD_PERCENTILE, TAIL_PERCENTILE)):
        raise UserError(f"{path} has not one row {HEAD_PERCENTILE} and one row {TAIL_PERCENTILE}; make it again")
    head, tail = percentiles.index(HEAD_PERCENTILE), percentiles.index(TAIL_PERCENTILE)
    found = {}
    for name in table.column_names[1:]:
        low, high = (table.column(name)[row].as_py() for row in (head, tail))
        if low is None or high is None or not low <= high:
            raise UserError(f"{path} has no two rising cutoffs for {name}; make it again")
        found[iso_639_3(name)] = (float(low), float(high))
    return found


def _is_number(kind: pa.DataType) -> bool:
    return bool(pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind))


def _bucket(perplexities: np.ndarray, head: float, tail: float) -> np.ndarray:
    """int8: 0 below `head`, 1 below `tail`, 2 from there on, -1 of NaN."""
    bucket = (perplexities >= head).astype(np.int8) + (perplexities >= tail)
    return np.where(np.isnan(perplexities), -1, bucket).astype(np.int8)


def _portions(rows: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Rows, int64, in parts of some AT_ONCE bytes of text."""
    begins = np.cumsum(offsets[rows + 1] - offsets[rows]) // AT_ONCE
    return np.split(rows, 1 + np.flatnonzero(np.diff(begins))) if len(rows) else []


def _verify(file: Path, expected: Mapping[str, str]) -> None:
    if _digest(file) != expected.get(file.name):
        raise UserError(f"{file} is another one than the driver's; put the same on each machine")


def _digest(file: Path) -> str:
    size = file.stat().st_size
    digest = hashlib.sha256(b"%d\n" % size)
    with file.open("rb") as opened:
        if size <= WHOLE_FILE:
            while part := opened.read(SAMPLE):
                digest.update(part)
        else:
            for i in range(SAMPLES):
                opened.seek((size - SAMPLE) * i // (SAMPLES - 1))
                digest.update(opened.read(SAMPLE))
    return digest.hexdigest()
