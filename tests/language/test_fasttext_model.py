"""Our fastText against the fastText library, on its own embedded model and on models written here byte by byte."""

import csv
import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.language import fasttext_format, fasttext_model
from pipeline.language.fasttext_model import HIERARCHICAL, NEGATIVE_SAMPLING, ONE_VS_ALL, SOFTMAX
from pipeline.language.model_files import embedded_model
from schemas.errors import UserError

SHARED = Path(__file__).resolve().parents[2] / "../shared"
TEXTS = (
    "The committee will publish its report in the spring of next year.",
    "委员会将在明年春天发表报告，并回答记者的提问。",
    "委員会は来年の春に報告書を発表する予定です。コーヒー",
    "위원회는 내년 봄에 보고서를 발표할 예정입니다.",
    "คณะกรรมการจะเผยแพร่รายงานในฤดูใบไม้ผลิปีหน้า",
    "គណៈកម្មាធិការនឹងបោះពុម្ពផ្សាយរបាយការណ៍នៅឆ្នាំក្រោយ",
    "ستنشر اللجنة تقريرها في ربيع العام المقبل",
    "הוועדה תפרסם את הדוח שלה באביב הבא",
    "समिति अगले साल वसंत में अपनी रिपोर्ट प्रकाशित करेगी",
    "குழு அடுத்த ஆண்டு தனது அறிக்கையை வெளியிடும்",
    "ኮሚቴው በሚቀጥለው ዓመት ሪፖርቱን ያወጣል",
    "კომიტეტი ანგარიშს მომავალ გაზაფხულზე გამოაქვეყნებს",
    "Комиссия опубликует доклад весной следующего года",
    "Komite raporunu gelecek yıl ilkbaharda yayımlayacak İI",
    "𞤀𞤣𞤤𞤢𞤥 𞤆𞤵𞤤𞤢𞤪",
    "",
    "   \t ",
    "a",
    "é\x00b\x0bc\x0cd\re",
    "__label__en is passed over, so is __label__",
    "e" + "\u0301" * 10_000,
    "x" * 20_000,
    "😀😀 12:30 — 100 %",
)
any_text = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=60)


def assert_equal(theirs: Any, ours: fasttext_model.FastText, text: str) -> None:
    """Every label's score, and so their order where it is more than rounding."""
    labels, scores = theirs.predict(text, k=len(ours.labels), threshold=-1.0)
    found = dict(zip(*ours.predict(text, k=len(ours.labels)), strict=True))
    assert {label.removeprefix("__label__") for label in labels} == found.keys(), repr(text[:80])
    for label, score in zip(labels, scores, strict=True):
        assert found[label.removeprefix("__label__")] == pytest.approx(score, abs=2e-4), (repr(text[:80]), label)


@pytest.fixture(scope="module")
def embedded() -> tuple[Any, fasttext_model.FastText]:
    return fasttext.load_model(str(embedded_model())), fasttext_model.load(embedded_model())


@pytest.mark.parametrize("text", TEXTS)
def test_the_embedded_model(embedded: tuple[Any, fasttext_model.FastText], text: str) -> None:
    assert_equal(*embedded, text)


