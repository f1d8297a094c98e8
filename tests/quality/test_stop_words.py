import csv
import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline.quality import profiles
from pipeline.quality.stop_words import (
    MOST_STOP_WORDS,
    WINDOW,
    WITHOUT_STOP_WORDS,
    Source,
    choose_stop_words,
    count_windows,
    windows,
)
from pipeline.words.words import words

SIB200 = Path(__file__).resolve().parents[2] / "../shared/data/sib200"


def prose(i: int, function: str = "of the and", size: int = 100) -> str:
    """A text of its own words, every fourth of which is a function word."""
    often = function.split()
    return " ".join(often[n // 4 % len(often)] if n % 4 == 0 else f"t{'abcdefghij'[n % 10]}x{i}" for n in range(size))


def test_windows_of_a_long_text_are_spread_and_short_texts_are_joined() -> None:
    long = " ".join(f"w{i}" for i in range(1000))
    found = list(windows([long]))
    assert len(found) == 8 and {len(window) for window in found} == {WINDOW}
    assert found[0][0] == "w0" and found[-1][-1] == "w999"
    assert list(windows(["a b c"] * 33)) == [list("abc") * 16 + ["a", "b", "c"][:2]]  # 99 words: what is left is short
    assert list(windows(["", "a b"])) == []


def test_function_words_are_chosen_topics_names_and_numbers_are_not() -> None:
    texts = [("news", prose(i) + " 2024 2024 covid" * (i == 3) * 20) for i in range(60)]
    chosen = choose_stop_words(
        count_windows(texts + [("books", prose(i + 100) + " dragon") for i in range(60)]), "Latn"
    )
    assert chosen == ()  # three words are too few for a list
    many = "of the and in to is that it for was"
    texts = [("news", prose(i, many) + " covid") for i in range(60)]
    texts += [("books", prose(i + 100, many) + " dragon") for i in range(60)]
    assert sorted(choose_stop_words(count_windows(texts), "Latn")) == sorted(many.split())


def test_a_word_of_one_source_is_no_function_word() -> None:
    common = Counter({word: 90 for word in "abcdefgh"})
    bible = Source(100, common + Counter({"yusef": 90}))
    assert "yusef" in choose_stop_words({"bible": bible}, "Latn")
    news = Source(100, common)
    assert choose_stop_words({"bible": bible, "news": news}, "Latn") == tuple("abcdefgh")
    # A source of a few windows proves nothing.
    assert "yusef" in choose_stop_words({"bible": bible, "news": Source(10, common)}, "Latn")


def test_shares_by_hand() -> None:
    """share = sum of weight x share in the source: 200 windows weigh 200, 400 weigh 200 too."""
    words_of = {"ka": (100, 400), "ma": (200, 0), "na": (200, 40)}  # windows with the word
    fillers = {filler: 200 for filler in "abcdefg"}
    big = Source(400, Counter({w: b for w, (_, b) in words_of.items()} | {f: 400 for f in fillers}))
    small = Source(200, Counter({w: a for w, (a, _) in words_of.items()} | fillers))
    chosen = choose_stop_words({"big": big, "small": small}, "Latn")
    assert chosen[-2:] == ("ka", "na")  # (0.5 + 1) / 2 before (1 + 0.1) / 2; ma is in one source only
    assert "ma" not in chosen


def test_too_little_text_gives_none() -> None:
    assert choose_stop_words({"a": Source(19, Counter(dict.fromkeys("abcdefghij", 19)))}, "Latn") == ()
    assert choose_stop_words({"a": Source(20, Counter(dict.fromkeys("abcdefghij", 20)))}, "Latn") != ()
    assert choose_stop_words({}, "Latn") == ()


def test_unspaced_scripts() -> None:
    chinese = [("a", f"我们的朋友在城里是很多的人也不是一样了{chr(0x4E00 + i)}" * 4) for i in range(60)]
    assert {"的", "是", "在", "不"} <= set(choose_stop_words(count_windows(chinese), "Hani"))
    japanese = [("a", "東京のラーメンはとても人気があるのでたくさんの人が並んでいます。" * 3)] * 40
    chosen = choose_stop_words(count_windows(japanese), "Jpan")
    assert {"の", "は", "が"} <= set(chosen) and not set("ラーメン東京人") & set(chosen)
    thai = [("a", "ประเทศไทยมีประชากรจำนวนมากที่อาศัยอยู่ในเมืองหลวง" * 4)] * 40
    assert choose_stop_words(count_windows(thai), "Thai") == ()


def test_odd_texts_do_no_harm_and_order_of_sources_does_not_matter() -> None:
    odd = ["", "\0" * 100, "\ud800 \udfff", "e" + "\u0301" * 10_000, "1 2 3 4 5 " * 30, "x" * 100_000]
    many = "of the and in to is that it for was"
    pairs = [("a", prose(i, many)) for i in range(40)] + [("b", prose(i, many)) for i in range(40, 80)]
    expected = choose_stop_words(count_windows(pairs), "Latn")
    mixed = pairs[40:] + [("c", text) for text in odd] + pairs[:40]
    assert set(expected) == set(choose_stop_words(count_windows(mixed), "Latn")) == set(many.split())


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("eng_Latn", "the of and to in is that"), ("deu_Latn", "der die und in das nicht"), ("fra_Latn", "de la le et"),
        ("tur_Latn", "bir ve bu için"), ("fin_Latn", "on ja että"), ("vie_Latn", "và của là"), ("swh_Latn", "ya na wa"),
        ("rus_Cyrl", "и в не на"), ("ell_Grek", "και το να"), ("arb_Arab", "في من على"), ("heb_Hebr", "של את על"),
        ("hin_Deva", "के में है और"), ("tam_Taml", "மற்றும் ஒரு இந்த"), ("amh_Ethi", "እና ላይ ነው"),
        ("kat_Geor", "და რომ"), ("kor_Hang", "있는 수 그"), ("cmn_Hani", "的 在 是 不 了"), ("jpn_Jpan", "の は に を"),
        ("yue_Hani", "嘅 唔 係"), ("zul_Latn", "ukuthi futhi"),
    ],
)  # fmt: skip
def test_shipped_lists_have_the_words_that_everybody_knows(key: str, known: str) -> None:
    assert set(known.split()) <= set(profiles.load().stop_words[key])


