"""dedup: the passages of a page that other pages share, byte for byte, and where else they stand."""

from collections.abc import Mapping

from pipeline.explaining.corpus import Corpus
from pipeline.explaining.story import Passage, Passages
from pipeline.keys.page_rows import Row
from schemas.repeats import SPANS

LOOKED_AT = 100_000  # rows


def passages_of(corpus: Corpus, texts: Mapping[str, str], stayed: set[str], most: int) -> dict[str, Passages]:
    """By id, of pages that have some. texts: by id, as dedup read them. stayed: those of them that are in dedup's
    documents. most: passages of a page."""
    now = corpus.stages["dedup"]
    if now is None or not now.files("spans"):
        return {}
    cuts = bool(now.record()["config"].get("cut_substrings"))
    by_id: dict[str, list[Row]] = {}
    for row in corpus.rows("dedup", "spans", "id", set(texts), LOOKED_AT, SPANS.names):
        if row["id"] in texts:
            by_id.setdefault(row["id"], []).append(row)
    told = {name: sorted(rows, key=lambda row: row["start"])[:most] for name, rows in by_id.items()}
    others = {row["other_id"] for rows in told.values() for row in rows}
    known = corpus.rows("clean", "documents", "id", others, len(others), ("id", "url"))
    urls = {row["id"]: row["url"] or "" for row in known}
    return {
        name: Passages(
            tuple(_passage(row, texts[name].encode(), cuts, urls) for row in told[name]),
            len(rows),
            sum(row["end"] - row["start"] for row in rows),
            sum(row["end"] - row["start"] for row in rows if cuts and not row["kept"]),
            cuts and name not in stayed,
        )
        for name, rows in by_id.items()
    }


def _passage(row: Row, content: bytes, cuts: bool, urls: Mapping[str, str]) -> Passage:
    text = content[row["start"] : row["end"]].decode(errors="replace")
    fate = "kept" if row["kept"] else "cut" if cuts else "noted"
    other = row["other_id"]
    return Passage(text, row["start"], row["end"], row["pages"], fate, other, urls.get(other, ""))
