"""Learns language models in cc_net's layout from texts: SentencePiece (its library) and 5-grams with interpolated
modified Kneser-Ney smoothing (Chen and Goodman 1999; Heafield et al. 2013), without KenLM's lmplz.

    python tests/bench/ngram_models.py TEXTS.jsonl.gz FOLDER en de zh ...

A row has `lang` and `text`. A tenth of the texts, by their hash, is kept from learning and gives cutoff.csv: the
perplexity at each percentile, a column a language. The same texts give the same files.
"""

import argparse
import collections
import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import sentencepiece

from pipeline.language.labels import iso_639_3
from pipeline.scores.ngrams import arpa
from pipeline.scores.ngrams.cc_net_text import normalise
from pipeline.scores.perplexity import Perplexity, to_csv

ORDER = 5
PIECES = 6000
SPECIAL = ("<unk>", "<s>", "</s>")


class Grams(NamedTuple):
    """The distinct n-grams of an order: `words` int64 (m, n), `context` and `end`, the places among the (n - 1)-grams
    of all but the last and all but the first word, and how often it occurs."""

    words: np.ndarray
    context: np.ndarray
    end: np.ndarray
    counts: np.ndarray


def all_grams(lines: list[np.ndarray], order: int) -> list[Grams]:
    """n-grams of each order from 1 of lines that begin with <s> and end with </s>; of 1-grams all words have one."""
    stream = np.concatenate(lines)
    since = np.concatenate([np.arange(len(line)) for line in lines])  # words of the line before this one
    n_words = int(stream.max()) + 1
    here = stream.astype(np.int64)  # by place in the text: which n-gram of the last order ends there
    counts = np.bincount(stream, minlength=n_words)
    grams = [Grams(np.arange(n_words)[:, None], np.zeros(n_words, int), np.zeros(n_words, int), counts)]
    for n in range(2, order + 1):
        at = np.flatnonzero(since >= n - 1)
        keys, first, inverse, counts = np.unique(
            here[at - 1] * n_words + stream[at], return_index=True, return_inverse=True, return_counts=True
        )
        places = at[first]
        words = stream[places[:, None] - np.arange(n - 1, -1, -1)]
        grams.append(Grams(words, keys // n_words, here[places], counts))
        here = here.copy()
        here[at] = inverse
    return grams


def discounts(adjusted: np.ndarray) -> np.ndarray:
    """What is taken from a count of 0, 1, 2 and 3 or more: Chen and Goodman's estimate, or lmplz's fallback."""
    t1, t2, t3, t4 = (np.count_nonzero(adjusted == k) for k in (1, 2, 3, 4))
    fallback = np.array([0.0, 0.5, 1.0, 1.5])
    if not (t1 and t2 and t3):
        return fallback
    y = t1 / (t1 + 2 * t2)
    found = np.array([0.0, 1 - 2 * y * t2 / t1, 2 - 3 * y * t3 / t2, 3 - 4 * y * t4 / t3])
    return found if ((found >= 0) & (found <= [0, 1, 2, 3])).all() else fallback


def kneser_ney(grams: list[Grams]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(probabilities, weights of backing off) of the n-grams of each order; 1 where none is longer."""
    begin = SPECIAL.index("<s>")
    probabilities: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for n, gram in enumerate(grams, 1):
        adjusted = gram.counts
        if n < len(grams):
            longer = np.bincount(grams[n].end, minlength=len(gram.counts))
            adjusted = np.where(gram.words[:, 0] == begin, gram.counts, longer)
        if n == 1:
            adjusted = np.where(np.arange(len(adjusted)) == begin, 0, adjusted)
        taken = discounts(adjusted)[np.minimum(adjusted, 3)]
        n_contexts = 1 if n == 1 else len(grams[n - 2].counts)
        total = np.bincount(gram.context, adjusted, n_contexts)
        weight = np.bincount(gram.context, taken, n_contexts) / np.maximum(total, 1)
        shorter = 1 / (len(adjusted) - 1) if n == 1 else probabilities[-1][gram.end]
        probabilities.append((adjusted - taken) / total[gram.context] + weight[gram.context] * shorter)
        if n > 1:
            weights.append(np.where(total > 0, weight, 1.0))
    weights.append(np.ones(len(grams[-1].counts)))
    return probabilities, weights


def write_arpa(path: Path, vocabulary: list[str], grams: list[Grams]) -> None:
    probabilities, weights = kneser_ney(grams)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\\data\\\n" + "".join(f"ngram {n}={len(gram.counts)}\n" for n, gram in enumerate(grams, 1)))
        for n, gram in enumerate(grams, 1):
            file.write(f"\n\\{n}-grams:\n")
            logs = np.log10(probabilities[n - 1])
            backoffs = np.log10(weights[n - 1])
            for words, log, backoff in zip(gram.words.tolist(), logs.tolist(), backoffs.tolist(), strict=True):
                spelled = " ".join(vocabulary[word] for word in words)
                shown = "0" if spelled == "<s>" else f"{log:.7g}"
                file.write(f"{shown}\t{spelled}" + (f"\t{backoff:.7g}\n" if n < len(grams) else "\n"))
        file.write("\n\\end\\\n")


def learn(texts: list[str], folder: Path, stem: str, pieces: int = PIECES, order: int = ORDER) -> None:
    """{stem}.sp.model, {stem}.arpa and {stem}.arpa.bin of texts."""
    normalised = [text for text in map(normalise, texts) if text]
    proto = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(normalised), model_writer=proto, vocab_size=pieces, hard_vocab_limit=False,
        character_coverage=0.9995, model_type="unigram", num_threads=1, minloglevel=2,
    )  # fmt: skip
    (folder / f"{stem}.sp.model").write_bytes(proto.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto.getvalue())
    lines = processor.encode(normalised, out_type=str, num_threads=1)
    vocabulary = [*SPECIAL, *sorted(set().union(*lines) - set(SPECIAL))]
    number = {word: i for i, word in enumerate(vocabulary)}
    streams = [np.array([1, *(number[word] for word in line), 2], np.int64) for line in lines if line]
    write_arpa(folder / f"{stem}.arpa", vocabulary, all_grams(streams, order))
    (folder / f"{stem}.arpa.bin").write_bytes(arpa.to_binary(folder / f"{stem}.arpa"))


def is_held_out(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % 10 == 0


def cutoffs(folder: Path, held_out: dict[str, list[str]]) -> None:
    """cutoff.csv: the perplexity at percentiles 0 to 100 of texts by file's stem."""
    models = Perplexity(str(folder))
    found = {}
    for stem, texts in held_out.items():
        measured, _ = models.measure(pa.array(texts, pa.large_string()), [iso_639_3(stem)] * len(texts))
        found[stem] = np.percentile(measured[~np.isnan(measured)], np.arange(101)).tolist()
    (folder / "cutoff.csv").write_text(to_csv(found), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("languages", nargs="+", help="ISO 639-1, as cc_net names its files, or 639-3")
    parser.add_argument("--keep-arpa", action="store_true")
    arguments = parser.parse_args()
    wanted = {iso_639_3(stem): stem for stem in arguments.languages}
    by_stem: dict[str, list[str]] = collections.defaultdict(list)
    with gzip.open(arguments.texts, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            if stem := wanted.get(iso_639_3(row["lang"])):
                by_stem[stem].append(row["text"])
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for stem in arguments.languages:
        learn([text for text in by_stem[stem] if not is_held_out(text)], arguments.folder, stem)
        if not arguments.keep_arpa:
            (arguments.folder / f"{stem}.arpa").unlink()
        print(stem, len(by_stem[stem]), "texts", flush=True)
    cutoffs(arguments.folder, {stem: list(filter(is_held_out, by_stem[stem])) for stem in arguments.languages})


if __name__ == "__main__":
    main()
