import tomllib

from pipeline.quality.fitting import NEVER
from pipeline.quality.profile_toml import merge, to_toml


def test_toml_is_read_back_as_it_was() -> None:
    sections = {
        "eng_Latn": {"stop_words": ('say"so', "back\\slash", "é", "e\u0301", "न्", "\U0001f600"), "min_words": 32.0},
        "Latn": {"max_newline_to_word_ratio": 0.464, "max_words_a_sentence": NEVER},
        "cmn_Hani": {"stop_words": tuple("的一是不了" * 40)},
    }
    text = to_toml(sections, ["one line", ""])
    assert text == to_toml(dict(reversed(sections.items())), ["one line", ""])
    assert text.startswith("# one line\n#\n\n[by_language.Latn]\nmax_newline_to_word_ratio = 0.464\n")
    assert max(map(len, text.splitlines())) <= 120
    expected = {key: {n: list(v) if isinstance(v, tuple) else v for n, v in s.items()} for key, s in sections.items()}
    assert tomllib.loads(text)["by_language"] == expected


def test_comments_and_words_may_have_any_character() -> None:
    odd = ["two\nlines = 1", "\r\n[by_language.xyz]", "a\x00b\x7f\x1b\ud800c", "\u2028d"]
    found = to_toml({"eng": {"stop_words": ("a b",) * 40}}, odd)
    comments = found.encode().decode().partition("\n\n[")[0].split("\n")
    assert all(line.startswith("#") for line in comments)
    assert tomllib.loads(found) == {"by_language": {"eng": {"stop_words": ["a b"] * 40}}}


def test_merge() -> None:
    assert merge({"a": {"x": 1}}, {"b": {"y": 2}, "a": {"z": 3}}) == {"a": {"x": 1, "z": 3}, "b": {"y": 2}}
    assert list(merge({"b": {}}, {"a": {}})) == ["a", "b"]
