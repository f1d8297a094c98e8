"""What a classifier is fitted on and judged by, without a fit."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.kernels.arrow_text import from_strings
from pipeline.scores.fitting import balancing, documents, judging, whole
from pipeline.scores.fitting.documents import Columns, Documents, Place
from pipeline.words.words import words_of
from schemas.errors import UserError

TEXTS = {
    "eng": "The river rose", "cmn": "河水上涨", "jpn": "川が増水した", "kor": "강물이 불었다", "tha": "แม่น้ำสูงขึ้น",
    "khm": "ទន្លេឡើង", "arb": "ارتفع النهر", "heb": "הנהר עלה", "hin": "नदी बढ़ी", "tam": "ஆறு உயர்ந்தது", "amh": "ወንዙ ሞላ",
    "kat": "მდინარე ადიდდა", "rus": "Река поднялась", "tur": "Irmak yükseldi",
}  # fmt: skip


def of(rows: list[tuple[str, str, str]]) -> Documents:
    """Of label, host and text."""
    return Documents(
        np.arange(len(rows), dtype=np.uint64), [row[2] for row in rows], [row[1] for row in rows],
        [row[0].partition("_")[0] for row in rows], [row[0].partition("_")[2] for row in rows],
    )  # fmt: skip


def test_documents_are_the_same_for_any_files_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"text": f"{text} {number}", "url": f"https://www.Site{number % 7}.example/{number}", "language": code}
        for code, text in TEXTS.items()
        for number in range(20)
    ]
    monkeypatch.setattr(documents, "MOST_ROWS", 100)
    monkeypatch.setattr(documents, "MOST_OF_A_LANGUAGE", 6)
    read = []
    for name, order in (("a", 1), ("b", -1)):
        (tmp_path / name).mkdir()
        listed = rows[::order] + rows[:30]  # some are there twice
        for part in range(3):
            pq.write_table(pa.Table.from_pylist(listed[part::3]), tmp_path / name / f"{part}.parquet")
        read.append(documents.read([Place(str(tmp_path / name))], Columns(), "--positives"))
    first, second = read
    assert first.texts == second.texts and first.hosts == second.hosts and (first.keys == second.keys).all()
    assert len(set(first.texts)) == len(first.texts) <= 100
    assert set(first.hosts) <= {f"www.site{number}.example" for number in range(7)}
    labels, counts = np.unique(first.labels().astype(str), return_counts=True)
    assert {"cmn_Hani", "jpn_Jpan", "kor_Hang", "tha_Thai", "arb_Arab"} < set(labels) and counts.max() == 6
    assert documents.without(first, second).texts == []


def test_columns_and_hosts(tmp_path: Path) -> None:
    table = pa.table({
        "body": ["One text here", "Zwei Texte hier", None, "Three"], "lang": ["eng_Latn", "deu", "fra", "eng"],
        "site": ["a", None, "c", "d"], "url": [None, "https://b.example/x", None, None],
        "drop_reason": [None, None, None, "short"],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    place = Place(str(tmp_path / "t.parquet"), kept_only=True)
    found = documents.read([place], Columns("body", "lang", "site"), "--positives")
    rows = sorted(zip(found.texts, found.hosts, found.labels(), strict=True))
    assert rows == [("One text here", "a", "eng_Latn"), ("Zwei Texte hier", "b.example", "deu_Latn")]
    assert len(documents.read([place._replace(kept_only=False)], Columns("body", "lang"), "--x").texts) == 3
    for columns, said in (
        (Columns("text"), "--x .*t.parquet has no column 'text'; it has body, lang"),
        (Columns("body", "tongue"), "no column 'tongue'"),
        (Columns("body", "", "place"), "no column 'place'"),
    ):
        with pytest.raises(UserError, match=said):
            documents.read([place], columns, "--x")
    pq.write_table(table.slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(UserError, match=r"--x .*empty.parquet: no text"):
        documents.read([Place(str(tmp_path / "empty.parquet"))], Columns("body"), "--x")


def test_pairs_have_one_language_and_one_length() -> None:
    rng = np.random.default_rng(1)

    def some(label: str, count: int, most: int, word: str) -> list[tuple[str, str, str]]:
        return [(label, f"h{i}", f"{word} " * int(rng.integers(5, most))) for i in range(count)]

    good = of(some("eng_Latn", 30, 300, "a") + some("cmn_Hani", 10, 200, "好") + some("deu_Latn", 5, 90, "d"))
    bad = of(some("eng_Latn", 300, 60, "b") + some("cmn_Hani", 12, 900, "坏") + some("fra_Latn", 9, 90, "f"))
    paired = balancing.pairs(good, bad, seed=3)
    assert set(good.labels()[paired.good]) == {"eng_Latn", "cmn_Hani"}
    assert (good.labels()[paired.good] == bad.labels()[paired.bad]).all()
    english = good.labels()[paired.good] == "eng_Latn"
    assert np.bincount(paired.good[english]).max() <= balancing.MOST_TIMES + 1
    for documents_, rows in ((good, paired.good), (bad, paired.bad)):
        texts = balancing.cut(documents_, rows, paired.words)
        assert (np.diff(words_of(from_strings(texts)).offsets) == paired.words).all()
    assert paired.words.min() >= balancing.LEAST_WORDS
    again = balancing.pairs(good, bad, seed=3)
    assert all((one == other).all() for one, other in zip(paired, again, strict=True))


@pytest.mark.parametrize("text", [f"{text}. " * 9 for text in TEXTS.values()])
def test_a_cut_ends_behind_a_word(text: str) -> None:
    words = words_of(from_strings([text]))
    for count in (1, 2, 7):
        (cut,) = balancing.first_words(from_strings([text]), np.array([count]))
        assert text.startswith(cut) and len(words_of(from_strings([cut])).starts) == count
    assert balancing.first_words(from_strings([text]), np.array([len(words.starts)])) == [text]


def test_a_split_is_by_host_and_language() -> None:
    good = of([(label, f"h{i % 40}", "x") for i in range(400) for label in ("eng_Latn", "srp_Cyrl", "srp_Latn")])
    parts = whole.split(good, good, ["srp_Latn"], seed=0)
    assert parts.held_out == {"srp_Latn"} and "srp_Latn" not in parts.good.labels()
    seen = {(label, host) for label, host in zip(parts.good.labels(), parts.good.hosts, strict=True)}
    judged = zip(parts.judged_good.labels(), parts.judged_good.hosts, strict=True)
    assert not {host for _, host in seen} & {host for label, host in judged if label != "srp_Latn"}
    assert len(parts.good.texts) + len(parts.judged_good.texts) == len(good.texts)
    assert 0.6 < len({host for _, host in seen}) / 40 < 0.98
    assert whole.split(good, good, ["srp"], seed=0).held_out == {"srp_Latn", "srp_Cyrl"}
    with pytest.raises(UserError, match="--hold-out-languages tha: no text is in it; there are eng_Latn"):
        whole.split(good, good, ["tha"], seed=0)


def test_auc_and_its_deviation() -> None:
    """By all pairs, and by drawing hosts anew."""
    rng = np.random.default_rng(5)
    host = rng.integers(25, size=300)
    is_good = rng.random(300) < 0.4
    scores = np.round(rng.normal(size=300) + is_good + rng.normal(size=25)[host], 1)  # equal ones, too
    hosts = np.array([f"h{one}" for one in host], object)
    area, deviation = judging.auc(scores, is_good, hosts)
    pairs = scores[is_good][:, None] - scores[~is_good][None, :]
    assert area == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean(), abs=1e-12)
    drawn = []
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(host == one) for one in rng.integers(25, size=25)])
        drawn.append(judging.auc(scores[rows], is_good[rows], hosts[rows])[0])
    assert deviation == pytest.approx(np.std(drawn), rel=0.2)
    alone = np.array([f"{row}" for row in range(300)], object)
    assert judging.auc(scores, is_good, alone)[1] < 0.8 * deviation  # hosts matter here


def test_precision_at_the_kept_share_by_hand() -> None:
    scores = np.array([9.0] * 10 + [8.0] * 40 + [1.0] * 50)
    is_good = np.array(([True] * 9 + [False]) + [True] * 20 + [False] * 20 + [False] * 30 + [True] * 20)
    hosts = np.array([f"h{row % 20}" for row in range(100)], object)
    found = judging.judged(scores, is_good, hosts, 0.3)
    assert judging.kept(scores, 0.3).sum() == pytest.approx(30)
    assert found.precision == pytest.approx((9 + 20 * 0.5) / 30)
    assert found.recall == pytest.approx((9 + 20 * 0.5) / 49)
    assert found.precision and found.precision_interval and found.precision_interval.low < found.precision
    few = judging.judged(scores[:25], is_good[:25], hosts[:25], 0.3)
    assert few.auc is None and (few.good, few.bad, few.hosts) == (24, 1, 20)
    perfect = judging.judged(is_good.astype(float), is_good, hosts, 0.3)
    assert perfect.auc == 1 and perfect.auc_interval == (0.85, 1.0)
