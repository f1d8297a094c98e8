import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from bench import ngram_models
from scores.articles import ARTICLES

from pipeline.language.labels import iso_639_3
from pipeline.scores.ngrams.cc_net_text import normalise
from pipeline.scores.ngrams.ngram_model import NGrams
from pipeline.scores.perplexity import BUCKETS, Perplexity, checksums, stems, to_csv
from schemas.errors import UserError

STEMS = ("en", "zh", "tam")
TEXTS = [f"{ARTICLES[iso_639_3(stem)]}\nAll 1948, ¿unknown 𓀀?" for stem in STEMS]
CODES = [iso_639_3(stem) for stem in STEMS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as text, one of hash tables, and one by ISO 639-3."""
    folder = tmp_path_factory.mktemp("models")
    for stem in STEMS:
        article = ARTICLES[iso_639_3(stem)]
        lines = [article, *(article[start : start + 40] for start in range(0, len(article), 7))] * 2
        ngram_models.learn(lines, folder, stem, pieces=120, order=3)
    (folder / "en.arpa.bin").unlink()
    (folder / "tam.arpa").unlink()
    (folder / "zh.arpa").unlink()
    return folder


def copied(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place / "models"))


def test_a_perplexity_is_cc_net_s(folder: Path) -> None:
    """Its own few lines (perplexity.py, DocLM), with the library's pieces and our look-up."""
    models = Perplexity(str(folder), checksums(str(folder)))
    assert models.languages == ("cmn", "eng", "tam")
    found, buckets = models.measure(pa.array(TEXTS), CODES)
    for stem, text, perplexity in zip(STEMS, TEXTS, found, strict=True):
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{stem}.sp.model"))
        model = NGrams(folder / (f"{stem}.arpa" if stem == "en" else f"{stem}.arpa.bin"))
        words = pieces.encode(normalise(text), out_type=str)
        (score,) = model.score(model.ids([word.encode() for word in words]), np.array([0, len(words)]))
        assert perplexity == round(10.0 ** (-score / (len(words) + 1)), 1)
    assert (buckets == -1).all()


def test_the_libraries_agree(folder: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="the library kenlm is not installed")
    found, _ = Perplexity(str(folder)).measure(pa.array(TEXTS), CODES)
    for stem, text, perplexity in zip(STEMS, TEXTS, found, strict=True):
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{stem}.sp.model"))
        model = kenlm.Model(str(folder / (f"{stem}.arpa" if stem == "en" else f"{stem}.arpa.bin")))
        line = " ".join(pieces.encode_as_pieces(normalise(text)))
        assert perplexity == pytest.approx(10.0 ** (-model.score(line) / (len(line.split()) + 1)), abs=0.06)


def test_texts_without_a_model_or_a_piece_have_none(folder: Path) -> None:
    models = Perplexity(str(folder))
    texts = [TEXTS[0], "", " \n\u3000", None, TEXTS[0], TEXTS[0]]
    found, buckets = models.measure(pa.array(texts, pa.large_string()), ["tha", "eng", "eng", "eng", "", "eng"])
    assert np.isnan(found[:5]).all() and found[5] > 1 and buckets.dtype == np.int8 and found.dtype == np.float64
    assert all(len(part) == 0 for part in models.measure(pa.array([], pa.string()), []))


def test_neither_order_nor_neighbours_matter(folder: Path) -> None:
    texts, codes = TEXTS * 7 + ["人" * 5000, "a" * 5000], CODES * 7 + ["cmn", "eng"]
    whole, _ = Perplexity(str(folder)).measure(pa.array(texts), codes)
    order = np.random.default_rng(1).permutation(len(texts))
    mixed, _ = Perplexity(str(folder)).measure(pa.array([texts[i] for i in order]), [codes[i] for i in order])
    assert mixed.tolist() == whole[order].tolist()
    alone = [
        Perplexity(str(folder)).measure(pa.array([text]), [code])[0][0]
        for text, code in zip(texts[-4:], codes[-4:], strict=True)
    ]
    assert alone == whole[-4:].tolist()


def test_buckets_are_by_the_table_beside_the_models(folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path)
    models = Perplexity(str(place))
    texts = ["All human beings are born free", "All beings reason dignity", "zq xv 𓀀 jj"]
    found, _ = models.measure(pa.array(texts), ["eng"] * 3)
    assert found[0] < found[1] < found[2]
    percentiles = np.interp(np.arange(101), [0, 30, 60, 100], [1.0, found[1], found[2], 1e6])
    (place / "cutoff.csv").write_text(to_csv({"en": percentiles.tolist(), "zh": percentiles.tolist()}))
    again = Perplexity(str(place), checksums(str(place)))
    _, buckets = again.measure(pa.array([*texts, None, texts[0]]), [*["eng"] * 4, "tam"])
    # At the cutoff itself it is no longer head, or no longer middle.
    assert [BUCKETS[bucket] for bucket in buckets[:3]] == ["head", "middle", "tail"] and buckets[3:].tolist() == [
        -1,
        -1,
    ]


def test_stems_are_what_the_files_are_named_by(folder: Path) -> None:
    assert stems(str(folder)) == {"cmn": "zh", "eng": "en", "tam": "tam"}


WRONG = {
    "without en.arpa.bin or en.arpa": lambda f: (f / "en.arpa").unlink(),
    "en.arpa without its tokenizer en.sp.model": lambda f: (f / "en.sp.model").unlink(),
    "two models of eng": lambda f: [shutil.copy(f / f"en.{end}", f / f"eng.{end}") for end in ("arpa", "sp.model")],
    "named by no language": lambda f: [shutil.copy(f / f"en.{end}", f / f"qq.{end}") for end in ("arpa", "sp.model")],
    "knows ": lambda f: shutil.copy(f / "zh.arpa.bin", f / "tam.arpa.bin"),
    "is neither KenLM's binary file nor ARPA text": lambda f: (f / "tam.arpa.bin").write_bytes(b"PK\3\4 no model"),
    "it was cut": lambda f: (f / "tam.arpa.bin").write_bytes((f / "tam.arpa.bin").read_bytes()[:2000]),
    "is no SentencePiece model": lambda f: (f / "tam.sp.model").write_bytes(b"no model"),
    "is no table of cutoffs": lambda f: (f / "cutoff.csv").write_text("head,tail\nlow,high\n"),
    "has not one row 30 and one row 60": lambda f: (f / "cutoff.csv").write_text(",en\n30,5.0\n50,7.0\n"),
    "has no two rising cutoffs for en": lambda f: (f / "cutoff.csv").write_text(",en\n30,5.0\n60,4.0\n"),
    "has no language models": lambda f: [file.unlink() for file in f.iterdir()],
    "there is no folder": lambda f: shutil.rmtree(f),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_folder_that_is_not_what_it_should_be_is_told_in_a_line(what: str, folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path)
    WRONG[what](place)
    with pytest.raises(UserError) as told:
        checksums(str(place))
    assert what in str(told.value) and str(place) in str(told.value) and "\n" not in str(told.value)


def test_a_worker_with_other_files_than_the_driver_says_so(folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path)
    seen = checksums(str(folder))
    assert seen == checksums(str(place)) and set(seen) == {file.name for file in folder.iterdir()}
    (place / "tam.arpa.bin").write_bytes((place / "tam.arpa.bin").read_bytes() + b"\0")
    models = Perplexity(str(place), seen)
    assert models.measure(pa.array([TEXTS[0]]), ["eng"])[0][0] > 1
    with pytest.raises(UserError, match=r"tam\.arpa\.bin is another one than the driver's"):
        models.measure(pa.array([TEXTS[2]]), ["tam"])
