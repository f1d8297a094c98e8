"""Files of translations become token ids, and what is wrong with them one line."""

from pathlib import Path

import pytest
from translations import translations, write_translations

from schemas.errors import UserError
from train.corpus.vocabulary import Vocabulary
from train.data.parallel import read_parallel, tokenise

LABELS = ("arb_Arab", "eng_Latn", "rus_Cyrl", "srp_Cyrl", "srp_Latn", "tha_Thai", "zho_Hans")


def never(line: str) -> None:
    raise AssertionError(line)


def test_files_are_read_as_they_stand(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """Both kinds of names, both kinds of files, ends of lines of Windows, signs that are no end of a line."""
    lines = ["نهر وضوء", "a river\u2028of light\x0b", "", "  แม่น้ำ  "]
    write_translations(tmp_path, {"arb_Arab.txt": lines, "tha.txt.gz": lines, "notes.md": ["no lines"]})
    (tmp_path / "eng.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    text = read_parallel(tmp_path, LABELS, never)
    assert text.languages == (0, 1, 5)
    cleaned = ["نهر وضوء", "a river\u2028of light", "", "แม่น้ำ"]
    assert text.texts == (cleaned, cleaned, cleaned)
    found = tokenise(text, vocabulary)
    for column in range(3):
        for number, line in enumerate(cleaned):
            ids = vocabulary.encode([line])[0] if line else []
            assert found.tokens(number, column, 99).tolist() == ids and found.counts[number, column] == len(ids)
            assert found.tokens(number, column, 2).tolist() == ids[:2]


def test_the_digest_is_that_of_the_lines(tmp_path: Path) -> None:
    """Neither of the names nor of the packing of files, but of every sign and language in them."""
    texts = translations(20, ["eng_Latn", "zho_Hans"])
    one = write_translations(tmp_path / "one", {f"{name}.txt": lines for name, lines in texts.items()})
    two = {"eng.txt.gz": texts["eng_Latn"], "zho.txt": texts["zho_Hans"]}
    digest = read_parallel(one, LABELS, never).digest
    assert read_parallel(write_translations(tmp_path / "two", two), LABELS, never).digest == digest
    changed = two | {"zho.txt": [*texts["zho_Hans"][:-1], "雨"]}
    other = {"rus.txt": texts["eng_Latn"], "zho.txt": texts["zho_Hans"]}
    for number, there in enumerate((changed, other)):
        folder = write_translations(tmp_path / str(number), there)
        assert read_parallel(folder, LABELS, never).digest != digest


def test_languages_that_the_shards_do_not_have_are_said_and_left_out(tmp_path: Path) -> None:
    names = ["eng", "rus_Cyrl", "srp", "zho-CN", "deu_Latn"]
    said: list[str] = []
    text = read_parallel(write_translations(tmp_path, {f"{name}.txt": ["a"] for name in names}), LABELS, said.append)
    assert text.languages == (1, 2)
    assert said == [
        "parallel text: left out, since no one language of the shards is named so: deu_Latn, "
        "srp (srp_Cyrl or srp_Latn?), zho-CN"
    ]


BAD: list[tuple[dict[str, list[str]], str]] = [
    ({}, "holds lines of no such language: give files of two or more"),
    ({"eng.txt": ["a"]}, "holds lines of one language of the shards alone, eng_Latn: give files of two or more"),
    ({"eng.txt": ["a", "b"], "tha.txt": ["a"]}, r"eng.txt has 2 lines and .*tha.txt has 1: line by line"),
    ({"eng.txt": ["a"], "eng_Latn.txt": ["a"]}, r"eng.txt and .*eng_Latn.txt are both of eng_Latn: take one of them"),
]


@pytest.mark.parametrize(("texts", "message"), BAD)
def test_what_does_not_fit_is_one_line(tmp_path: Path, texts: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        read_parallel(write_translations(tmp_path, texts), LABELS, never)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("eng.txt.gz", b"plain", "eng.txt.gz cannot be read"),
        ("eng.txt.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01", "eng.txt.gz cannot be read"),
        ("eng.txt", "ab\xe9".encode("latin-1"), "eng.txt is no UTF-8 from byte 2 on: write it again"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    write_translations(tmp_path, {"tha.txt": ["แสง"]})
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_parallel(tmp_path, LABELS, never)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*: point --parallel_text to one"):
        read_parallel(tmp_path / "none", LABELS, never)
