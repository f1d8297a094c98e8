"""dedup: the cluster of a page, the copy that it is like, and who the other pages are."""

from collections.abc import Mapping, Sequence

from pipeline.explaining.corpus import Corpus
from pipeline.explaining.story import Copies, Copy
from pipeline.keys.page_rows import Row
from pipeline.report.words import meaning
from schemas.dedup import SIGNING_FAILED

COLUMNS = (
    "id", "cluster_id", "kept_id", "minhash_cluster_size", "drop_reason", "similarity", "crawl", "cluster_crawl",
    "kept_crawl",
)  # fmt: skip
GONE = "same_id, template or substring"
LOOKED_AT = 10_000  # rows of a cluster


def copies_of(
    corpus: Corpus, others: Sequence[Corpus], ids: set[str], stayed: set[str], most: int
) -> dict[str, Copies]:
    """By id, of pages that clean kept. stayed: those of them that are in dedup's documents. others: earlier crawls,
    whose addresses may be told. most: members of a cluster."""
    if corpus.stages["dedup"] is None:
        return {}
    own = [row for row in corpus.rows("dedup", "clusters", "id", ids, LOOKED_AT, COLUMNS) if row["crawl"] is None]
    rows = {row["id"]: row for row in own}
    members = {name: _members(corpus, row, most) for name, row in rows.items() if row["drop_reason"] != SIGNING_FAILED}
    urls = _addresses([corpus, *others], [*own, *(row for found in members.values() for row in found)])
    return {
        name: _copies(rows[name], members.get(name, ()), urls) if name in rows else _alone(name in stayed)
        for name in ids
    }


def _members(corpus: Corpus, row: Row, most: int) -> list[Row]:
    """The other pages of a page's cluster, the kept ones first, then by likeness."""
    found = corpus.rows("dedup", "clusters", "cluster_id", {row["cluster_id"]}, LOOKED_AT, COLUMNS)
    own = row.get("cluster_crawl")
    others = [
        one for one in found if one.get("cluster_crawl") == own and (one["id"], one["crawl"]) != (row["id"], None)
    ]
    others.sort(key=lambda one: (one["drop_reason"] is not None, -(one["similarity"] or 0.0), one["id"]))
    return others[:most]


def _alone(stayed: bool) -> Copies:
    if stayed:
        return Copies(None)
    return Copies(GONE, "another row carries its id, its host repeats every line of it, or other pages have all of it")


def emptied() -> Copies:
    """Of a page that passages were all of."""
    return Copies("substring", meaning("dedup", "substring"))


def _copies(row: Row, members: Sequence[Row], urls: Mapping[tuple[str | None, str], str]) -> Copies:
    reason = row["drop_reason"]
    if reason == SIGNING_FAILED:
        return Copies(reason, meaning("dedup", reason))
    kept_id, kept_crawl = _kept(row)
    alike = row["similarity"] if reason else None
    kept = None
    if reason:
        kept = Copy(kept_id, urls.get((kept_crawl, kept_id), ""), None, None, kept_id, kept_crawl)
    told = [
        Copy(
            one["id"], urls.get((one["crawl"], one["id"]), ""), one["drop_reason"], one["similarity"], _kept(one)[0],
            one["crawl"],
        )
        for one in members
    ]  # fmt: skip
    size = row["minhash_cluster_size"]
    return Copies(reason, meaning("dedup", reason or ""), size, alike, kept, row["cluster_id"], tuple(told))


def _kept(row: Row) -> tuple[str, str | None]:
    """id and crawl of the copy that a page is like; an earlier version kept one copy of a cluster."""
    return str(row.get("kept_id") or row["cluster_id"]), row.get("kept_crawl", row.get("cluster_crawl"))


def _addresses(corpora: Sequence[Corpus], rows: Sequence[Row]) -> dict[tuple[str | None, str], str]:
    """By crawl (None: the first corpus) and id, of the rows and of the copies that they name."""
    wanted: dict[str | None, set[str]] = {}
    for row in rows:
        for crawl, name in ((row["crawl"], row["id"]), _kept(row)[::-1]):
            wanted.setdefault(crawl, set()).add(name)
    found: dict[tuple[str | None, str], str] = {}
    for place, corpus in enumerate(corpora):
        now = corpus.stages["dedup"]
        crawl = now.record()["fingerprint"] if place and now else None
        ids = wanted.get(crawl, set()) if not place or crawl else set()
        for row in corpus.rows("clean", "documents", "id", ids, len(ids), ("id", "url")):
            found[(crawl, row["id"])] = row["url"] or ""
    return found
