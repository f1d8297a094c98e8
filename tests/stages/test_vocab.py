from collections import defaultdict

import pytest
from pyspark.sql import DataFrame, SparkSession

from pipeline.config import VocabConfig
from pipeline.mixture.temperature import epochs
from pipeline.stages import vocab

COLUMNS = "id string, text string, language string, language_script string"

# Text -> its sentences.
GOLDEN = {
    "cmn": ("今天天气很好。我们去公园吧！你说：“好的。”然后呢？\n　　第二段",
            ["今天天气很好。", "我们去公园吧！", "你说：“好的。”", "然后呢？", "第二段"]),
    "jpn": ("「行く。」と言った。本当！？３．１４です。はい",
            ["「行く。」", "と言った。", "本当！？", "３．１４です。", "はい"]),
    "tha": ("ภาษาไทยไม่มีจุด เว้นวรรคไม่ใช่ประโยค\n\nบรรทัดใหม่", ["ภาษาไทยไม่มีจุด เว้นวรรคไม่ใช่ประโยค", "บรรทัดใหม่"]),
    "hin": ("यह पहला वाक्य है। यह दूसरा है॥ तीसरा? अंत", ["यह पहला वाक्य है।", "यह दूसरा है॥", "तीसरा?", "अंत"]),
    "arb": ("هذه جملة. هل هذا سؤال؟ نعم! النهاية", ["هذه جملة.", "هل هذا سؤال؟", "نعم!", "النهاية"]),
    "urd": ("یہ پہلا جملہ ہے۔ دوسرا۔", ["یہ پہلا جملہ ہے۔", "دوسرا۔"]),
    "amh": ("ይህ ዓረፍተ ነገር ነው። ሁለተኛው ነው፧ ሦስተኛ", ["ይህ ዓረፍተ ነገር ነው።", "ሁለተኛው ነው፧", "ሦስተኛ"]),
    "khm": ("នេះជាប្រយោគ។ ថ្មី\nបន្ទាត់", ["នេះជាប្រយោគ។ ថ្មី", "បន្ទាត់"]),
    "kor": ("안녕하세요. 반갑습니다! 끝", ["안녕하세요.", "반갑습니다!", "끝"]),
    "ell": ("Καλημέρα. Πώς είσαι; Καλά.", ["Καλημέρα.", "Πώς είσαι; Καλά."]),
    "eng": ('He paid $3.50 at example.com. "Why?" she asked... (Because.) \t Done',
            ["He paid $3.50 at example.com.", '"Why?"', "she asked...", "(Because.)", "Done"]),
    "und": (" \n\t\n \u00a0 \u3000\n", []),
}  # fmt: skip


def documents(spark: SparkSession, count: int, partitions: int) -> DataFrame:
    """`count` of eng, a tenth of tha, one of amh; five sentences each."""
    rows = [(f"id-{i}", f"One {i}. Two! Three? Four.\nFive {i}", "eng", "Latn") for i in range(count)]
    rows += [(f"th-{i}", "\n".join(f"บรรทัด {n} {i}" for n in range(5)), "tha", "Thai") for i in range(count // 10)]
    rows += [("am-0", "ይህ። ነው። አንድ። ሁለት። ሦስት።", "amh", "Ethi")]
    if partitions > 1:
        rows.reverse()
    return spark.createDataFrame(rows, COLUMNS).repartition(partitions)


def test_sentences(spark: SparkSession) -> None:
    rows = [(language, text, language, "Zyyy") for language, (text, _) in GOLDEN.items()]
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in vocab.sentences(spark.createDataFrame(rows, COLUMNS)).collect():
        assert row["n_bytes"] == len(row["text"].encode())
        assert row["language"] == row["id"]
        found[row["id"]].append((row["position"], row["text"]))
    for language, (_, expected) in GOLDEN.items():
        assert [text for _, text in sorted(found[language])] == expected, language
        assert len({position for position, _ in found[language]}) == len(expected)


def test_a_null_text_has_no_sentences(spark: SparkSession) -> None:
    assert vocab.sentences(spark.createDataFrame([("a", None, "eng", "Latn")], COLUMNS)).collect() == []


def test_shares_follow_the_mixture() -> None:
    sizes = {"eng_Latn": 1_000_000, "tha_Thai": 160_000, "amh_Ethi": 1_000}
    config = VocabConfig(sample_bytes=300_000, temperature=2)
    taken = vocab.shares(sizes, config)
    assert taken == epochs(sizes, 2, 1.0, 300_000)
    assert taken["amh_Ethi"] == 1.0 and 0 < taken["eng_Latn"] < taken["tha_Thai"] < 1
    assert sum(taken[name] * size for name, size in sizes.items()) == pytest.approx(300_000)
    assert vocab.shares(sizes, VocabConfig()) == pytest.approx(dict.fromkeys(sizes, 1.0))
    assert vocab.shares({}, config) == {}


def test_a_sample_in_an_order_of_its_own(spark: SparkSession) -> None:
    config = VocabConfig(sample_bytes=10_000)
    orders = []
    for partitions in (1, 5):
        found = vocab.sentences(documents(spark, 300, partitions))
        sizes = vocab.sizes(found)
        chosen = vocab.choose(found, vocab.shares(sizes, config), config)
        orders.append([tuple(row) for row in vocab.in_order(chosen, config).collect()])
    assert orders[0] == orders[1]
    taken = orders[0]
    assert set(sizes) == {"eng_Latn", "tha_Thai", "amh_Ethi"}
    assert sum(len(text.encode()) for text, _, _ in taken) == pytest.approx(10_000, rel=0.15)
    assert sorted(text for text, language, _ in taken if language == "amh") == sorted(
        ["ይህ።", "ነው።", "አንድ።", "ሁለት።", "ሦስት።"]
    )
    languages = [language for _, language, _ in taken]
    assert languages != sorted(languages)  # mixed, not one after another
    first_half = languages[: len(languages) // 2].count("tha") / languages.count("tha")
    assert 0.3 < first_half < 0.7
    other = VocabConfig(sample_bytes=10_000, seed=1)
    again = vocab.in_order(vocab.choose(found, vocab.shares(sizes, other), other), other).collect()
    assert {row["text"] for row in again} != {text for text, _, _ in taken}


def test_nothing_to_choose_from(spark: SparkSession) -> None:
    found = vocab.sentences(spark.createDataFrame([], COLUMNS))
    config = VocabConfig()
    chosen = vocab.choose(found, vocab.shares(vocab.sizes(found), config), config)
    assert vocab.in_order(chosen, config).collect() == []


def test_a_few_of_each_language(spark: SparkSession) -> None:
    few = [[tuple(row) for row in vocab.some_of_each(documents(spark, 40, n), 3).collect()] for n in (1, 4)]
    assert few[0] == few[1]
    assert [label for label, _ in few[0]] == [
        "amh_Ethi",
        "eng_Latn",
        "eng_Latn",
        "eng_Latn",
        "tha_Thai",
        "tha_Thai",
        "tha_Thai",
    ]
    assert all(text.startswith(("One", "บรรทัด", "ይህ")) for _, text in few[0])
