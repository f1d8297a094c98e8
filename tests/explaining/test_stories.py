"""A story says what the tables say, of every page of the sample archive, in every script."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from programs import ARCHIVE
from stage_tables import table

from pipeline.explaining import hosts
from pipeline.explaining.blocks import blocks_of
from pipeline.explaining.corpus import Corpus
from pipeline.explaining.hosts import host_told
from pipeline.explaining.story import Story
from pipeline.explaining.telling import Wish, tell_host, tell_id, tell_url
from pipeline.lists.host_rows import host_of
from schemas.errors import UserError

SCRIPTS = {
    "Latn", "Hani", "Jpan", "Hang", "Thai", "Khmr", "Arab", "Hebr", "Deva", "Taml", "Ethi", "Geor", "Cyrl", "Beng",
}  # fmt: skip


def test_every_document_has_a_story(stories: dict[str, Story], cleaned: list[dict[str, Any]]) -> None:
    assert stories.keys() == {row["id"] for row in cleaned}
    assert {story.judged.language.label.partition("_")[2] for story in stories.values()} >= SCRIPTS  # type: ignore[union-attr]


def test_the_rules_told_take_the_verdict_that_is_stored(
    stories: dict[str, Story], cleaned: list[dict[str, Any]]
) -> None:
    reasons = set()
    for row in cleaned:
        judged = stories[row["id"]].judged
        assert judged and judged.reason == row["drop_reason"] and judged.notes == ()
        fired = [rule.reason for rule in judged.rules if rule.fired]
        assert (fired[0] if fired else None) == row["drop_reason"]
        for rule in judged.rules:
            assert rule.signals == {name: row[name] for name in rule.signals}
            assert {*rule.signals, *(limit.name for limit in rule.limits)} <= set(rule.expression.split()) | {
                name for name in row if name in rule.expression
            }
        reasons.add(row["drop_reason"])
    assert len(reasons) > 5


def test_thresholds_say_who_set_them(stories: dict[str, Story], cleaned: list[dict[str, Any]]) -> None:
    """jobs/demo.toml sets none for all; what a language has of its own is of its profile, else of its script's."""
    sources = Counter(
        limit.source.partition(" ")[0]
        for story in stories.values()
        if story.judged
        for rule in story.judged.rules
        for limit in rule.limits
    )
    assert sources.keys() >= {"profile", "default"}
    (english,) = [row for row in cleaned if row["url"] == "https://eng-news.example.com/1"]
    judged = stories[english["id"]].judged
    assert judged
    limits = {limit.name: limit for rule in judged.rules for limit in rule.limits}
    assert (limits["min_words"].value, limits["min_words"].source) == (50, "profile eng_Latn")
    assert limits["max_bullet_line_share"].source == "default"


def test_votes_taken_again_find_the_language_that_is_stored(
    stories: dict[str, Story], cleaned: list[dict[str, Any]]
) -> None:
    for row in cleaned:
        language = stories[row["id"]].judged.language  # type: ignore[union-attr]
        assert language and language.votes
        votes = language.votes
        assert (votes.found, votes.score) == (f"{row['language']}_{row['language_script']}", row["language_score"])
        assert "".join("".join(piece.text.split()) for piece in votes.pieces)
        if row["language"] != "und" and row["language_share"] == 1 and len(row["text"]) > 200:
            voted = {piece.language for piece in votes.pieces if piece.votes}
            assert row["language"] in voted | {*votes.words}


def test_chosen_blocks_are_the_text_that_extract_wrote(corpus: Corpus, corpus_root: Path) -> None:
    """Of each page its record is fetched again: plain, gzip and truncated archives."""
    config = corpus.stages["extract"].record()["config"]  # type: ignore[union-attr]
    texts = {row["id"]: row["text"] for row in table(corpus_root, "extract/documents")}
    seen = 0
    for name, text in texts.items():
        (told,) = tell_id([corpus], name, Wish())
        extracted = told.stories[0].extracted
        assert extracted
        found = blocks_of(name, extracted, str(ARCHIVE), config)
        if extracted.archive.endswith(".wet.gz"):
            assert "plain text" in found.untold
            continue
        assert not found.untold and found.blocks
        assert all(block.chosen == (block.score >= found.least) for block in found.blocks)
        if "@" in text or any(letter.isdigit() for letter in text):  # masked
            continue
        said = "".join("".join(block.text.split()) for block in found.blocks if block.chosen)
        assert said == "".join(text.replace("\n- ", "\n").removeprefix("- ").replace(" | ", "").split())
        seen += 1
    assert seen > 40


