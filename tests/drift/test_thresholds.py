"""A file of thresholds: what it may say, and what it says otherwise."""

from pathlib import Path

import pytest

from pipeline.drift import thresholds
from schemas.errors import UserError


def written(folder: Path, text: str) -> str:
    (folder / "drift.toml").write_text(text, encoding="utf-8")
    return str(folder / "drift.toml")


def test_what_a_file_does_not_say_holds_as_shipped(tmp_path: Path) -> None:
    shipped = thresholds.load()
    said = thresholds.load(
        written(tmp_path, "kept = 0.2\n[by_language.tha]\nkept = 0.3\n[by_language.tha_Thai]\nrule = 0.4\n")
    )
    assert said.by_kind == {**shipped.by_kind, "kept": 0.2}
    assert [said.of("kept", label) for label in ("", "eng_Latn", "tha_Thai", "tha_Latn")] == [0.2, 0.2, 0.3, 0.3]
    assert [said.of("rule", label) for label in ("tha_Thai", "tha_Latn")] == [0.4, shipped.by_kind["rule"]]


def test_a_canary_s_are_wider(tmp_path: Path) -> None:
    said = thresholds.load(written(tmp_path, "canary = 2\nkept = 0.1\nlanguage = 1.5\n[by_language.tha]\nkept = 0.2"))
    wide = said.widened()
    assert (wide.of("kept", ""), wide.of("kept", "tha_Thai"), wide.of("language", "")) == (0.2, 0.4, 2.25)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kep = 0.1", "unknown key kep; did you mean kept?"),
        ("kept = 5", "kept = 5: give a share between 0 and 1"),
        ("kept = 'much'", "kept = much: give a number"),
        ("kept = true", "kept = True: give a number"),
        ("kept = nan", "kept = nan: give a share"),
        ("language = 0.5", "give a factor above 1"),
        ("min_pages = 1.5", "give a whole number, 1 or more"),
        ("signal = -1", "give a number above 0"),
        ("kept 0.1", "not readable as TOML"),
        ("by_language = 3", "must be sections, such as [by_language.tha]"),
        ("[by_language.thai]\nkept = 0.1", "[by_language.thai]: no such language"),
        ("[by_language.tha]", "says nothing"),
        ("[by_language.tha]\nfailures = 0.1", "unknown key by_language.tha.failures"),
    ],
)
def test_what_it_should_not_say_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as raised:
        thresholds.load(written(tmp_path, text))
    assert words in str(raised.value) and "\n" not in str(raised.value) and "drift.toml" in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        thresholds.load(str(tmp_path / "nothing.toml"))
