"""What a language model is fitted from and judged by, without a fit."""

import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.fitting import cleaning, judging, labelled_rows, report, rubbish, sampling, whole, word_lists
from pipeline.language.fitting.judging import Answers
from pipeline.language.fitting.labelled_rows import COLUMNS, Rows, is_open
from pipeline.language.kinship import GROUP, related
from pipeline.language.labels import TABLE
from pipeline.words.words import words_of
from schemas.errors import UserError

ARTICLES = Path(__file__).resolve().parents[1] / "archive" / "articles"
FOURTEEN = {
    "zho": "cmn_Hani", "jpn": "jpn_Jpan", "kor": "kor_Hang", "tha": "tha_Thai", "khm": "khm_Khmr", "ara": "arb_Arab",
    "heb": "heb_Hebr", "hin": "hin_Deva", "tam": "tam_Taml", "amh": "amh_Ethi", "kat": "kat_Geor", "rus": "rus_Cyrl",
    "tur": "tur_Latn", "eng": "eng_Latn",
}  # fmt: skip
KNOWN = frozenset({"eng", "deu", "cmn", "ben", "kor", "srp", "fas"})


def article(name: str) -> str:
    return (ARTICLES / f"{name}.txt").read_text(encoding="utf-8")


def rows(*texts: tuple[str, str] | tuple[str, str, str]) -> Rows:
    """Of label and text, and source."""
    return Rows(
        [one[1] for one in texts],
        [one[0] for one in texts],
        [one[2] if len(one) > 2 else "a" for one in texts],
        ["CC0" for _ in texts],
    )


def checked(*given: tuple[str, str, str, str]) -> tuple[Rows, Counter[tuple[str, str]]]:
    """Of text, language, script, licence."""
    columns = [list(column) for column in zip(*given, strict=True)]
    table = pa.table([columns[0], columns[1], columns[2], ["a"] * len(given), columns[3]], list(COLUMNS))
    return labelled_rows.checked(table, KNOWN)


def test_labels_are_fineweb_2_s() -> None:
    found, refused = checked(
        ("委员会将在明年春天发表报告", "cmn", "Hans", "CC0"),
        ("委員會將在明年春天發表報告", "zho", "Hant", "CC0"),
        ("위원회는 내년 봄에 보고서를", "kor", "Kore", "CC-BY-4.0"),
        ("Komisija će objaviti izveštaj", "srp", "Latn", "public domain"),
        ("Комисија ће објавити извештај", "srp", "Cyrl", "CC BY-SA 4.0"),
        ("کمیته گزارش خود را منتشر می‌کند", "prs", "Arab", "CC-BY"),
    )
    assert found.labels == ["cmn_Hani", "cmn_Hani", "kor_Hang", "srp_Latn", "srp_Cyrl", "fas_Arab"]
    assert not refused


def test_what_cannot_serve_is_told_by_label_and_reason() -> None:
    found, refused = checked(
        ("The committee", "eng", "Latn", ""),
        ("The committee", "eng", "Latn", "CC-BY-NC-4.0"),
        ("The committee", "ben", "Beng", "CC0"),
        ("The committee", "xyz", "Latn", "CC0"),
        ("  ", "eng", "Latn", "CC0"),
        ("The committee", "English", "Latn", "CC0"),
        ("The committee", "eng", "Latn", "CC0"),
    )
    assert found.texts == ["The committee"]
    assert sum(refused.values()) == 6
    told = {label: reason for label, reason in refused if label != "eng_Latn"}
    assert told["ben_Beng"].startswith("it is written in Latn") and told["xyz_Latn"].startswith("xyz is no code")
    reasons = " ".join(reason for label, reason in refused if label == "eng_Latn")
    assert "licence is missing" in reasons and "CC-BY-NC-4.0" in reasons and "empty" in reasons


@pytest.mark.parametrize("name", ["CC0", "CC-BY-4.0", "CC BY", "cc-by-sa-3.0", "Public Domain", "MIT", "Apache-2.0"])
def test_open_licences(name: str) -> None:
    assert is_open(name)


@pytest.mark.parametrize("name", ["", "CC-BY-NC-4.0", "CC-BY-ND", "CC-BY-NC-SA-4.0", "unknown", "all rights reserved"])
def test_other_licences(name: str) -> None:
    assert not is_open(name)


