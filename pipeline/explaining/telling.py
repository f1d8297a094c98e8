"""The story of an address, an id or a host, out of the tables of one root or several."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.explaining.blocks import blocks_of
from pipeline.explaining.copies import copies_of, emptied
from pipeline.explaining.corpus import Corpus
from pipeline.explaining.extraction import records
from pipeline.explaining.hosts import host_told
from pipeline.explaining.nearest import no_such_address, no_such_host, no_such_id
from pipeline.explaining.passages import passages_of
from pipeline.explaining.repeated import repeated_of
from pipeline.explaining.shards import sampled_of
from pipeline.explaining.story import Extracted, HostTold, Story, Told
from pipeline.explaining.verdict import judged_of, rules_of
from pipeline.keys.page_rows import Row

URN = "urn:uuid:"


class Wish(NamedTuple):
    """blocks: told with their scores, of archives in `archives` (folder or prefix). votes: of the language, taken again
    over the text. most: records of an address, members of a cluster, pages of a host."""

    blocks: bool = False
    votes: bool = False
    archives: str = ""
    most: int = 20


def tell_url(corpora: Sequence[Corpus], url: str, wish: Wish) -> list[Told]:
    """Of each corpus that has a record of the address. UserError where none has."""
    told = [_told(corpus, corpora, url, list(records(corpus, "url", [url], wish.most)), wish) for corpus in corpora]
    if found := [one for one in told if one.stories]:
        return found
    raise no_such_address(list(corpora), url)


def tell_id(corpora: Sequence[Corpus], given: str, wish: Wish) -> list[Told]:
    """As `tell_url`. An id is found in clean, whose ids are indexed; a page without a document by all of extract's."""
    name = given.strip().strip("<>").removeprefix(URN)
    answers = []
    for corpus in corpora:
        urls = {row["url"] for row in corpus.rows("clean", "documents", "id", [name], wish.most, ("url",))} - {None, ""}
        found = [one for one in records(corpus, "url", urls, wish.most) if one[0] == name]
        found = found or list(records(corpus, "id", [name], wish.most))
        answers.append(_told(corpus, corpora, given, found, wish))
    if known := [one for one in answers if one.stories]:
        return known
    raise no_such_id(list(corpora), given)


def tell_host(corpora: Sequence[Corpus], host: str, wish: Wish) -> list[HostTold]:
    """As `tell_url`."""
    if found := [told for corpus in corpora if (told := host_told(corpus, host, wish.most))]:
        return found
    raise no_such_host(list(corpora), host)


def _told(
    corpus: Corpus, corpora: Sequence[Corpus], asked: str, found: Sequence[tuple[str, str, Extracted]], wish: Wish
) -> Told:
    ids = {name for name, _, extracted in found if not extracted.reason}
    cleaned = _by_page(corpus.rows("clean", "documents", "id", ids, 2 * wish.most))
    now = corpus.stages["clean"]
    rules = rules_of(now.record()) if now else None
    passed = {name for (name, _), row in cleaned.items() if not row["drop_reason"]}
    survivors = _by_page(corpus.rows("dedup", "documents", "id", passed, 2 * wish.most, ("id", "url")))
    stayed = {name for name, _ in survivors}
    others = [one for one in corpora if one.root != corpus.root]
    texts = {name: row["text"] or "" for (name, _), row in cleaned.items() if name in passed}
    passages = passages_of(corpus, texts, stayed, wish.most)
    copies = copies_of(corpus, others, passed, stayed, wish.most)
    repeated = repeated_of(corpus, {name: row["text"] or "" for (name, _), row in cleaned.items() if name in passed})
    copies |= {name: emptied() for name, one in passages.items() if one.emptied}
    labels = {
        name: f"{row['language'] or 'und'}_{row['language_script'] or 'Zyyy'}"
        for (name, _), row in cleaned.items()
        if name in stayed
    }
    sampled = sampled_of(corpus, labels)
    extract = corpus.stages["extract"]
    config = extract.record()["config"] if extract else {}
    stories = []
    for name, url, extracted in found:
        row = cleaned.get((name, url)) if not extracted.reason else None
        kept = row is not None and not row["drop_reason"]
        stories.append(
            Story(
                name,
                url,
                extracted,
                judged_of(row, rules, wish.votes) if row and rules else None,
                copies.get(name) if kept else None,
                passages.get(name) if kept else None,
                sampled.get(name) if kept else None,
                blocks_of(name, extracted, wish.archives, config) if wish.blocks else None,
                repeated.get(name) if kept else None,
            )
        )
    notes = [f"the first {wish.most} records: --most tells more"] if len(found) >= wish.most else []
    return Told(corpus.root, asked, tuple(stories), corpus.silent(), tuple(notes))


def _by_page(rows: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """By id and address: an id may be there twice."""
    return {(row["id"], row["url"]): row for row in rows}
