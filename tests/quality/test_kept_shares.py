"""Whom learnt scores fall on: counts by hand, and parts that add up in any order."""

import random

import pyarrow as pa
import pytest

from pipeline.config import CleanConfig
from pipeline.quality import profiles
from pipeline.quality.host_genres import GENRES, genres_of
from pipeline.quality.kept_shares import KeptShares, too_little
from pipeline.quality.rules import Decider

CONFIG = CleanConfig(
    presets=["none"],
    classifiers={"edu": "edu.ftz"},
    score_thresholds={"edu": 0.5},
    rules={"tail": 'perplexity_bucket == "tail" and score_edu < 0.9', "short": "n_words < 5"},
    by_language={"deu": {"min_score_edu": 0.2}},
    perplexity="lm",
)
LEARNT = CONFIG.score_fields()


def decider(config: CleanConfig = CONFIG) -> Decider:
    return Decider(config.chosen_rules(), config.limits(profiles.shipped()))


def rows(*given: tuple) -> pa.RecordBatch:
    names = ("id", "language", "language_script", "n_words", "url", "top_langs", "score_edu", "perplexity_bucket")
    columns = {name: list(cells) for name, cells in zip(names, zip(*given, strict=True), strict=True)}
    columns |= {"language_score": [1.0] * len(given), "language_share": [1.0] * len(given)}
    columns["top_langs"] = pa.array(columns["top_langs"], pa.string())
    columns |= {"n_chars": [9] * len(given), "perplexity": [1.0] * len(given)}
    return pa.RecordBatch.from_pydict(columns)


ROWS = rows(
    ("a", "eng", "Latn", 100, "https://shop.example.org/a", '{"eng_Latn": 0.99}', 0.4, "head"),  # score:edu
    ("b", "eng", "Latn", 100, "https://en.wikipedia.org/wiki/B", '{"eng_Latn": 0.99}', 0.6, "tail"),  # rule:tail
    ("c", "eng", "Latn", 100, "https://www.state.gov/c", '{"eng_Latn": 0.8, "sco_Latn": 0.2}', 0.95, "tail"),
    ("d", "deu", "Latn", 600, "https://uni-x.de/d", None, 0.4, "head"),  # above the threshold of its language
    ("e", "deu", "Latn", 3, "https://uni-x.de/e", None, 0.0, "tail"),  # dropped by a rule that reads no model's answer
    ("f", "arb", "Arab", 9000, "", '{"arz_Arab": 0.5, "arb_Arab": 0.4}', 0.1, "head"),  # score:edu
    ("g", "arb", "Arab", 50, None, '{"arb_Arab": 0.97, "ary_Arab": 0.03}', None, None),  # no score: it stays
)
VERDICTS = ["score:edu", "rule:tail", None, None, "rule:short", "score:edu", None]


def labels(batch: pa.RecordBatch) -> list[str]:
    pairs = zip(batch["language"].to_pylist(), batch["language_script"].to_pylist(), strict=True)
    return [f"{language}_{script}" for language, script in pairs]


def counted(*parts: pa.RecordBatch) -> KeptShares:
    decide = decider()
    total = KeptShares(decide.learnt_rules(LEARNT), decide.bounds)
    for number, part in enumerate(parts):
        one = KeptShares(decide.learnt_rules(LEARNT), decide.bounds)
        one.add(part, labels(part), decide(part), f"{number % 2}.parquet")
        total.take(one.parts())
    return total


def test_rules_that_read_a_score_are_asked_last() -> None:
    assert decider()(ROWS).to_pylist() == VERDICTS
    names = [rule.reason for rule in CONFIG.chosen_rules()]
    assert names[-3:] == ["rule:short", "score:edu", "rule:tail"]


