"""Texts spoiled on purpose are dropped, each for a reason that names its defect; the good ones they were stay."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from bench import labelled, planted, trusted_texts
from bench.labelled import Labelled
from bench.planted import KINDS, LANGUAGES, Good, Planted, Score

from pipeline.quality import profiles
from pipeline.quality.profiles import Profiles
from schemas.clean import REASONS

ARTICLES = Path(__file__).resolve().parents[1] / "archive" / "articles"
DATA = Path(__file__).resolve().parents[2] / "../shared/data"
needs_data = pytest.mark.skipif(not (DATA / "text").is_dir(), reason="needs ../shared/data/text")

# As clean writes them, by the names of the articles' files.
NAMED = {
    "amh": "amh_Ethi", "ara": "arb_Arab", "deu": "deu_Latn", "ell": "ell_Grek", "eng": "eng_Latn", "fin": "fin_Latn",
    "fra": "fra_Latn", "heb": "heb_Hebr", "hin": "hin_Deva", "jpn": "jpn_Jpan", "kat": "kat_Geor", "kor": "kor_Hang",
    "pol": "pol_Latn", "rus": "rus_Cyrl", "spa": "spa_Latn", "swa": "swh_Latn", "tam": "tam_Taml", "tha": "tha_Thai",
    "tur": "tur_Latn", "ukr": "ukr_Cyrl", "vie": "vie_Latn", "zho": "cmn_Hani",
}  # fmt: skip


@pytest.fixture(scope="module")
def articles() -> list[Good]:
    return [
        Good(*label.split("_"), (ARTICLES / f"{name}.txt").read_text(encoding="utf-8").strip())
        for name, label in NAMED.items()
    ]


def verdicts(texts: Sequence[str]) -> list[str | None]:
    return trusted_texts.verdicts(texts, profiles.shipped())


def scored(rows: Sequence[Planted]) -> Score:
    ids = [f"{one.kind}/{one.language}_{one.script}/{i}" for i, one in enumerate(rows)]
    return planted.score(ids, verdicts([one.text for one in rows]))


def test_right_reasons_exist() -> None:
    for name, kind in KINDS.items():
        for beginning in kind.reasons:
            assert any(reason.startswith(beginning) for reason in REASONS), (name, beginning)
        assert not planted.is_right(name, None) and not planted.is_right(name, "language:und")
    assert len(KINDS) >= 12 and len(LANGUAGES) >= 20 and set(planted.BANNERS) == set(LANGUAGES)


def test_planting_is_the_same_every_time(articles: list[Good]) -> None:
    rows = list(planted.plant(articles, 2))
    assert rows == list(planted.plant(articles[::-1], 2))
    assert Counter(one.kind for one in rows) == dict.fromkeys(KINDS, 2 * len(articles))
    assert len({one.text for one in rows}) > 0.85 * len(rows)
    assert not {one.text for one in rows} & {good.text for good in articles}


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("repeated_lines", lambda t: 1 - len(set(t.split("\n"))) / len(t.split("\n"))),
        ("truncated_lines", lambda t: sum(line.endswith(("...", "…")) for line in t.split("\n")) / len(t.split("\n"))),
        ("link_list", lambda t: sum(line[0] in "•-" for line in t.split("\n")) / len(t.split("\n"))),
        ("menu", lambda t: sum(len(line) < 60 for line in t.split("\n")) / len(t.split("\n"))),
        ("number_table", lambda t: sum(character.isdigit() for character in t) / len(t)),
    ],
)
def test_defects_are_what_they_are_called(articles: list[Good], kind: str, share: object) -> None:
    assert callable(share)
    for good in articles:
        text = KINDS[kind].spoil(good, random.Random(0))
        assert share(text) > 0.4, good.language


def test_our_own_articles_stay_and_their_defects_go(articles: list[Good]) -> None:
    """At least 95 of 100, and no kind or language under 80. The articles are short: what is listed has few words."""
    assert verdicts([good.text for good in articles]) == [None] * len(articles)
    found = scored(list(planted.plant(articles, 1)))
    assert found.share("*") >= 0.95
    assert {group: found.share(group) for group in found.rows if found.share(group) < 0.8} == {}


def test_held_out_texts_are_judged_by_what_others_say(articles: list[Good], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, with the profiles of the other half of the texts; so are the defects made of them."""
    texts = [Labelled("own", *good[:2], f"http://a.example/{i}", good.text) for i, good in enumerate(articles)]
    seen: list[set[str]] = []
    judged: list[str] = []

    def fitted(rows: pa.Table, more: pa.Table, min_texts: int) -> Profiles:
        seen.append({text for text in rows.column("text").to_pylist()})
        return Profiles({}, {}, "")

    def verdicts(found: Sequence[str], known: Profiles) -> list[str | None]:
        mine = {good.text for good in articles} & set(found)
        assert mine and not mine & seen[-1] and len(mine | seen[-1]) == len(articles)
        judged.extend(found)
        return [None] * len(found)

    monkeypatch.setattr(trusted_texts, "fitted", fitted)
    monkeypatch.setattr(trusted_texts, "verdicts", verdicts)
    found = trusted_texts.hold_out(texts, trusted_texts.table(iter(())), 1)
    assert found.rows["good"] == len(articles) and found.rows["*"] == len(articles) * len(KINDS)
    assert sorted(set(judged) & {good.text for good in articles}) == sorted(good.text for good in articles)
    assert found.share("good") == found.share("*") == 0


@needs_data
def test_labelled_texts_stay_and_their_defects_go() -> None:
    texts = [one for one in labelled.read(DATA) if f"{one.language}_{one.script}" in LANGUAGES]
    goods = [Good(one.language, one.script, one.text) for one in texts]
    found = scored(list(planted.plant(goods, 2)))
    assert found.rows["*"] == 2 * len(KINDS) * len(LANGUAGES)
    assert found.share("*") >= 0.95
    assert min(found.share(kind) for kind in KINDS) >= 0.85
    assert min(found.share(f"*/{language}") for language in LANGUAGES) >= 0.8
    dropped = [reason for reason in verdicts([good.text for good in goods[::4]]) if reason]
    assert len(dropped) < 0.03 * len(goods[::4])
