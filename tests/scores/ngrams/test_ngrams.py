"""Models of n-grams against KenLM: `made.arpa` is made up, without some n-grams that longer ones end with, as pruning
leaves it; `made.*.bin` is what build_binary of KenLM 0.3.0 made of it (`-p 1.2 probing`, `trie`, `-a 22 trie`, `-q 5
-b 4 trie`, `-q 4 -b 5 -a 64 trie`), `made.scores.json` what its library says of texts."""

import json
from pathlib import Path

import numpy as np
import pytest
from bench import ngram_models

from pipeline.scores.ngrams import arpa, ngram_file
from pipeline.scores.ngrams.ngram_lookup import murmur
from pipeline.scores.ngrams.ngram_model import NGrams
from schemas.errors import UserError

HERE = Path(__file__).parent
SCORES = json.loads((HERE / "made.scores.json").read_text(encoding="utf-8"))
FILES = [name for name in SCORES if name != "texts"]
BY_HAND = """\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-2\t<unk>
0\t<s>\t-0.5
-1\t</s>
-0.6\ta\t-0.25
-9e-1\tb\t-0.125

\\2-grams:
-0.3\t<s> a
-0.4\ta b\t-0.0625

\\3-grams:
-0.1\t<s> a b

\\end\\
"""


def scores(model: NGrams, texts: list[str]) -> np.ndarray:
    ids = [model.ids([word.encode() for word in text.split()]) for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(words) for words in ids], out=offsets[1:])
    return model.score(np.concatenate(ids), offsets)


@pytest.mark.parametrize("name", FILES)
def test_scores_are_kenlm_s(name: str) -> None:
    assert scores(NGrams(HERE / name), SCORES["texts"]) == pytest.approx(SCORES[name], abs=1e-4)


def test_scores_do_not_hang_on_what_stands_beside() -> None:
    model = NGrams(HERE / "made.probing.bin")
    alone = [float(scores(model, [text])[0]) for text in SCORES["texts"]]
    assert scores(model, SCORES["texts"][::-1])[::-1].tolist() == alone


def test_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "hand.arpa"
    path.write_text(BY_HAND, encoding="utf-8")
    found = scores(NGrams(path), ["a b", "b", "x", "", "a b a"])
    # a b: a after <s>, b after both, </s> after backing off from "a b" and from "b".
    # a b a: as above; then a after backing off from "a b" and "b"; </s> after backing off from "a".
    by_hand = [
        -0.3 - 0.1 + (-1 - 0.0625 - 0.125),
        (-0.9 - 0.5) + (-1 - 0.125),
        (-2 - 0.5) - 1,
        -1 - 0.5,
        -0.3 - 0.1 + (-0.6 - 0.0625 - 0.125) + (-1 - 0.25),
    ]
    assert found == pytest.approx(by_hand, abs=1e-6)


def test_arpa_becomes_the_bytes_of_build_binary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arpa, "MULTIPLIER", 1.2)
    assert arpa.to_binary(HERE / "made.arpa") == (HERE / "made.probing.bin").read_bytes()


def test_the_kenlm_library_agrees_on_models_of_ours(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="the library kenlm is not installed")
    model = tmp_path / "made.bin"
    model.write_bytes(arpa.to_binary(HERE / "made.arpa"))
    library, ours = kenlm.Model(str(model)), NGrams(model)
    texts = [" ".join(SCORES["texts"])] * 2 + SCORES["texts"]
    theirs = [sum(log for log, _, _ in library.full_scores(text)) for text in texts]
    assert scores(ours, texts) == pytest.approx(theirs, abs=1e-4)


def test_the_hash_of_words_is_murmur_s() -> None:
    for word in (b"", b"<unk>", b"01234567", "▁გამარჯობა".encode(), bytes(range(200, 255))):
        assert int(murmur(np.frombuffer(word, np.uint8), 0, len(word))) == _murmur(word)


