import gzip
import pickle

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.lists.bad_words import MAX_WORDS, BadWords, code
from pipeline.words.words import words, words_of
from schemas.errors import UserError


def load(tmp_path, lines, name="list.tsv"):
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    return BadWords([str(tmp_path / name)])


def count(found, language, *texts):
    return found.count(words_of(from_strings(texts)), [language] * len(texts)).to_pylist()


# Entries are harmless words. Language, entry, texts that have it so many times.
CASES = [
    (
        "eng",
        "ass",
        {"ass": 1, "ASS!": 1, "an ass, an Ass": 2, "assess Scunthorpe class a-s-s": 0, "pass": 0, "ass's": 1},
    ),
    ("eng", "three grey cats", {"Three  grey\ncats": 1, "three-grey-cats": 1, "three grey dogs": 0, "grey cats": 0}),
    ("eng", "2 cups", {"2 cups": 1, "12 cups": 0, "2 cupss": 0}),
    ("deu", "straße", {"STRASSE": 1, "Straße": 1, "Straßen": 0}),
    ("fra", "garçon", {"Garc\u0327on": 0, "GARÇON": 1}),  # documents are NFC before they are counted
    ("tur", "ılık", {"ılık": 1, "ilik": 0}),
    ("rus", "плохой кот", {"Плохой кот!": 1, "неплохой кот": 0, "плохой котёнок": 0}),
    ("ara", "قط", {"قط": 1, "قطار": 0, "هذا قط،": 1}),
    ("heb", "חתול", {"חתול": 1, "החתול": 0}),
    ("hin", "बिल्ली", {"बिल्ली": 1, "बिल्लीयाँ": 0, "एक बिल्ली।": 1}),
    ("tam", "பூனை", {"பூனை": 1, "பூனைகள்": 0}),
    ("amh", "ድመት", {"ድመት።": 1, "ድመቶች": 0}),
    ("kat", "კატა", {"კატა": 1, "კატასტროფა": 0}),
    ("kor", "나쁜 말", {"나쁜 말": 1, "나쁜말": 0, "나쁜 말이": 0}),
    ("cmn", "坏猫", {"一只坏猫。": 1, "坏\n猫": 0, "坏。猫": 0, "坏 猫": 0, "坏猫坏猫": 2}),
    ("cmn", "坏 猫", {"坏猫": 0, "坏 猫": 1}),
    ("jpn", "悪いネコ", {"悪いネコだ": 1, "悪い ネコ": 0, "ネコ": 0}),
    ("jpn", "sm女王", {"SM女王": 1, "sm 女王": 1, "asm女王": 0}),
    ("tha", "แมว", {"แมวดำ": 1, "แม่วัว": 0}),
    ("khm", "ឆ្មា", {"ឆ្មាខ្មៅ": 1, "ឆ្នាំ": 0}),
]


@pytest.mark.parametrize(("language", "entry", "texts"), CASES, ids=[case[0] + str(n) for n, case in enumerate(CASES)])
def test_hits(tmp_path, language, entry, texts):
    found = load(tmp_path, [f"{language}\t{entry}", f"{language}\tanother one"])
    language = code(language)
    assert dict(zip(texts, count(found, language, *texts), strict=True)) == texts
    assert found.n_phrases == {language: 2}


def test_languages_are_apart(tmp_path):
    found = load(tmp_path, ["eng\tbad", "deu\tbös"])
    texts = words_of(pa.array(["bad bös", "bad bös bös bad bös", "bad", "bad", ""]))
    languages = pa.array(["eng", "deu", "fra", None, "eng"])
    assert found.count(texts, languages).equals(pa.array([1, 3, None, None, 0], pa.int32()))


def test_the_longest_phrase_counts_once(tmp_path):
    found = load(tmp_path, ["eng\tbad", "eng\tbad cat", "eng\tbad cat in town", "eng\tcat"])
    assert count(found, "eng", "bad cat in town", "bad cat in a town", "bad bad cat", "in town") == [1, 1, 2, 0]


