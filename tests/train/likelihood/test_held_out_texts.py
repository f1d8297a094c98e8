"""Texts are chosen by hash, begin where documents do, and fill the bytes that they may."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UserError
from train.likelihood.held_out_texts import excerpt, held_out_texts

SENTENCES = {
    "eng_Latn": "The river is high. It rained all night! Who knows? ",
    "cmn_Hani": "河水很高。昨晚下雨了！谁知道？",
    "jpn_Jpan": "川が高い。一晩中雨が降った。",
    "arb_Arab": "النهر عال. أمطرت طوال الليل؟ من يعلم. ",
    "hin_Deva": "नदी ऊँची है। रात भर बारिश हुई। ",
    "tha_Thai": "แม่น้ำสูง ฝนตกทั้งคืน ใครจะรู้ ",
    "amh_Ethi": "ወንዙ ከፍ ብሏል። ሌሊቱን ሙሉ ዘነበ። ",
}


def shards(root: Path, languages: dict[str, dict[str, str]], rows: int = 3) -> Path:
    for language, texts in languages.items():
        folder = root / "data" / language
        folder.mkdir(parents=True)
        table = pa.table({"id": list(texts), "text": list(texts.values())})
        pq.write_table(table, folder / "validation-00000-of-00001.parquet", row_group_size=rows)
        pq.write_table(table.slice(0, 1), folder / "train-00000-of-00001.parquet")
    return root


def documents(language: str, count: int = 12) -> dict[str, str]:
    return {f"{language}-{n}": f"{n} {SENTENCES[language] * 9}" for n in range(count)}


@pytest.mark.parametrize("language", SENTENCES)
def test_an_excerpt_is_whole_sentences(language: str) -> None:
    text = SENTENCES[language] * 9
    found = excerpt(text, 120)
    assert 0 < len(found.encode()) <= 120
    assert text.startswith(found)
    assert found[-1] in ".!?。！？؟።।" or language == "tha_Thai"
    assert excerpt(found, 120) == found


def test_excerpts_of_long_sentences_are_words_and_of_long_words_characters() -> None:
    assert excerpt("  abc defg hij", 9) == "abc defg"
    assert excerpt("abc defg hij", 8) == "abc defg"
    assert excerpt("abcdefghij", 4) == "abcd"
    assert excerpt("北京大学", 7) == "北京"
    assert excerpt("กีกีกี", 6) == "กี"
    assert excerpt("กีกี", 10) == "กี"  # a vowel is not cut from its letter
    assert excerpt("ab\ud800c", 99) == "ab\ufffdc"
    assert excerpt(" \n ", 9) == ""


@given(st.text(max_size=40), st.integers(1, 30))
def test_excerpts_are_beginnings_of_so_many_bytes(text: str, most: int) -> None:
    found = excerpt(text, most)
    assert text.strip().startswith(found)
    assert len(found.encode()) <= most or len(found) == 1


def test_shards_and_files_give_the_same_texts(tmp_path: Path) -> None:
    """Wherever a document stands: in row groups, lines, or the other way round."""
    root = shards(tmp_path / "shards", {name: documents(name) for name in SENTENCES})
    files = tmp_path / "files"
    files.mkdir()
    for language in SENTENCES:
        rows = [{"id": name, "text": text} for name, text in reversed(documents(language).items())]
        content = "\n".join(json.dumps(row, ensure_ascii=language == "tha_Thai") for row in rows)
        (files / f"{language}.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    found = held_out_texts([root], language_bytes=500, text_bytes=120)
    assert found == held_out_texts([files], language_bytes=500, text_bytes=120)
    assert set(found.texts) == found.languages == set(SENTENCES)
    for texts in found.texts.values():
        assert 300 < sum(one.bytes for one in texts) <= 500
        assert len({one.id for one in texts}) == len(texts)
    everything = held_out_texts([root], language_bytes=10**6, text_bytes=120)
    assert all(len(texts) == 12 for texts in everything.texts.values())
    for language, texts in found.texts.items():
        assert [one.id for one in texts] == [one.id for one in everything.texts[language][: len(texts)]]


def test_lines_of_text_are_documents(tmp_path: Path) -> None:
    (tmp_path / "kor_Hang.txt").write_text(
        "\ufeff강물이 높다.\n\n  \n밤새 비가 왔다.\r\n강물이 높다.\n", encoding="utf-8"
    )
    found = held_out_texts([tmp_path])
    assert sorted(one.text for one in found.texts["kor_Hang"]) == ["강물이 높다.", "밤새 비가 왔다."]


def test_only_wanted_languages_are_read(tmp_path: Path) -> None:
    root = shards(tmp_path, {name: documents(name, 2) for name in ("eng_Latn", "cmn_Hani")})
    found = held_out_texts([root], lambda language: language == "eng_Latn")
    assert set(found.texts) == {"eng_Latn"} and found.languages == {"eng_Latn", "cmn_Hani"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("eng.jsonl", b'{"text": "a"}\n{"txt": "a"}\n', r'eng.jsonl:2 has no "text"'),
        ("eng.jsonl", b"a b\n", "eng.jsonl:1 is no JSON"),
        ("eng.txt", b"a\n\xff\n", "eng.txt:2 is no UTF-8"),
        ("eng.txt.gz", b"a", "eng.txt.gz cannot be read"),
        ("eng.txt", b"\n\n", "has no held-out text"),
        ("eng.csv", b"a", "is none of .jsonl"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        held_out_texts([tmp_path / name])


def test_folders_without_texts_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds neither shards"):
        held_out_texts([tmp_path])
    with pytest.raises(UserError, match="there is no file"):
        held_out_texts([tmp_path / "eng.txt"])
    root = shards(tmp_path / "shards", {"eng_Latn": documents("eng_Latn", 1)})
    (root / "data/eng_Latn/validation-00000-of-00001.parquet").unlink()
    with pytest.raises(UserError, match="has no held-out text"):
        held_out_texts([root])
