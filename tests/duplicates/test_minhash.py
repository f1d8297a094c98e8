import gzip
import hashlib
import math
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.duplicates import minhash as module
from pipeline.duplicates.minhash import (
    MinHasher,
    candidate_probability,
    minima32,
    minima64,
    optimal_bands,
    permutations,
    signatures,
    sort_distinct,
)
from pipeline.kernels.arrow_text import from_strings
from pipeline.words.words import ngram_hashes, word_hashes, words

MASK = (1 << 64) - 1
HASHER = MinHasher(bands=14, rows=8, ngram_size=5, scheme="affine64", seed=1)

# A hundred words or more a language, to be drawn from. Words of unspaced scripts are single characters.
ALPHABETS = {
    "eng": "river stone light wind house garden winter silver morning letter bridge answer doctor village music paper",
    "hin": "नदी पत्थर प्रकाश हवा घर बगीचा सर्दी चाँदी सुबह पत्र पुल उत्तर वैद्य गाँव संगीत काग़ज़",
    "arb": "نهر حجر ضوء ريح بيت حديقة شتاء فضة صباح رسالة جسر جواب طبيب قرية موسيقى ورق",
    "tha": "ก ข ค ง จ ช ซ ญ ด ต ถ ท น บ ป ผ ฝ พ ฟ ม ย ร ล ว ส ห อ",
    "jpn": "川 石 光 風 家 庭 冬 銀 朝 手 紙 橋 答 医 者 村 音 楽 の が を に は で と も る た か な ラ ン ー ス",
    "cmn": "河 石 光 风 家 园 冬 银 晨 信 桥 答 医 生 村 音 乐 纸 的 了 在 是 我 有 他 这 中 大 来 上 国 个",
}
UNSPACED = {"tha", "jpn", "cmn"}

GOLDEN_TEXT = (10920061946665078612, 13952108689685195632)
GOLDEN_SHINGLES = [194886146, 598921602, 628202091, 642406204, 2596123236, 3043205129, 4132048746]
GOLDEN_BANDS = {
    "affine32": [-8712746779973527620, 7804893580329502166],
    "affine64": [3775616710304116622, -2793247511414924102],
}


class Signature(NamedTuple):
    text_hash: tuple[int, int]
    n_shingles: int
    bands: list[int]
    shingles: list[int]


def signature(text: str, hasher: MinHasher, min_shingles: int) -> Signature:
    """Of a text in the middle of a batch of others."""
    found = signatures(from_strings(["before it, some other words", text, "", "behind it"]), hasher, min_shingles)
    bands, shingles = found.band_places, found.shingle_places
    return Signature(
        (int(found.text_hashes[1, 0]), int(found.text_hashes[1, 1])),
        int(found.n_shingles[1]),
        found.bands[bands[1] : bands[2]].tolist(),
        found.shingles[shingles[1] : shingles[2]].tolist(),
    )


def shingle_hashes(hashes: np.ndarray, n: int) -> np.ndarray:
    return np.unique(ngram_hashes(hashes, n))


def minhash(hashes: np.ndarray, hasher: MinHasher) -> np.ndarray:
    a, b = permutations(hasher.num_perm, hasher.seed, hasher.scheme)
    minima = np.empty(hasher.num_perm, a.dtype)
    (minima64 if hasher.scheme == "affine64" else minima32)(hashes, a, b, minima)
    return minima


def mixed(x: int) -> int:
    """splitmix64's finaliser, by Python's own integers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def band_hash(band: int, minima: list[int]) -> int:
    state = (0x9E3779B97F4A7C15 + band) & MASK
    for value in minima:
        state = (mixed(state) + value) & MASK
    return mixed(state)


def band_hashes(minima: np.ndarray, hasher: MinHasher) -> np.ndarray:
    out = np.empty(hasher.bands, np.int64)
    module.band_hashes(minima.astype(np.uint64), hasher.rows, out)
    return out


def run_hash(run: tuple[str, ...]) -> int:
    """Of words in a row, by Python's own integers."""
    first, *others = word_hashes(run).tolist()
    for other in others:
        first = (mixed(first) + other) & MASK
    return first


def by_definition(hashes: np.ndarray, hasher: MinHasher) -> np.ndarray:
    """datasketch itself, given the same 64-bit hashes one by one."""
    from datasketch import MinHash

    mask = (1 << 64) - 1 if hasher.scheme == "affine64" else (1 << 32) - 1
    reference = MinHash(
        num_perm=hasher.num_perm, seed=hasher.seed, scheme=hasher.scheme,
        hashfunc=lambda data: int.from_bytes(data, "little") & mask,
    )  # fmt: skip
    for value in hashes.tolist():
        reference.update(value.to_bytes(8, "little"))
    return reference.hashvalues