def test_tables_of_each_kind(tmp_path: Path) -> None:
    one = {"text": "a", "lang": "eng", "script": "Latn", "source": "s", "licence": "CC0", "more": 1}
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(one).encode()))
    pq.write_table(pa.table({name: [name] for name in COLUMNS}), tmp_path / "b.parquet")
    found = labelled_rows.read([str(tmp_path)])
    assert found.column_names == list(COLUMNS)
    assert found.to_pylist()[0]["language"] == "eng" and found.num_rows == 2
    with pytest.raises(UserError, match="no table there"):
        labelled_rows.read([str(tmp_path / "absent")])
    (tmp_path / "c.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(UserError, match=r"c\.jsonl: no column language"):
        labelled_rows.read([str(tmp_path / "c.jsonl")])
    (tmp_path / "d.jsonl").write_text("no json\n")
    with pytest.raises(UserError, match=r"d\.jsonl: not readable"):
        labelled_rows.read([str(tmp_path / "d.jsonl")])


def test_lines_that_say_nothing_of_a_label_go() -> None:
    found, gone = cleaning.clean(
        rows(
            ("rus_Cyrl", "Комиссия опубликует доклад\nThe committee will publish\nhttps://a.example/1"),
            ("deu_Latn", "Der Ausschuss legt vor\nTranslated by nobody at all"),
            ("fra_Latn", "La commission publiera\nTranslated by nobody at all"),
            ("fra_Latn", "La commission publiera\nson rapport"),
            ("zxx", "12 | 34"),
        )
    )
    assert found.texts == ["Комиссия опубликует доклад", "Der Ausschuss legt vor", "La commission publiera",
                           "son rapport", "12 | 34"]  # fmt: skip
    assert gone == {
        ("rus_Cyrl", cleaning.SCRIPT): 2,
        ("deu_Latn", cleaning.SHARED): 1,
        ("fra_Latn", cleaning.SHARED): 1,
        ("fra_Latn", cleaning.AGAIN): 1,
    }


def test_one_language_under_two_names_shows() -> None:
    english, turkish = article("eng"), article("tur")
    half = len(english) // 2
    texts = [("eng_Latn", english[:half] * 3), ("tur_Latn", turkish * 3), ("swh_Latn", english[half:] * 3)]
    texts += [("eng_Latn", english), ("swh_Latn", english)]
    assert cleaning.alike(rows(*texts)) == [("eng_Latn", "swh_Latn")]


def test_labels_with_too_little() -> None:
    found, why = whole.sufficient(
        rows(("eng_Latn", article("eng")), *[("deu_Latn", "Guten Tag")] * 10, ("ben_Latn", article("eng")))
    )
    assert set(found.labels) == {"eng_Latn"}
    reasons = {label: reason for label, reason in why}
    assert reasons["deu_Latn"].startswith("10 texts of 90 bytes are too few")
    assert reasons["ben_Latn"].startswith("ben is not written in Latn")


def test_lines_are_balanced_and_the_same_each_time() -> None:
    given = rows(*[(label, article(name), "a") for name, label in FOURTEEN.items()], ("eng_Latn", article("eng"), "b"))
    lines = list(sampling.draw(given, 3, 20_000))
    assert lines == list(sampling.draw(given, 3, 20_000))
    assert lines != list(sampling.draw(given, 4, 20_000))
    size: Counter[str] = Counter()
    for label, line in lines:
        size[label] += len(line.encode())
        assert "\n" not in line or label == "zxx"
    assert set(size) == set(FOURTEEN.values())
    assert all(40_000 <= count <= 48_000 for label, count in size.items()), size  # each is a common language
    lengths = np.array([len(line.encode()) for _, line in lines])
    assert np.quantile(lengths, 0.05) < 45 and np.quantile(lengths, 0.95) > 250
    english = [line for label, line in lines if label == "eng_Latn"]
    assert 0.005 < sum(line.isupper() for line in english) / len(english) < 0.12


def test_marks_that_are_left_out() -> None:
    assert sampling.bare("Içinde yağmur, crème brûlée, Tiếng Việt") == "Icinde yagmur, creme brulee, Tieng Viet"


def test_rubbish_is_of_many_kinds_and_the_same_each_time() -> None:
    made = rubbish.pieces(20)
    assert made == rubbish.pieces(20) and made != rubbish.pieces(20, 1)
    assert Counter(kind for kind, _ in made) == dict.fromkeys(rubbish.KINDS, 20)
    assert len(rubbish.KINDS) >= 10 and len({text for _, text in made}) > 0.95 * len(made)
    assert all(text.strip() for _, text in made)


def test_figures_by_hand() -> None:
    answers = Answers(
        ["eng_Latn"] * 4 + ["deu_Latn"] * 4,
        ["eng_Latn", "eng_Latn", "eng_Latn", "und", "deu_Latn", "deu_Latn", "eng_Latn", "eng_Latn"],
        ["a/1"] * 4 + ["b"] * 4,
        [True] * 8,
    )
    assert judging.f1(answers) == {"eng_Latn": 2 * 3 / 9, "deu_Latn": 2 * 2 / 6}
    assert judging.macro(answers) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert judging.macro(answers, {"deu_Latn"}) == pytest.approx(2 / 3)
    assert judging.confusions(answers) == {"eng_Latn": {"und": 0.25}, "deu_Latn": {"eng_Latn": 0.5}}
    assert judging.undetermined_or_related(answers) == (1 / 8, 7 / 8)  # English and German are relatives
    figures = report.figures(rows(("eng_Latn", "x" * 30_000), ("deu_Latn", "y")), {"documents": answers}, {})
    assert figures["documents_macro_f1"] == pytest.approx(2 / 3, abs=1e-4) and figures["labels_judged"] == 1


class Spy:
    """Stands for an identifier and remembers what each fit has seen."""

    def __init__(self) -> None:
        self.seen: list[Rows] = []
        self.asked: list[list[str]] = []

    def fit(self, given: Rows) -> "Spy":
        self.seen.append(given)
        return self

    def identify(self, texts: pa.Array) -> "Spy":
        self.asked.append(texts.to_pylist())
        self.language = pa.array(["und"] * len(texts))
        self.language_script = pa.array(["Latn"] * len(texts))
        return self


MANY = [
    (label, f"{label} {number} " * 3000, source)
    for label in ("eng_Latn", "deu_Latn")
    for source in ("a/x", "b", "c")
    for number in range(4)
]


def test_no_judge_has_seen_what_it_judges() -> None:
    given = rows(*MANY)
    spy = Spy()
    answers = judging.by_documents(given, spy.fit, 2)  # type: ignore[arg-type]
    assert sorted(answers.gold) == sorted(given.labels)
    assert all(not set(seen.texts) & set(asked) for seen, asked in zip(spy.seen, spy.asked, strict=True))
    spy = Spy()
    answers = judging.by_collection(given, spy.fit, [["a"], ["b"], ["c"]])  # type: ignore[arg-type]
    assert len(spy.seen) == 3 and len(answers.gold) == len(given.labels)
    for seen, held in zip(spy.seen, "abc", strict=True):
        assert {judging.collection(source) for source in seen.sources} == set("abc") - {held}
    spy = Spy()
    answers = judging.left_out(given, spy.fit, 1)  # type: ignore[arg-type]
    assert len(set(answers.gold)) == 1 and not set(spy.seen[0].labels) & set(answers.gold)


def test_lists_of_words_in_fourteen_languages() -> None:
    twice = [(label, f"{article(name)}\n{article(name)}") for name, label in FOURTEEN.items()]
    profiles = word_lists.fit(rows(*twice), 0.5)
    assert {"eng", "jpn", "cmn", "kor", "tha", "khm"} <= set(profiles), sorted(profiles)
    assert "the" in profiles["eng"].words and "を" in profiles["jpn"].words
    assert all(profile.usual > 0 and profile.min_score == 0.5 for profile in profiles.values())
    from pipeline.language.evidence import Evidence

    evidence = Evidence(profiles)
    for name, label in FOURTEEN.items():
        code = label.partition("_")[0]
        if code in profiles:
            text = from_strings([article(name)])
            found, _ = evidence.of(words_of(text), labelled_rows.scripts_of(text).main)
            assert evidence.languages[int(found[0].argmax())] == code


def test_groups_of_relatives() -> None:
    assert related("hrv", "srp") and related("zul", "xho") and related("qaa", "qaa")
    assert not related("eng", "tur") and not related("qaa", "qab")
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert not {label.partition("_")[0] for label in table} - GROUP.keys(), "languages without a group"


def test_the_page_is_that_of_the_shipped_table() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page(json.loads(TABLE.read_text(encoding="utf-8")))