def _murmur(data: bytes) -> int:
    """The same with Python's numbers."""
    m, mask = 0xC6A4A7935BD1E995, (1 << 64) - 1
    h = len(data) * m & mask
    for at in range(0, len(data) // 8 * 8, 8):
        k = int.from_bytes(data[at : at + 8], "little") * m & mask
        k = (k ^ k >> 47) * m & mask
        h = (h ^ k) * m & mask
    if tail := data[len(data) // 8 * 8 :]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 47) * m & mask
    return h ^ h >> 47


def test_probabilities_of_the_bench_s_models_add_up(tmp_path: Path) -> None:
    lines = [[1, 3, 4, 3, 2], [1, 4, 4, 5, 3, 2], [1, 3, 4, 5, 5, 3, 3, 2], [1, 5, 2], [1, 3, 5, 4, 2]]
    vocabulary = [*ngram_models.SPECIAL, "a", "b", "c"]
    ngram_models.write_arpa(
        tmp_path / "x.arpa", vocabulary, ngram_models.all_grams([np.array(line) for line in lines], 3)
    )
    whole = {word: _next(tmp_path / "x.arpa", word) for word in ("a", "b", "c", "<unk>", "</s>")}
    assert sum(whole.values()) == pytest.approx(1, abs=1e-5)


def _next(path: Path, word: str) -> float:
    """p(word | <s>), off the text."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    known = {row[1]: [float(row[0]), float(row[2]) if len(row) > 2 else 0.0] for row in rows}
    if f"<s> {word}" in known:
        return 10 ** known[f"<s> {word}"][0]
    return 10 ** (known[word][0] + known["<s>"][1])


WRONG = {
    "is neither KenLM's binary file nor ARPA text": "once upon a time\n",
    "has order 1": "\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-1\ta\n\n\\end\\\n",
    "does not count its n-grams": BY_HAND.replace("ngram 2=2", "ngram 7=2"),
    "line 6, has other n-grams than it counts": BY_HAND.replace("\\1-grams:", "\\2-grams:"),
    "line 12, has other n-grams than it counts": BY_HAND.replace("ngram 1=5", "ngram 1=6"),
    "line 9, has a probability above one": BY_HAND.replace("-1\t</s>", "1\t</s>"),
    "line 15, has a word that is no 1-gram": BY_HAND.replace("a b\t-0.0625", "a c\t-0.0625"),
    "line 10, has no number where one belongs": BY_HAND.replace("-0.6\ta", "nan\ta"),
    "line 11, has an n-gram twice": BY_HAND.replace("-9e-1\tb", "-9e-1\ta"),
    "has an n-gram without the shorter one": BY_HAND.replace("<s> a b\n", "<s> b a\n"),
    "line 14, has fewer words than its order": BY_HAND.replace("-0.3\t<s> a", "-0.3\ta"),
    "has no <s> or no </s>": BY_HAND.replace("<s>", "<t>"),
    "counts more n-grams than it has bytes": BY_HAND.replace("ngram 3=1", "ngram 3=1000000"),
    "is empty": "",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_text_that_is_no_model_is_told_in_a_line(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.arpa"
    path.write_text(WRONG[what], encoding="utf-8")
    with pytest.raises(UserError) as told:
        NGrams(path)
    assert what in str(told.value) and str(path) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("cut", [200, -40, -3])
def test_an_arpa_text_that_was_cut_is_told(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "x.arpa"
    path.write_text((HERE / "made.arpa").read_text(encoding="utf-8")[:cut], encoding="utf-8")
    with pytest.raises(UserError, match=r"x\.arpa"):
        NGrams(path)


BINARY = {
    "is of version 4 of KenLM's format": lambda b: b.replace(b"version 5", b"version 4"),
    "another machine's byte order": lambda b: b[:60] + b"\1" + b[61:],
    "was not finished": lambda b: b"mmap lm http://kheafield.com/code incomplete\n" + b[45:],
    "is of kind 1": lambda b: b[:96] + b"\1" + b[97:],
    "has order 1": lambda b: b[:88] + b"\1" + b[89:],
    "ends within its header": lambda b: b[:100],
    "it was cut": lambda b: b[: ngram_file.header_size(4) + 900],
    "makes no sense": lambda b: b[:108] + b"\0" * 8 + b[116:],
}


@pytest.mark.parametrize("what", BINARY)
@pytest.mark.parametrize("kind", ["probing", "trie", "quantised_array_trie"])
def test_a_binary_file_that_is_none_is_told_in_a_line(what: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.arpa.bin"
    path.write_bytes(BINARY[what]((HERE / f"made.{kind}.bin").read_bytes()))
    with pytest.raises(UserError) as told:
        NGrams(path)
    assert what in str(told.value) and str(path) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["probing", "trie", "array_trie", "quantised_trie", "quantised_array_trie"])
def test_a_damaged_file_never_ends_the_process(kind: str, tmp_path: Path) -> None:
    good = (HERE / f"made.{kind}.bin").read_bytes()
    random = np.random.default_rng(5)
    opened = 0
    for _ in range(60):
        bad = bytearray(good)
        start = int(random.integers(140, len(good) - 40))
        bad[start : start + 40] = random.bytes(40)
        (tmp_path / "x.bin").write_bytes(bytes(bad))
        try:
            scores(NGrams(tmp_path / "x.bin"), SCORES["texts"])
            opened += 1
        except UserError:
            pass
    assert opened > 10