@pytest.mark.parametrize("scheme", ["affine64", "affine32"])
@pytest.mark.parametrize(("seed", "bands", "rows"), [(1, 14, 8), (7, 20, 22), (2**32 - 1, 1, 1), (0, 3, 5)])
def test_a_signature_is_datasketch_s(scheme: str, seed: int, bands: int, rows: int) -> None:
    hasher = MinHasher(bands, rows, 5, scheme, seed)
    rng = np.random.default_rng(seed)
    for count in (1, 2, 3, 4, 5, 100, 5000):  # with and without a rest of four
        hashes = np.unique(rng.integers(0, 1 << 64, count, np.uint64))
        found = minhash(hashes, hasher)
        assert np.array_equal(found, by_definition(hashes, hasher))
        assert found.dtype == (np.uint64 if scheme == "affine64" else np.uint32)


@pytest.mark.parametrize("scheme", ["affine64", "affine32"])
def test_from_text_to_bands_by_datasketch(scheme: str) -> None:
    """The whole way once, as a user of datasketch would go it."""
    from datasketch import MinHash

    hasher = MinHasher(4, 3, 2, scheme, 5)
    text = "One fish, two fish. Red fish, blue fish! ONE FISH"
    tokens = ["one", "fish", "two", "fish", "red", "fish", "blue", "fish", "one", "fish"]
    mask = MASK if scheme == "affine64" else (1 << 32) - 1
    reference = MinHash(num_perm=12, seed=5, scheme=scheme, hashfunc=lambda run: run_hash(run) & mask)
    reference.update_batch([*pairwise(tokens)])
    found = signature(text, hasher, 1)
    assert found.n_shingles == 8  # "one fish" twice
    assert found.shingles == sorted({run_hash(run) & 0xFFFFFFFF for run in pairwise(tokens)})
    minima = reference.hashvalues.tolist()
    expected = [band_hash(band, minima[3 * band : 3 * band + 3]) for band in range(4)]
    assert [one & MASK for one in found.bands] == expected


@given(st.lists(st.sampled_from(["a", "bb", "ç", "語", "ที่"]), max_size=30), st.integers(1, 7))
def test_shingles_are_the_set_of_runs(tokens: list[str], n: int) -> None:
    runs = {tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))} if tokens else set()
    found = signature(" ".join(tokens), MinHasher(2, 2, n, "affine32", 1), 1)
    assert found.shingles == sorted({run_hash(run) & 0xFFFFFFFF for run in runs})
    assert found.n_shingles == len(found.shingles)


@given(st.lists(st.integers(0, (1 << 32) - 1), max_size=300))
def test_sorting_is_sorting(values: list[int]) -> None:
    array = np.array([*values, 7], np.uint32)  # one more than is sorted
    count = sort_distinct(array, np.empty_like(array), len(values))
    assert array[:count].tolist() == sorted(set(values))
    assert array[-1] == 7 or count == len(array)


@pytest.mark.parametrize(("threshold", "num_perm", "weight"), [(0.8, 128, 0.5), (0.5, 112, 0.5), (0.8, 120, 0.998)])
def test_the_optimum_is_datasketch_s(threshold: float, num_perm: int, weight: float) -> None:
    from datasketch import MinHashLSH

    lsh = MinHashLSH(threshold=threshold, num_perm=num_perm, weights=(1 - weight, weight))
    assert optimal_bands(threshold, num_perm, weight) == (lsh.b, lsh.r)


def test_the_s_curve() -> None:
    assert candidate_probability(0.5, 2, 1) == 0.75
    assert round(candidate_probability(0.8, 14, 8), 3) == 0.924  # FineWeb's
    assert round(candidate_probability(0.8, 20, 6), 3) == 0.998


def test_golden() -> None:
    """Signatures outlive the code: one crawl's are compared with the next one's. Who changes them raises a version."""
    text = "The quick brown fox jumps over the lazy dog."
    for scheme, bands in GOLDEN_BANDS.items():
        found = signature(text, MinHasher(2, 2, 3, scheme, 1), 1)
        assert found.text_hash == GOLDEN_TEXT
        assert found.bands == bands
        assert found.shingles == GOLDEN_SHINGLES
    assert MinHasher(14, 8, 5, "affine64", 1).version == "words2-signature2-affine64-seed1-n5-14x8"


def test_every_setting_is_in_the_version() -> None:
    settings = [(14, 8, 5, "affine64", 1), (8, 14, 5, "affine64", 1), (14, 8, 6, "affine64", 1),
                (14, 8, 5, "affine32", 1), (14, 8, 5, "affine64", 2)]  # fmt: skip
    assert len({MinHasher(*one).version for one in settings}) == len(settings)


