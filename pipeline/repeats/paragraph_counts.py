"""On how many pages and hosts paragraphs stand, counted by hashes over a crawl and those before it.

A page counts once, however often it was fetched or copied, as in `pipeline.repeats.host_lines`. Of pages and hosts each
crawl keeps the smallest hashes: a page fetched again by a later crawl counts once, exactly up to MOST_HASHES; from
there on they are at least as many as in the crawl that has most. A page without an address is one of its own, on a host
of its own.

The keys are dealt to buckets, ranges of them, by the number of documents alone: so files are the same however they were
counted. `pipeline.stages.repeats.repeated_paragraphs` counts with shuffles.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh64_intdigest

from pipeline.kernels.compiling import kernel
from pipeline.repeats import host_lines
from pipeline.repeats.page_lines import distinct_keys
from pipeline.repeats.paragraphs import Paragraphs
from pipeline.store.parquet_files import open_parquet
from pipeline.words.words import mix
from schemas.repeats import EXAMPLES, MOST_HASHES, PARAGRAPH_COUNTS

ROWS_A_BUCKET = 1 << 16  # documents: what their paragraphs are is added up in one task
OCCURRENCES = pa.schema(
    [
        ("paragraph", pa.int64()),
        ("text", pa.int64()),  # hash of the page's lines
        ("page", pa.int64()),  # of its address, or its id
        ("host", pa.int64()),  # of its host, or its id
        ("n", pa.int32()),  # how often the page has it
    ]
)
HERE = pa.schema([("split", pa.int32()), ("row", pa.int32()), *OCCURRENCES])  # and where the page lies
LISTED = pa.schema(
    [
        ("paragraph", pa.int64()),
        ("pages", pa.int64()),
        ("hosts", pa.int64()),
        ("occurrences", pa.int64()),
        ("is_cut", pa.bool_()),
        ("examples", pa.list_(pa.int64())),  # pages of this crawl to take it from
    ]
)


class Pages(NamedTuple):
    """Of n pages their hashes and those of their hosts, int64."""

    pages: np.ndarray
    hosts: np.ndarray


class Limits(NamedTuple):
    """From how many pages and hosts on a paragraph is cut."""

    pages: int
    hosts: int


def pages_of(urls: pa.Array, ids: pa.Array) -> Pages:
    addresses = host_lines.addresses_of(urls)
    hosts, rest = addresses.sites.copy(), addresses.addresses.copy()
    for place in np.flatnonzero(addresses.hosts.is_null().to_numpy(zero_copy_only=False)).tolist():
        own = xxh64_intdigest((ids[place].as_py() or "").encode("utf-8", "surrogatepass"))
        hosts[place] = own - (1 << 64) if own >> 63 else own
    return Pages(_mixed(hosts.view(np.uint64), rest.view(np.uint64)).view(np.int64), hosts)


@kernel
def _mixed(hosts: np.ndarray, rest: np.ndarray) -> np.ndarray:
    pages = np.empty(len(hosts), np.uint64)
    for place in range(len(hosts)):
        pages[place] = mix(mix(hosts[place]) + rest[place])
    return pages


def occurrences(found: Paragraphs, pages: Pages, split: int, first: int) -> pa.RecordBatch:
    """Rows of HERE: the paragraphs of each page, each once. first: row of the first page in the split."""
    offsets, keys, counts = distinct_keys(found.offsets, found.keys)
    sizes = np.diff(offsets)
    columns = (
        np.full(len(keys), split, np.int32),
        np.repeat(np.arange(first, first + len(sizes), dtype=np.int32), sizes),
        keys,
        np.repeat(found.pages, sizes),
        np.repeat(pages.pages, sizes),
        np.repeat(pages.hosts, sizes),
        counts,
    )
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=HERE)


def n_buckets(rows: int) -> int:
    """Of a table of so many documents."""
    return 1 + rows // ROWS_A_BUCKET


def bucket_of(paragraphs: np.ndarray, n: int) -> np.ndarray:
    """int64: ascending with the key."""
    bucket: np.ndarray = (((paragraphs >> 32) + (1 << 31)) * n) >> 32
    return bucket


def counted(rows: pa.Table) -> pa.Table:
    """Rows of PARAGRAPH_COUNTS. rows: of OCCURRENCES, or HERE, all of those of a paragraph."""
    keys = rows["paragraph"].to_numpy()
    order = np.argsort(keys, kind="stable")
    new = np.ones(len(keys) + 1, np.bool_)
    new[1:-1] = keys[order[1:]] != keys[order[:-1]]
    alone = new[:-1] & new[1:]  # most are on one page only
    once = rows.take(pa.array(order[alone])).select(OCCURRENCES.names)
    ones, lists = pa.array(np.ones(len(once), np.int64)), pa.array(np.arange(len(once) + 1, dtype=np.int32))
    page, host = (pa.ListArray.from_arrays(lists, once[name].combine_chunks()) for name in ("page", "host"))
    columns = [once["paragraph"], ones, ones, once["n"].cast(pa.int64()), page, host]
    parts = [pa.table(columns, schema=PARAGRAPH_COUNTS), _counted(rows.take(pa.array(order[~alone])))]
    return pa.concat_tables(parts).sort_by("paragraph").combine_chunks()


def _counted(rows: pa.Table) -> pa.Table:
    paragraph, text, page, host, n = (rows[name].to_numpy() for name in OCCURRENCES.names)
    first = _firsts(order := np.lexsort((page, text, paragraph)), paragraph, text)  # copies are one page
    n = np.maximum.reduceat(n[order], first) if len(first) else n
    paragraph, page, host = (column[order][first] for column in (paragraph, page, host))
    first = _firsts(order := np.lexsort((page, paragraph)), paragraph, page)  # so are fetches
    n = np.maximum.reduceat(n[order], first) if len(first) else n
    paragraph, page, host = (column[order][first] for column in (paragraph, page, host))
    first = _firsts(order := np.lexsort((host, paragraph)), paragraph, host)
    by_host, hosts = paragraph[order][first], host[order][first]
    keys, begins, pages = np.unique(paragraph, return_index=True, return_counts=True)
    _, host_begins, n_hosts = np.unique(by_host, return_index=True, return_counts=True)
    columns = [
        pa.array(keys),
        pa.array(pages),
        pa.array(n_hosts),
        pa.array(np.add.reduceat(n.astype(np.int64), begins) if len(begins) else np.empty(0, np.int64)),
        _smallest(page, begins, pages),
        _smallest(hosts, host_begins, n_hosts),
    ]
    return pa.table([column.cast(field.type) for column, field in zip(columns, PARAGRAPH_COUNTS, strict=True)],
                    schema=PARAGRAPH_COUNTS)  # fmt: skip


def _firsts(order: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """Where rows in this order begin that differ from the one before in one of the columns."""
    new = np.zeros(len(order), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[order[1:]] != column[order[:-1]]
    return np.flatnonzero(new)


def _smallest(hashes: np.ndarray, begins: np.ndarray, sizes: np.ndarray) -> pa.ListArray:
    """The first MOST_HASHES of each run, which is ascending."""
    taken = np.minimum(sizes, MOST_HASHES)
    offsets = np.concatenate([[0], np.cumsum(taken)])
    places = np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], taken)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(hashes[places], pa.int64()))


def listed(own: pa.Table, earlier: Sequence[pa.Table], limits: Limits) -> pa.Table:
    """Rows of LISTED: of this crawl's paragraphs those on two pages of two hosts. own, earlier: rows of
    PARAGRAPH_COUNTS."""
    keys = own["paragraph"].combine_chunks()
    numbers = {name: own[name].to_numpy() for name in ("pages", "hosts", "occurrences")}
    others = [rows.filter(pc.is_in(rows["paragraph"], value_set=keys)) for rows in earlier]
    if any(map(len, others)):
        every = pa.concat_tables([own, *others])
        place = pc.index_in(every["paragraph"], value_set=keys).to_numpy()
        for name, hashes in (("pages", "page_hashes"), ("hosts", "host_hashes")):
            known = _distinct_of(place, every[hashes], len(own))
            most = np.zeros(len(own), np.int64)
            np.maximum.at(most, place, every[name].to_numpy())
            numbers[name] = np.where(known < MOST_HASHES, known, np.maximum(known, most))
        numbers["occurrences"] = np.zeros(len(own), np.int64)
        np.add.at(numbers["occurrences"], place, every["occurrences"].to_numpy())
    often = (numbers["pages"] >= 2) & (numbers["hosts"] >= 2)
    is_cut = (numbers["pages"] >= limits.pages) & (numbers["hosts"] >= limits.hosts)
    examples = pc.list_slice(own["page_hashes"], 0, EXAMPLES)
    rows = pa.table([keys, *map(pa.array, numbers.values()), pa.array(is_cut), examples.cast(LISTED.field(5).type)],
                    schema=LISTED)  # fmt: skip
    return rows.filter(pa.array(often))


def _distinct_of(place: np.ndarray, lists: pa.ChunkedArray, n: int) -> np.ndarray:
    """How many different hashes the lists of each place have together, MOST_HASHES at most."""
    hashes = pc.list_flatten(lists).to_numpy()
    owner = np.repeat(place, pc.list_value_length(lists).to_numpy())
    first = _firsts(order := np.lexsort((hashes, owner)), owner, hashes)
    counts: np.ndarray = np.bincount(owner[order][first], minlength=n)
    return np.minimum(counts, MOST_HASHES)


def stored_counts(paths: Sequence[str], bucket: int, n: int) -> pa.Table:
    """Rows of PARAGRAPH_COUNTS of files of a crawl, of a bucket of this one, as far as these may be there: only row
    groups that have some are read."""
    parts = [PARAGRAPH_COUNTS.empty_table()]
    for path in paths:
        with open_parquet(path) as file:
            for number in range(file.num_row_groups):
                said = file.metadata.row_group(number).column(0).statistics
                ends = np.array([said.min, said.max]) if said and said.has_min_max else None
                if ends is not None:
                    first, last = bucket_of(ends, n)
                    if last < bucket or bucket < first:
                        continue
                rows = file.read_row_group(number, PARAGRAPH_COUNTS.names, use_threads=False)
                parts.append(rows.filter(pa.array(bucket_of(rows["paragraph"].to_numpy(), n) == bucket)))
    return pa.concat_tables(part.cast(PARAGRAPH_COUNTS) for part in parts)