@pytest.mark.parametrize(
    ("archives", "named"),
    [("", "--archives"), ("tests/page", "no such file"), (str(ARCHIVE / "sample.warc.wet.gz"), "Not a directory")],
)
def test_an_archive_that_cannot_be_had_is_told_in_a_line(
    corpus: Corpus, stories: dict[str, Story], archives: str, named: str
) -> None:
    story = next(one for one in stories.values() if one.extracted and one.extracted.archive.endswith("sample.warc.gz"))
    assert story.extracted
    found = blocks_of(story.id, story.extracted, archives, {})
    assert named in found.untold and "\n" not in found.untold and not found.blocks


def test_another_archive_of_the_same_name(stories: dict[str, Story], tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "sample.warc.gz").write_bytes((ARCHIVE / "sample.warc.wet.gz").read_bytes())
    story = next(one for one in stories.values() if one.extracted and one.extracted.archive.endswith("sample.warc.gz"))
    assert story.extracted
    found = blocks_of(story.id, story.extracted, str(tmp_path), {})
    assert not found.blocks and ("another archive" in found.untold or "no record" in found.untold)


def test_clusters_are_those_of_dedup(stories: dict[str, Story], corpus_root: Path) -> None:
    clusters = {row["id"]: row for row in table(corpus_root, "dedup/clusters")}
    urls = {row["id"]: row["url"] for row in table(corpus_root, "clean/documents")}
    assert {row["drop_reason"] for row in clusters.values()} == {None, "exact", "minhash"}
    for name, story in stories.items():
        if story.judged and story.judged.reason:
            assert story.copies is None and story.sampled is None
            continue
        assert story.copies
        row = clusters.get(name)
        if row is None:
            assert story.copies.size == 0 and story.copies.reason is None
            continue
        same = [other for other in clusters if clusters[other]["cluster_id"] == row["cluster_id"] and other != name]
        assert (story.copies.reason, story.copies.size) == (row["drop_reason"], row["minhash_cluster_size"])
        assert {copy.id for copy in story.copies.members} == {*same}
        assert all(copy.url == urls[copy.id] for copy in story.copies.members)
        if row["drop_reason"]:
            kept = story.copies.kept
            assert kept and (kept.id, kept.url) == (row["kept_id"], urls[row["kept_id"]])
            assert story.copies.similarity == row["similarity"]


def test_shards_have_the_page_in_the_row_that_is_told(stories: dict[str, Story], corpus_root: Path) -> None:
    mixed = json.loads((corpus_root / "sample" / "mixture.json").read_text())["languages"]
    placed = [(name, place) for name, story in stories.items() if story.sampled for place in story.sampled.places]
    assert len(placed) == len(table(corpus_root, "sample/data"))
    for name, place in placed:
        row = pq.read_table(corpus_root / "sample" / place.shard).slice(place.row, 1).to_pylist()[0]
        assert row["id"] == name
        epochs = mixed[f"{row['language']}_{row['language_script']}"]["epochs"]
        assert place.times == (epochs * row["weight"] if place.split == "train" else 0)
    assert {place.split for _, place in placed} == {"train", "validation"}


def test_a_page_without_a_document(corpus: Corpus, corpus_root: Path) -> None:
    known = {row["url"] for row in table(corpus_root, "extract/documents")}
    for row in table(corpus_root, "extract/skipped"):
        if not row["url"] or row["url"] in known:
            continue
        (told,) = tell_url([corpus], row["url"], Wish())
        mine = [story for story in told.stories if story.id == row["id"]]
        assert mine and mine[0].extracted and mine[0].extracted.reason == row["reason"] and mine[0].judged is None
        (by_id,) = tell_id([corpus], row["id"], Wish())
        assert row["id"] in {story.id for story in by_id.stories}