def test_the_embedded_model_on_37_languages(embedded: tuple[Any, fasttext_model.FastText]) -> None:
    folder = SHARED / "data/sib200"
    if not folder.exists():
        pytest.skip("no ../shared/data/sib200")
    for language in sorted(folder.iterdir()):
        with open(language / "dev.tsv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        for row in rows[:15]:
            assert_equal(*embedded, row["text"])


@settings(max_examples=100, deadline=None)
@given(any_text)
def test_the_embedded_model_on_any_text(embedded: tuple[Any, fasttext_model.FastText], text: str) -> None:
    assert_equal(*embedded, text)


WORDS = ("</s>", "the", "of", "und", "год", "的", "日本", "हिन्दी", "is", "a")
LABELS = ("en", "de", "ru", "zho_Hans", "ja", "hin_Deva", "x")


def dense(matrix: np.ndarray) -> bytes:
    return struct.pack("<2q", *matrix.shape) + matrix.astype("<f4").tobytes()


def quantiser(values: np.ndarray, dim: int, width: int) -> bytes:
    parts = -(-dim // width)
    return struct.pack("<4i", dim, parts, width, dim - (parts - 1) * width) + values.astype("<f4").tobytes()


def quantised(random: np.random.Generator, rows: int, dim: int, width: int, norms: bool) -> bytes:
    parts = -(-dim // width)
    data = struct.pack("<?2qi", norms, rows, dim, rows * parts)
    data += random.integers(0, 256, rows * parts, np.uint8).tobytes()
    data += quantiser(random.normal(size=dim * 256), dim, width)
    if norms:
        data += random.integers(0, 256, rows, np.uint8).tobytes() + quantiser(random.uniform(0, 2, 256), 1, 1)
    return data


def model(
    loss: int = SOFTMAX, ngrams: tuple[int, int] = (2, 4), word_ngrams: int = 1, buckets: int = 1000, dim: int = 6,
    width: int = 0, norms: bool = False, pruned: bool = False, quantised_output: bool = False,
    labels: Sequence[str] = LABELS, words: Sequence[str] = WORDS, seed: int = 1,
) -> bytes:  # fmt: skip
    """A model of random weights in fastText's format, version 12; `width` 0 is dense."""
    random = np.random.default_rng(seed)
    data = struct.pack("<2i", fasttext_model.MAGIC, 12)
    data += struct.pack("<12id", dim, 5, 5, 1, 5, word_ngrams, loss, 3, buckets, *ngrams, 100, 1e-4)
    kept = sorted(random.choice(buckets, buckets // 2, replace=False).tolist()) if pruned else []
    data += struct.pack("<3i2q", len(words) + len(labels), len(words), len(labels), 100, len(kept) if pruned else -1)
    for word in words:
        data += word.encode() + b"\0" + struct.pack("<qb", 7, 0)
    for i, label in enumerate(labels):
        data += b"__label__" + label.encode() + b"\0" + struct.pack("<qb", 1000 - 100 * i, 1)
    rows = random.permutation(len(kept))
    for bucket, row in zip(kept, rows.tolist(), strict=True):
        data += struct.pack("<2i", bucket, row)
    n_rows = len(words) + (len(kept) if pruned else buckets)
    data += struct.pack("<?", width > 0)
    data += quantised(random, n_rows, dim, width, norms) if width else dense(random.normal(size=(n_rows, dim)) * 3)
    data += struct.pack("<?", quantised_output)
    if quantised_output:
        return data + quantised(random, len(labels), dim, 2, norms)
    return data + dense(random.normal(size=(len(labels), dim)))


KINDS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "hierarchical": {"loss": HIERARCHICAL},
    "one against all": {"loss": ONE_VS_ALL},
    "negative sampling": {"loss": NEGATIVE_SAMPLING},
    "without n-grams": {"ngrams": (0, 0)},
    "single characters": {"ngrams": (1, 3)},
    "long n-grams": {"ngrams": (3, 9)},
    "word bigrams": {"word_ngrams": 2},
    "word 4-grams alone": {"word_ngrams": 4, "ngrams": (0, 0)},
    "few buckets": {"buckets": 3},
    "a power of two": {"buckets": 1024},
    "many buckets": {"buckets": 99_991},
    "two labels": {"loss": HIERARCHICAL, "labels": ("a", "b")},
    "one label": {"labels": ("a",)},
    "no line's end": {"words": WORDS[1:]},
    "quantised": {"width": 2},
    "quantised with norms": {"width": 2, "norms": True},
    "an odd last part": {"width": 4, "norms": True},
    "pruned": {"width": 2, "pruned": True},
    "pruned, hierarchical, word bigrams": {"width": 3, "pruned": True, "loss": HIERARCHICAL, "word_ngrams": 2},
    "quantised output": {"width": 2, "norms": True, "quantised_output": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(model(**KINDS[kind]))
    theirs, ours = fasttext.load_model(str(path)), fasttext_model.load(path)
    for text in TEXTS:
        assert_equal(theirs, ours, text)
    if "width" in KINDS[kind]:
        monkeypatch.setattr(fasttext_model, "MAX_DEQUANTISED_BYTES", 0)
        ours = fasttext_model.load(path)
        for text in TEXTS:
            assert_equal(theirs, ours, text)


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "loss": st.sampled_from([HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL]),
            "ngrams": st.sampled_from([(0, 0), (1, 1), (2, 4), (3, 6)]),
            "word_ngrams": st.integers(1, 3),
            "buckets": st.integers(2, 5000),
            "dim": st.integers(1, 9),
            "seed": st.integers(0, 99),
        }
    ),
    st.booleans(),
    st.lists(any_text, min_size=1, max_size=4),
)
def test_any_model_on_any_text(
    tmp_path_factory: pytest.TempPathFactory, kind: dict[str, Any], pruned: bool, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("model") / "model.bin"
    path.write_bytes(model(**kind, pruned=pruned, width=2 if pruned else 0))
    theirs, ours = fasttext.load_model(str(path)), fasttext_model.load(path)
    for text in texts:
        assert_equal(theirs, ours, text)


def test_scores_are_probabilities(embedded: tuple[Any, fasttext_model.FastText]) -> None:
    _, ours = embedded
    _, scores = ours.predict("The spring of next year", k=999)
    assert sum(scores) == pytest.approx(1, abs=1e-5)
    assert all(0 <= score <= 1 for score in scores)
    assert list(scores) == sorted(scores, reverse=True)


def test_spans_add_up(embedded: tuple[Any, fasttext_model.FastText]) -> None:
    """The rows of a text are those of its words, wherever it is cut between them; a line feed is a space."""
    _, ours = embedded
    data = "The committee\nwill publish 报告 its report".encode()
    text = np.frombuffer(data, np.uint8)
    cut = data.index(b"will")
    sums, counts = ours.sums(text, np.array([0, 0, cut]), np.array([len(data), cut, len(data)]))
    assert counts[0] == counts[1] + counts[2]
    np.testing.assert_allclose(sums[0], sums[1] + sums[2], rtol=1e-4, atol=1e-4)
    assert ours.predict(data.decode(), 3) == ours.predict(data.decode().replace("\n", " "), 3)


def test_broken_utf8_and_empty_spans(embedded: tuple[Any, fasttext_model.FastText]) -> None:
    _, ours = embedded
    text = np.frombuffer(b"\x80\xbf\xff a\xf0\x9f \xe4", np.uint8)
    sums, counts = ours.sums(text, np.array([0, 3, 9]), np.array([9, 3, 9]))
    assert np.isfinite(sums).all()
    assert counts[1] == counts[2] == 0
    assert np.isfinite(ours.scores(sums, counts)).all()


@pytest.mark.parametrize("piece", [b"the committee ", b"a", "\u0301".encode()])
def test_a_long_line_is_no_trouble(embedded: tuple[Any, fasttext_model.FastText], piece: bytes) -> None:
    """Were time quadratic, this would take hours."""
    _, ours = embedded
    data = piece * (2_000_000 // len(piece))
    sums, counts = ours.sums(np.frombuffer(data, np.uint8), np.array([0]), np.array([len(data)]))
    assert np.isfinite(sums).all()
    assert counts[0] > 0 or piece == "\u0301".encode()


class Reads(io.BufferedReader):
    """Counts them."""

    number = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.number += 1
        return super().read(size)


@pytest.mark.parametrize("block", [40, 64, 1000, 1 << 20])
def test_words_are_read_by_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(fasttext_format, "BLOCK", block)
    words = [*WORDS, *(f"w{i:0{i % 9}}" for i in range(3000))]
    size = sum(len(word.encode()) + 10 for word in words)
    path = tmp_path / "model.bin"
    path.write_bytes(model(words=words, buckets=10))
    with Reads(path.open("rb", buffering=0)) as file:
        ours = fasttext_model.FastText(file, path)
        assert file.number < 30 + size // block * 1.5
    theirs = fasttext.load_model(str(path))
    for text in (*TEXTS[:5], " ".join(words[-50:])):
        assert_equal(theirs, ours, text)


def test_a_word_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "endless.bin"
    path.write_bytes(model(words=[*WORDS, "x" * (2 * fasttext_format.BLOCK)]))
    with pytest.raises(UserError, match=r"endless\.bin is no fastText model: a word of it has no end; name"):
        fasttext_model.load(path)


@pytest.mark.parametrize("cut", [0, 3, 8, 60, 90, 200, 2000, -1])
def test_a_cut_model_is_none(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(model()[:cut])
    with pytest.raises(UserError, match=r"cut\.bin is no fastText model: .*; name a \.bin or \.ftz file$"):
        fasttext_model.load(path)


def test_other_files_are_none(tmp_path: Path) -> None:
    path = tmp_path / "broken.bin"
    vectors = bytearray(model())
    vectors[8 + 7 * 4] = 2  # skip-gram
    for data in (b"not a model at all, but a text of some length", b"PK\x03\x04" + bytes(1000), bytes(10_000), vectors):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"^[^\n]*broken\.bin is no fastText model[^\n]*$"):
            fasttext_model.load(path)
    with pytest.raises(UserError, match=r"no language model at .*absent\.bin"):
        fasttext_model.load(tmp_path / "absent.bin")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1), st.data())
def test_a_damaged_model_is_refused_or_runs(
    tmp_path_factory: pytest.TempPathFactory, kind: int, data: st.DataObject
) -> None:
    """Bytes flipped before the weights: one line of error, or scores; never a crash."""
    good = bytearray(model(buckets=50) if kind else model(buckets=50, width=2, pruned=True, loss=HIERARCHICAL))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, min(len(good), 700) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("model") / "model.bin"
    path.write_bytes(good)
    try:
        scores = fasttext_model.load(path).predict("the committee will год 的", 3)[1]
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert len(scores) <= 3