def test_short_texts() -> None:
    for text in ("", " \n", "..."):
        found = signature(text, HASHER, 1)
        assert (found.n_shingles, found.bands, found.shingles) == (0, [], [])
    assert signature("", HASHER, 1).text_hash == signature(" \n", HASHER, 1).text_hash
    assert signature("...", HASHER, 1).text_hash != signature("???", HASHER, 1).text_hash  # no words: the text itself
    fourteen = " ".join(f"w{i}" for i in range(14))  # ten shingles of five words
    assert (signature(fourteen, HASHER, 10).n_shingles, len(signature(fourteen, HASHER, 10).bands)) == (10, 14)
    assert (signature(fourteen, HASHER, 11).n_shingles, len(signature(fourteen, HASHER, 11).bands)) == (10, 0)
    two = signature("only two", HASHER, 1)
    assert (two.n_shingles, len(two.bands)) == (1, 14)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("The Cat sat.", "the cat\n\n  SAT!!"),
        ("Größe, Straße", "GRÖSSE STRASSE"),
        ("Ελλάδα: ΟΔΟΣ", "ελλάδα οδοσ"),
        ("Москва — столица", "МОСКВА «СТОЛИЦА»"),
        ("今天天气很好。", "今天 天气，很好"),
        ("ภาษา ไทย", "ภาษาไทย"),
        ("नमस्ते दुनिया।", "नमस्ते, दुनिया"),
        ("مرحبا، بالعالم؟", "مرحبا بالعالم"),
    ],
)
def test_case_spacing_and_punctuation_do_not_count(text: str, same: str) -> None:
    one, other = signature(text, HASHER, 1), signature(same, HASHER, 1)
    assert one.text_hash == other.text_hash
    assert one.bands == other.bands


def test_words_do_count() -> None:
    texts = ["the cat sat", "the cats at", "thecat sat", "the cat sat 2", "sat cat the"]
    assert len({signature(text, HASHER, 1).text_hash for text in texts}) == len(texts)


@given(st.text())
def test_any_text_has_a_signature(text: str) -> None:
    found = signature(text, HASHER, 3)
    assert found.n_shingles >= 0
    assert len(found.bands) == (14 if found.n_shingles >= 3 else 0)


def test_a_lone_surrogate_is_no_error() -> None:
    assert signature("a\ud800b c", HASHER, 1) != signature("ab c", HASHER, 1)


def _draw(seed: str, count: int) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(f"{seed} {count}".encode()).hexdigest()[:8], 16))


def planted_pair(language: str, length: int, changed: int) -> tuple[str, str]:
    """Two texts of `length` words of which `changed` differ, spread by chance."""
    alphabet = ALPHABETS[language].split()
    rng = _draw(language, changed)
    first = rng.choice(alphabet, length).tolist()
    second = list(first)
    for at in rng.choice(length, changed, replace=False).tolist():
        second[at] = alphabet[(alphabet.index(first[at]) + 1 + int(rng.integers(len(alphabet) - 1))) % len(alphabet)]
    glue = "" if language in UNSPACED else " "
    return glue.join(first), glue.join(second)


def jaccard(one: str, other: str, n: int) -> float:
    """Over shingles as strings: no hash involved."""
    sets = []
    for text in (one, other):
        tokens = words(text)
        sets.append({tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@pytest.mark.parametrize("scheme", ["affine64", "affine32"])
@pytest.mark.parametrize("language", ALPHABETS)
def test_agreement_estimates_jaccard(language: str, scheme: str) -> None:
    hasher = MinHasher(64, 16, 5, scheme, 1)
    for changed in (3, 12, 40):
        one, other = planted_pair(language, 400, changed)
        assert len(words(one)) == 400
        true = jaccard(one, other, 5)
        minima = [minhash(shingle_hashes(word_hashes(words(text)), 5), hasher) for text in (one, other)]
        estimate = float((minima[0] == minima[1]).mean())
        assert abs(estimate - true) <= 4 * math.sqrt(true * (1 - true) / hasher.num_perm), (changed, true)


@pytest.mark.parametrize(("jaccard_wanted", "changed"), [(0.9, 4), (0.7, 14), (0.5, 27)])
def test_candidates_follow_the_s_curve(jaccard_wanted: float, changed: int) -> None:
    """P(a band in common) = 1 - (1 - s^8)^14 over many seeds, within 4 sigma; s is measured, not wished for."""
    one, other = planted_pair("eng", 400, changed)
    s = jaccard(one, other, 5)
    assert abs(s - jaccard_wanted) < 0.1
    hashes = [shingle_hashes(word_hashes(words(text)), 5) for text in (one, other)]
    hits, trials = 0, 300
    for seed in range(trials):
        hasher = MinHasher(14, 8, 5, "affine64", seed)
        first, second = (band_hashes(minhash(part, hasher), hasher) for part in hashes)
        hits += bool((first == second).any())
    expected = 1 - (1 - s**8) ** 14
    assert abs(hits / trials - expected) <= 4 * math.sqrt(max(expected * (1 - expected), 1 / trials) / trials), s


@pytest.mark.parametrize("language", ["zho-CN", "tha", "hin", "arb", "jpn", "eng"])
def test_real_text_estimates_jaccard(language: str) -> None:
    file = Path(__file__).resolve().parents[2] / f"../shared/data/parallel/{language}.txt.gz"
    if not file.exists():
        pytest.skip(f"no {file}")
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()[:40]
    one, other = "\n".join(lines), "\n".join(lines[4:])
    true = jaccard(one, other, 5)
    hasher = MinHasher(64, 16, 5, "affine64", 1)
    minima = [minhash(shingle_hashes(word_hashes(words(text)), 5), hasher) for text in (one, other)]
    assert 0.5 < true < 1
    assert abs(float((minima[0] == minima[1]).mean()) - true) <= 4 * math.sqrt(true * (1 - true) / hasher.num_perm)