def test_before_and_after_by_hand() -> None:
    shown = {name: {"url": f"u-{name}", "text": name * 3} for name in "abcdefg"}
    score, tail = counted(ROWS).told(shown)
    assert (score["rule"], score["columns"], score["before"], score["after"]) == ("score:edu", ["score_edu"], 6, 4)
    assert (tail["rule"], tail["columns"], tail["before"], tail["after"]) == (
        "rule:tail", ["score_edu", "perplexity_bucket"], 4, 3,
    )  # fmt: skip
    groups = {(one["kind"], one["value"]): (one["before"], one["after"]) for one in score["shares"]}
    assert groups == {
        ("language", "eng_Latn"): (3, 2),
        ("language", "arb_Arab"): (2, 1),
        ("language", "deu_Latn"): (1, 1),
        ("script", "Latn"): (4, 3),
        ("script", "Arab"): (2, 1),
        ("length", "50 to 99 words"): (1, 1),
        ("length", "100 to 199 words"): (3, 2),
        ("length", "500 to 999 words"): (1, 1),
        ("length", "5,000 words and more"): (1, 0),
        ("genre", "shop"): (1, 0),
        ("genre", "wiki"): (1, 1),
        ("genre", "government"): (1, 1),
        ("genre", "education"): (1, 1),
        ("dialect", "eng_Latn, some sco_Latn"): (1, 1),
        ("dialect", "arb_Arab, some arz_Arab"): (1, 0),
    }
    near = [(one["id"], one["reason"], one["score"], one["threshold"]) for one in score["examples"]]
    assert near == [
        ("a", "score:edu", 0.4, 0.5), ("f", "score:edu", 0.1, 0.5),
        ("b", None, 0.6, 0.5), ("d", None, 0.4, 0.2), ("c", None, 0.95, 0.5),
    ]  # fmt: skip
    assert score["examples"][0]["text"] == "aaa" and score["examples"][0]["url"] == "u-a"
    assert too_little([score, tail], 0.51) == [("score:edu", "arb_Arab", 2, 1), ("rule:tail", "eng_Latn", 2, 1)]
    assert too_little([score, tail], 0.5) == []


def test_parts_add_up_in_any_order() -> None:
    draw = random.Random(0)
    many = rows(
        *(
            (f"{i}", draw.choice(["eng", "deu"]), "Latn", draw.randrange(1, 900), "https://a.org/", None,
             draw.choice([None, round(draw.random(), 2)]), draw.choice(["head", "tail", None]))
            for i in range(400)
        )
    )  # fmt: skip
    cuts = sorted(draw.sample(range(1, 400), 7))
    parts = [many.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, 400], strict=True)]
    shown = {f"{i}": {"url": "", "text": ""} for i in range(400)}
    whole = counted(many).told(shown)
    assert counted(*parts).told(shown) == counted(*reversed(parts)).told(shown) == whole
    assert len(whole[0]["examples"]) == 8 and whole[0]["before"] > whole[0]["after"] > 0


@pytest.mark.parametrize(
    ("url", "genre"),
    [
        ("https://www.amazon.co.jp/dp/B0", "shop"),
        ("https://example.com/shop/shoes", "shop"),
        ("https://ja.wikipedia.org/wiki/X", "wiki"),
        ("http://forum.example.ru/viewtopic.php?t=1", "forum"),
        ("https://user:pw@foo.blogspot.com:8080/2020", "blog"),
        ("https://www.gov.uk/x", "government"),
        ("https://moj.gob.mx", "government"),
        ("https://www.u-tokyo.ac.jp/", "education"),
        ("https://mit.edu", "education"),
        ("https://docs.python.org/3/", "documentation"),
        ("https://www.reuters.com/a", "news"),
        ("https://jw.org/km/", "religion"),
        ("https://oxfam.org/", "organisation"),
        ("https://example.com/gov.uk/?shop=1", "other"),
        ("https://governor.example.com/", "other"),
        ("HTTPS://MIT.EDU/", "education"),
    ],
)
def test_genres_of_addresses(url: str, genre: str) -> None:
    assert [GENRES[place] for place in genres_of(pa.array([url]))] == [genre]


def test_no_address_has_no_genre() -> None:
    assert genres_of(pa.array([None, "", "id-3"], pa.string())).tolist() == [-1, -1, -1]
    assert len(genres_of(pa.array([], pa.string()))) == 0
