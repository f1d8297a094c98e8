"""What a perplexity costs: microseconds a document of 5 KB on one core, warm, beside the libraries sentencepiece and
kenlm on the same texts in the same run (where kenlm is installed), and how far both are apart.

    python tests/bench/perplexity.py TEXTS.jsonl.gz FOLDER en zh th ru hi ar

FOLDER is what tests/bench/ngram_models.py made of TEXTS; documents are of the tenth that nothing was learnt from, put
together, and drawn again where there are few.
"""

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import sentencepiece

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find

from bench.ngram_models import is_held_out

from pipeline.kernels.arrow_text import utf8
from pipeline.language.labels import iso_639_3
from pipeline.scores.ngrams.cc_net_text import normalise
from pipeline.scores.perplexity import Perplexity

BYTES, DOCUMENTS, ROUNDS = 5000, 40, 15


def documents(texts: list[str]) -> list[str]:
    """Of 5 KB each, of whole texts in an order that is drawn."""
    draw = random.Random(1)
    found = []
    while len(found) < DOCUMENTS:
        line = ""
        while len(line.encode()) < BYTES:
            line += draw.choice(texts) + "\n"
        found.append(line.encode()[:BYTES].decode("utf-8", "ignore"))
    return found


def least(function: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The least processor time of some calls, in microseconds a document."""
    function()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times) / DOCUMENTS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("languages", nargs="+")
    arguments = parser.parse_args()
    by_code: dict[str, list[str]] = {}
    with gzip.open(arguments.texts, "rt", encoding="utf-8") as rows:
        for row in filter(lambda row: is_held_out(row["text"]), map(json.loads, rows)):
            by_code.setdefault(iso_639_3(row["lang"]), []).append(row["text"])
    models = Perplexity(str(arguments.folder))
    try:
        import kenlm
    except ImportError:
        kenlm = None
    for stem in arguments.languages:
        code = iso_639_3(stem)
        texts = documents(by_code[code])
        column, codes = pa.array(texts, pa.large_string()), [code] * len(texts)
        ours, _ = models.measure(column, codes)
        whole = least(lambda column=column, codes=codes: models.measure(column, codes))  # type: ignore[misc]
        model = models._model(code)
        buffers, rows_of = utf8(column), np.arange(len(texts))
        words, offsets = model.cutter.cut(buffers, rows_of)
        cut = least(lambda cutter=model.cutter, b=buffers, r=rows_of: cutter.cut(b, r))  # type: ignore[misc]
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(arguments.folder / f"{stem}.sp.model"))
        alike = [
            model.grams.ids([piece.encode() for piece in pieces.encode_as_pieces(normalise(text))]).tolist()
            == words[offsets[i] : offsets[i + 1]].tolist()
            for i, text in enumerate(texts)
        ]
        line = f"{stem}: {whole:.0f} us a document, cutting {cut:.0f} of them; {len(words) / len(texts):.0f} pieces"
        line += f", the library's in {sum(alike)} of {len(texts)}"
        if kenlm is not None:
            library = kenlm.Model(str(arguments.folder / f"{stem}.arpa.bin"))

            def theirs(texts: list[str] = texts, pieces: object = pieces, library: object = library) -> list[float]:
                lines = [" ".join(pieces.encode_as_pieces(normalise(text))) for text in texts]  # type: ignore[attr-defined]
                return [
                    10.0 ** (-library.score(line) / (len(line.split()) + 1))  # type: ignore[attr-defined]
                    for line in lines
                ]

            apart = np.abs(ours / np.array(theirs()) - 1).max()
            line += f"; the libraries {least(theirs, 3) / whole:.1f} times as long, at most {apart:.1e} apart"
        print(line, flush=True)


if __name__ == "__main__":
    main()
