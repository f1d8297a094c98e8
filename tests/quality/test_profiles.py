import gzip
import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml

from pipeline.config import CleanConfig
from pipeline.quality import profiles
from pipeline.quality.profiles import crossed, load
from pipeline.store import storage
from schemas.errors import UserError

NAMES = CleanConfig.threshold_names()
FINEWEB2 = Path(__file__).resolve().parents[2] / "../shared/data/lists/fineweb2_language_configs.json.gz"
SPANISH: dict[str, Any] = {
    "dup_line_frac": 0.265,
    "dup_n_grams": [[5, 0.152], [6, 0.137], [7, 0.123], [8, 0.114], [9, 0.107], [10, 0.099]],
    "language_score": 0.84,
    "line_punct_thr": 0.3,
    "max_avg_word_length": 14,
    "max_non_alpha_words_ratio": 0.825,
    "min_avg_word_length": 4,
    "new_line_ratio": 0.171,
    "stopwords": ["de", "La", "y", "no", "la"],
    "top_n_grams": [[2, 0.077], [3, 0.097], [4, 0.112]],
}


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_shipped_profiles_fit_the_config() -> None:
    shipped = load("", NAMES)
    assert shipped.digest == storage.digest(str(profiles.SHIPPED))
    for key, values in shipped.thresholds.items():
        checked = CleanConfig(model="any", by_language={key: dict(values)})
        assert checked.by_language[key] == values
    for words in shipped.stop_words.values():
        assert words and len(set(words)) == len(words) and all(word == word.casefold() for word in words)


def test_a_file_of_ours(tmp_path: Path) -> None:
    text = """
[by_language.srp_Cyrl]
min_words = 30
stop_words = ["и", "Да", "да", ""]
[by_language.Thai]
max_dup_5gram_char_share = 0.4
"""
    found = load(write(tmp_path / "mine.toml", text), NAMES)
    assert found.thresholds == {"srp_Cyrl": {"min_words": 30.0}, "Thai": {"max_dup_5gram_char_share": 0.4}}
    assert found.stop_words == {"srp_Cyrl": ("и", "да")}
    assert found.digest == storage.digest(str(tmp_path / "mine.toml"))
    fsspec.filesystem("memory").pipe_file("/profiles/mine.toml", text.encode())
    assert load("memory://profiles/mine.toml", NAMES) == found
    assert load(write(tmp_path / "none.toml", ""), NAMES)[:2] == ({}, {})


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"min_words": 9.0, "max_words": 3.0}, "min_words = 9 is above max_words = 3"),
        ({"max_mean_word_length": 1.5, "min_mean_word_length": 2.0}, "min_mean_word_length = 2 is above max_"),
        ({"min_words": 3.0, "max_words": 3.0, "min_stop_words": 7.0, "max_mean_word_length": 1.0}, ""),
    ],
)
def test_thresholds_with_nothing_between(values: dict[str, float], wrong: str) -> None:
    assert crossed(values).startswith(wrong) and bool(crossed(values)) == bool(wrong)


def test_fineweb_2_s_files_as_they_are(tmp_path: Path) -> None:
    for key, values in (("spa_Latn", SPANISH), ("nob_Latn", SPANISH | {"line_punct_thr": -1, "dup_line_frac": 1.2})):
        write(tmp_path / f"{key}.yml", yaml.safe_dump(values))
    (tmp_path / "README.md").write_text("not a profile")
    found = load(str(tmp_path), NAMES)
    assert found.thresholds["spa_Latn"] == {
        "min_language_score": 0.84,
        "min_line_punct_share": 0.3,
        "max_mean_word_length": 14,
        "min_mean_word_length": 4,
        "min_alpha_word_share": 0.825,
        "max_newline_to_word_ratio": 0.171,
        "max_dup_line_share": 0.265,
        "max_top_2gram_char_share": 0.077,
        "max_top_3gram_char_share": 0.097,
        "max_top_4gram_char_share": 0.112,
        **{f"max_dup_{n}gram_char_share": share for n, share in SPANISH["dup_n_grams"]},
    }
    assert found.stop_words["spa_Latn"] == ("de", "la", "y", "no")
    # what never fires there never fires here
    norwegian = found.thresholds["nob_Latn"]
    assert (norwegian["min_line_punct_share"], norwegian["max_dup_line_share"]) == (0, 1)
    alone = load(str(tmp_path / "spa_Latn.yml"), NAMES)
    assert alone.thresholds == {"spa_Latn": found.thresholds["spa_Latn"]}
    bare = "stopwords:\n- no\n- yes\n- null\n- 1\n- ~\n"  # words of languages, not truths of YAML
    assert load(write(tmp_path / "nor_Latn.yaml", bare), NAMES).stop_words == {
        "nor_Latn": ("no", "yes", "null", "1", "~")
    }


