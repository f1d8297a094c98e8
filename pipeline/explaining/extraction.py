"""extract: the records that a page was read from, as documents or as pages without one."""

from collections.abc import Collection, Iterator

from pipeline.explaining.corpus import Corpus
from pipeline.explaining.story import Extracted
from pipeline.keys.page_rows import Row

# What a page says of itself.
SAID = ("title", "html_lang", "canonical", "licence", "published", "opt_out", "encoding", "truncated")
PLACE = ("id", "url", "file_path", "offset")


def records(corpus: Corpus, name: str, values: Collection[str], most: int) -> Iterator[tuple[str, str, Extracted]]:
    """id, address and what was made of each record whose `name`, url or id, is one of these; documents first."""
    engine = corpus.engine()
    for row in corpus.rows("extract", "documents", name, values, most, (*PLACE, "date", "text", *SAID)):
        said = {own: str(row[own]) for own in SAID if row.get(own)}
        document = Extracted(*_place(row), row.get("date") or "", engine, len(row["text"]), said)
        yield row["id"], row["url"], document
    for row in corpus.rows("extract", "skipped", name, values, most, (*PLACE, "reason", "detail")):
        skipped = Extracted(*_place(row), engine=engine, reason=row["reason"], detail=row["detail"] or "")
        yield row["id"] or "", row["url"] or "", skipped


def _place(row: Row) -> tuple[str, int]:
    return row["file_path"], row["offset"]