def test_shipped_lists_are_words_as_documents_have_them() -> None:
    lists = profiles.load().stop_words
    assert len(lists) >= 150
    for key, chosen in lists.items():
        assert key.partition("_")[2] not in WITHOUT_STOP_WORDS
        assert 8 <= len(chosen) <= MOST_STOP_WORDS and len(set(chosen)) == len(chosen)
        assert all(words(word) == [word] for word in chosen), key
        assert not any(character.isdigit() for word in chosen for character in word)


@pytest.mark.skipif(not SIB200.is_dir(), reason="needs ../shared/data/sib200")
@pytest.mark.parametrize("folder", ["eng_Latn", "rus_Cyrl", "tur_Latn", "hin_Deva", "arb_Arab", "zho_Hans", "tam_Taml"])
def test_windows_of_unseen_sentences_have_stop_words(folder: str) -> None:
    """Chosen on one half of the sentences, counted on the other."""
    with open(SIB200 / folder / "train.tsv", encoding="utf-8", newline="") as rows:
        texts = [row["text"] for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)]
    random.Random(0).shuffle(texts)
    chosen = set(
        choose_stop_words(count_windows(("", text) for text in texts[::2]), "Hani" if "zho" in folder else "Latn")
    )
    unseen = [len(set(window) & chosen) for window in windows(texts[1::2])]
    assert len(unseen) > 90
    assert sum(hits >= 2 for hits in unseen) >= 0.95 * len(unseen)