@pytest.mark.parametrize("few", [10_000, 3])
def test_a_host_is_the_sum_of_its_pages(
    corpus: Corpus, corpus_root: Path, stories: dict[str, Story], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a walk over all rows; by indexes of ids, and by columns of addresses."""
    monkeypatch.setattr(hosts, "FEW", few)
    documents, skipped = table(corpus_root, "extract/documents"), table(corpus_root, "extract/skipped")
    names = {host_of(row["url"]).decode() for row in [*documents, *skipped] if row["url"]} | {"example.com"}
    for host in sorted(names):
        mine = [row for row in documents if host_of(row["url"]).decode() in (host,) or below(row["url"], host)]
        lost = [
            row for row in skipped if row["url"] and (host_of(row["url"]).decode() == host or below(row["url"], host))
        ]
        (told,) = tell_host([corpus], host, Wish(most=1000))
        assert told.n_pages == len(mine) + len(lost) == len(told.pages)
        assert told.fates["extract"] == {"kept": len(mine), **Counter(row["reason"] for row in lost)}
        verdicts = Counter(stories[row["id"]].judged.reason for row in mine)  # type: ignore[union-attr]
        assert {**told.fates["clean"]} == {"kept": verdicts.pop(None, 0), **verdicts}
        for page in told.pages:
            story = stories.get(page.id)
            if story is None or page.fate.startswith("extract: "):
                continue
            stage, _, fate = page.fate.partition(": ")
            said = story.judged if stage == "clean" else story.copies
            assert fate in ("in a shard", "in no shard") or (said and said.reason == fate)
        assert told.fates["sample"]["kept"] == sum(told.shards.values())
    short = host_told(corpus, "https://example.com/whatever", 2)
    assert short and len(short.pages) == 2 and short.n_pages > 2


def below(url: str, host: str) -> bool:
    return host_of(url).endswith(b"." + host.encode())


@pytest.mark.parametrize(
    "spelled",
    [
        "HTTPS://ENG-NEWS.example.com/1", "http://eng-news.example.com/1/", "www.eng-news.example.com/1",
        "//eng-news.example.com/1#part", "https://eng-news.example.com:443/%31",
    ],
)  # fmt: skip
def test_an_address_is_found_however_it_is_written(corpus: Corpus, spelled: str) -> None:
    (told,) = tell_url([corpus], spelled, Wish())
    assert {story.url for story in told.stories} == {"https://eng-news.example.com/1"}


def test_what_is_not_there_names_the_nearest(corpus: Corpus) -> None:
    with pytest.raises(UserError, match=r"no record of this address .*nearest .*https://eng-news\.example\.com/1"):
        tell_url([corpus], "https://eng-news.example.com/1x", Wish())
    with pytest.raises(UserError, match="others: --host eng-news"):
        tell_url([corpus], "https://eng-news.example.com/entirely/elsewhere?of=other&words=all", Wish())
    with pytest.raises(UserError, match=r"none of пример\.рф|none of xn--e1afmkfd\.xn--p1ai"):
        tell_url([corpus], "https://пример.рф/", Wish())
    with pytest.raises(UserError, match="no record of this id"):
        tell_id([corpus], "<urn:uuid:00000000-0000-0000-0000-000000000000>", Wish())
    with pytest.raises(UserError, match="no page of this host"):
        tell_host([corpus], "nowhere.example", Wish())


def test_an_id_as_archives_write_it(corpus: Corpus, cleaned: list[dict[str, Any]]) -> None:
    name = cleaned[0]["id"]
    for spelled in (name, f"<urn:uuid:{name}>", f" urn:uuid:{name}"):
        (told,) = tell_id([corpus], spelled, Wish())
        assert told.stories[0].id == name