def test_all_of_fineweb_2(tmp_path: Path) -> None:
    if not FINEWEB2.exists():
        pytest.skip("no ../shared/data/lists/fineweb2_language_configs.json.gz")
    with gzip.open(FINEWEB2) as file:
        everything = json.load(file)
    chosen = dict(sorted(everything.items())[::20])
    for key, values in chosen.items():
        write(tmp_path / f"{key}.yml", yaml.safe_dump(values, allow_unicode=True))
    found = load(str(tmp_path), NAMES)
    assert found.thresholds.keys() == chosen.keys()
    for key, values in found.thresholds.items():
        assert CleanConfig(model="any", by_language={key: dict(values)}).by_language[key] == values
        assert values["min_alpha_word_share"] == chosen[key]["max_non_alpha_words_ratio"]
        assert len(values) == 16


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", "[by_language.eng]\nmin_wrods = 3\n", ["eng.min_wrods is no threshold", "did you mean min_words?"]),
        ("a.toml", '[by_language.eng]\nmin_words = "3"\n', ["eng.min_words = 3 is no number"]),
        ("a.toml", "[by_language.eng]\nmin_words = 9\nmax_words = 8\n", ["eng: min_words = 9 is above max_words = 8"]),
        ("a.toml", "[by_language.eng]\nmin_words = inf\n", ["is no number"]),
        ("a.toml", "[by_language.eng]\nmin_words = true\n", ["is no number"]),
        ("a.toml", "[by_language.eng]\nmin_words = nan\n", ["is no number"]),
        ("a.toml", "[by_language.eng]\nstop_words = 3\n", ["eng.stop_words is no list of words"]),
        ("a.toml", "[by_language.eng]\nstop_words = [3]\n", ["eng.stop_words is no list of words"]),
        ("a.toml", "[by_language.en]\nmin_words = 3\n", ["'en' is no language", "eng_Latn"]),
        ("a.toml", "[by_language]\neng = 3\n", ["eng must be a section"]),
        ("a.toml", "by_language = 3\n", ["by_language must be sections"]),
        ("a.toml", "[eng]\nmin_words = 3\n", ["unknown section 'eng'", "[by_language.KEY]"]),
        ("a.toml", "[by_language\n", ["not readable as TOML"]),
        ("eng_Latn.yml", "a: [1\n", ["not readable as YAML"]),
        ("eng_Latn.yml", "- 1\n", ["no mapping"]),
        ("eng_Latn.yml", "", ["no mapping"]),
        ("eng_Latn.yml", "stop_words: [a]\n", ["'stop_words' is no key of FineWeb-2", "did you mean stopwords?"]),
        ("eng_Latn.yml", "stopwords: a\n", ["stopwords is no list"]),
        ("eng_Latn.yml", "language_score: high\n", ["language_score = high is no number"]),
        ("eng_Latn.yml", "dup_n_grams: [5, 0.1]\n", ["dup_n_grams is no list of [n, share]"]),
        ("eng_Latn.yml", "dup_n_grams: [[99, 0.1]]\n", ["max_dup_99gram_char_share is no threshold"]),
        ("eng_Latn.yml", "a: " + "[" * 5000, ["not readable as YAML"]),
        ("english.yml", "language_score: 0.5\n", ["'english' is no language"]),
        ("a.txt", "", ["neither a .toml file nor .yml files"]),
    ],
)  # fmt: skip
def test_one_line_names_file_and_key(name: str, text: str, words: list[str], tmp_path: Path) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(UserError) as caught:
        load(path, NAMES)
    assert type(caught.value) is UserError
    message = str(caught.value)
    assert path in message and "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.toml: no such file"):
        load(str(tmp_path / "absent.toml"))
    with pytest.raises(UserError, match=r"neither a \.toml file nor"):
        load(str(tmp_path))
    for name in ("latin.toml", "lat_Latn.yml"):
        (tmp_path / name).write_bytes("a: Größe\n".encode("latin-1"))
        with pytest.raises(UserError, match="not readable as"):
            load(str(tmp_path / name))
    (tmp_path / "two").mkdir()
    for name in ("eng_Latn.yml", "eng_Latn.yaml"):
        (tmp_path / "two" / name).write_text("language_score: 0.5\n")
    with pytest.raises(UserError, match="a second file for eng_Latn"):
        load(str(tmp_path / "two"))


def test_languages_without_a_profile_of_their_own(tmp_path: Path) -> None:
    """Borrowed are thresholds, not words; what has no language has none to lack."""
    (tmp_path / "own.toml").write_text(
        "[by_language.eng]\nmin_words = 9\n[by_language.srp_Cyrl]\nmin_words = 9\n[by_language.Latn]\nmin_words = 5\n"
        '[by_language.ace_Latn]\nstop_words = ["nyang"]\n'
    )
    known = load(str(tmp_path / "own.toml"), CleanConfig.threshold_names())
    labels = ["eng_Latn", "srp_Cyrl", "srp_Latn", "ace_Latn", "und_Latn", "und_Zyyy"]
    assert known.without_own(labels) == ["srp_Latn", "ace_Latn"]