def test_the_layout_of_one_file_a_language(tmp_path):
    files = {
        "en": "bad\n",
        "deu.txt": "bös\n",
        "zh.txt": "坏猫\n",
        "sr_Cyrl": "лош\n",
        "README.md": "bad\n",
        "LICENSE": "x\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "fr.txt.gz").write_bytes(gzip.compress("méchant\n".encode()))
    found = BadWords([str(tmp_path)])
    assert found.n_phrases == {"cmn": 1, "deu": 1, "eng": 1, "fra": 1, "srp": 1}
    assert count(found, "cmn", "坏猫") == count(found, "fra", "Méchant") == [1]
    assert BadWords([str(tmp_path / "en"), str(tmp_path / "zh.txt")]).n_phrases == {"cmn": 1, "eng": 1}


def test_what_cannot_be_looked_for_is_counted(tmp_path):
    long = " ".join(["word"] * (MAX_WORDS + 1))
    found = load(tmp_path, ["# a comment", "", "cmn\t操", "tha\tหี", "eng\t\U0001f595", f"eng\t{long}", "eng\tx"])
    assert (found.n_phrases, found.n_ignored) == ({"cmn": 0, "eng": 1, "tha": 0}, 4)
    assert found.summary() == [
        "bad words: 1 phrases: cmn 0, eng 1, tha 0; 4 are left out: no words, one character, or too long"
    ]
    assert count(found, "cmn", "操场") == [0]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("list.txt", ["eng\tbad", "bad cat"], "line 2 is not `language<TAB>phrase`"),
        ("swears.txt", ["bad"], "line 1 is not `language<TAB>phrase`"),
        ("list.txt", ["english\tbad"], "line 1 is not"),
        ("bad.txt", ["bad"], "there is no language 'bad'; call the file by its language, such as eng.txt"),
        ("xx", ["bad"], "there is no language 'xx'"),
        ("en.txt", ["# only a comment", "", "  "], "no phrase in this list"),
        ("deu", [], "no phrase in this list"),
        ("list.tsv", ["# only a comment"], "no phrase in this list"),
    ],
)
def test_wrong_lists_are_one_line(tmp_path, name, lines, message):
    with pytest.raises(UserError) as caught:
        load(tmp_path, lines, name)
    assert message in str(caught.value) and name in str(caught.value) and "\n" not in str(caught.value)


def test_codes_that_only_another_model_may_know(tmp_path):
    """In a table, and in a folder beside a code that we know: LDNOOBW has Klingon."""
    assert load(tmp_path, ["tpi\tbad"]).n_phrases == {"tpi": 1}
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "tlh").write_text("petaQ\n")
    with pytest.raises(UserError, match="no file called by a language"):
        BadWords([str(folder)])
    (folder / "kab.txt").write_text("bad\n")
    (folder / "yo").write_text("bad\n")
    assert BadWords([str(folder)]).summary() == ["bad words: 3 phrases: kab 1, tlh 1, yor 1"]
    (folder / "sv").write_text("\n")
    with pytest.raises(UserError, match=r"sv: no phrase in this list"):
        BadWords([str(folder)])


def test_a_folder_without_lists(tmp_path):
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(UserError, match="no file called by a language"):
        BadWords([str(tmp_path)])


def test_no_lists_and_travel(tmp_path):
    assert count(BadWords([]), "eng", "bad") == [None] and BadWords([]).summary() == []
    assert count(pickle.loads(pickle.dumps(load(tmp_path, ["eng\tbad"]))), "eng", "bad") == [1]


PHRASE = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)


@given(
    phrases=st.lists(PHRASE, min_size=1, max_size=4), text=st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=20)
)
def test_against_the_definition(phrases, text, tmp_path_factory):
    listed = sorted({tuple(phrase) for phrase in phrases}, key=len, reverse=True)
    hits = at = 0
    while at < len(text):
        length = next((len(phrase) for phrase in listed if tuple(text[at : at + len(phrase)]) == phrase), 0)
        hits, at = hits + (length > 0), at + max(1, length)
    found = load(tmp_path_factory.mktemp("lists"), [f"eng\t{' '.join(phrase)}" for phrase in phrases])
    assert count(found, "eng", " ".join(text)) == [hits]


def test_hostile_texts(tmp_path):
    found = load(tmp_path, ["eng\tbad cat", "eng\ta a a a a a a b"])
    texts = ["", "\0" * 1000, "\ud800 bad\ud800cat", "a" * 5_000_000, "a " * 1_000_000, "e" + "\u0301" * 10_000]
    assert count(found, "eng", *texts) == [0, 0, 1, 0, 0, 0]


def test_words_of_an_entry_are_words_of_a_text():
    assert words("Scunthorpe's ass-hole") == ["scunthorpe", "s", "ass", "hole"]
