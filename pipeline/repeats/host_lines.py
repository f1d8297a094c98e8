"""Lines that repeat on many pages of a host (menus, footers, disclaimers), counted by hashes.

A page counts once, however often it was fetched or copied: pages with the same lines are one, and pages of one address
are one, whatever changed between the fetches. Without this the lines of an article stored ten times would all repeat.
`pipeline.stages.repeats.repeated_lines` is the same with shuffles.
"""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh64_intdigest

from pipeline.repeats import page_lines
from schemas.repeats import LINES

EXAMPLE_CHARACTERS = 300
# Authority (without user and port), then what follows up to the fragment. Without `//` there is no authority.
ADDRESS = r"^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/?#\\]*@)?(\[[^\]/?#\\]*\]|[^:/?#\\]*)(?::[0-9]*)?([^#]*)"
WWW = r"^www\.(?=[^.]*\.)"  # not of www.com
LOW_BITS = 0xFFFFFFFF
PAGE = 0  # in place of a line's key, which is never 0: the page itself
OCCURRENCES = pa.schema(
    [
        ("site", pa.int64()),  # hash of the host
        ("line", pa.int64()),  # key of the line, or PAGE
        ("page", pa.int64()),  # 32 bits of the hash of the page's lines, 32 of that of its address
        ("n", pa.int32()),  # how often the page has the line
    ]
)
REPEATS = pa.schema(
    [
        ("site", pa.int64()),
        ("line", pa.int64()),
        ("pages", pa.int64()),  # of the host that have the line
        ("lines", pa.int64()),  # occurrences on these pages
        ("address", pa.int64()),  # of the page to take the line from: one that was counted, the same for most lines
        ("host_pages", pa.int64()),
    ]
)
_ADDRESS = re.compile(ADDRESS, re.ASCII)
_WWW = re.compile(WWW)


class Addresses(NamedTuple):
    """Of n pages. hosts: string, null without one: the authority in lower case, without user, port, a leading `www.`
    and dots at the end. sites: int64, hashes of the hosts. addresses: int64, 32 bits of host and what follows it."""

    hosts: pa.Array
    sites: np.ndarray
    addresses: np.ndarray


def addresses_of(urls: pa.Array) -> Addresses:
    """Scheme, user, port, `www.` and fragment tell no pages apart."""
    hosts: list[str | None] = []
    sites, addresses = np.zeros(len(urls), np.int64), np.zeros(len(urls), np.int64)
    for place, url in enumerate(urls.to_pylist()):
        match = _ADDRESS.match(url or "")
        host = _WWW.sub("", match.group(1).lower().rstrip(".")) if match else ""
        hosts.append(host or None)
        if host and match:
            site = xxh64_intdigest(host.encode("utf-8", "surrogatepass"), 42)  # as Spark's xxhash64
            rest = match.group(2).encode("utf-8", "surrogatepass")
            sites[place] = site - (1 << 64) if site >> 63 else site
            addresses[place] = xxh64_intdigest(rest, site) & LOW_BITS
    return Addresses(pa.array(hosts, pa.string()), sites, addresses)


def occurrences(texts: pa.Array, sites: np.ndarray, addresses: np.ndarray) -> pa.RecordBatch:
    """Rows of OCCURRENCES: the lines of each page, each once, and the page. Of 100,000 pages of a host about one is
    taken for another, by the 32 bits that its hashes have."""
    keys = page_lines.page_keys(page_lines.lines_of(texts))
    n_keys = np.diff(keys.offsets)
    some = n_keys > 0
    page = (keys.pages.view(np.int64) << 32) | addresses
    columns = (
        np.concatenate([np.repeat(sites, n_keys), sites[some]]),
        np.concatenate([keys.keys, np.full(some.sum(), PAGE, np.int64)]),
        np.concatenate([np.repeat(page, n_keys), page[some]]),
        np.concatenate([keys.counts, np.ones(some.sum(), np.int32)]),
    )
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=OCCURRENCES)


def repeats(counted: pa.Table, min_line_pages: int, min_line_share: float) -> pa.Table:
    """Rows of REPEATS: the lines on at least `min_line_pages` pages of their host and that share of all its pages.

    counted: rows of OCCURRENCES, all of those of a site.
    """
    page = counted["page"].to_numpy()
    rows = pa.table(
        {
            "site": counted["site"],
            "line": counted["line"],
            "text": pa.array(page >> 32),
            "address": pa.array(page & LOW_BITS),
            "n": counted["n"],
        }
    )
    texts = _grouped(rows, ["site", "line", "text"], [("address", "min"), ("n", "max")])
    addresses = _grouped(texts, ["site", "line", "address"], [("n", "max")])
    counts = addresses.group_by(["site", "line"], use_threads=False).aggregate(
        [([], "count_all"), ("n", "sum"), ("address", "min")]
    )
    line_counts = counts.select(["site", "line", "count_all", "n_sum", "address_min"])
    line_counts = line_counts.rename_columns(["site", "line", "pages", "lines", "address"])
    is_site = pc.equal(line_counts["line"], PAGE)
    by_site = line_counts.filter(is_site).select(["site", "pages"]).rename_columns(["site", "host_pages"])
    often = line_counts.filter(pc.and_(pc.invert(is_site), pc.greater_equal(line_counts["pages"], min_line_pages)))
    place = pc.index_in(often["site"], value_set=by_site["site"].combine_chunks())
    often = often.append_column("host_pages", by_site["host_pages"].take(place))
    # As a quotient, which is the share's own double where they are equal.
    share = pc.divide(often["pages"].cast(pa.float64()), often["host_pages"].cast(pa.float64()))
    return often.filter(pc.greater_equal(share, min_line_share)).select(REPEATS.names).cast(REPEATS)


def _grouped(rows: pa.Table, keys: list[str], aggregates: list[tuple[str, str]]) -> pa.Table:
    """With the aggregates under their columns' own names."""
    grouped = rows.group_by(keys, use_threads=False).aggregate(aggregates)
    columns = [*keys, *(f"{name}_{function}" for name, function in aggregates)]
    return grouped.select(columns).rename_columns([*keys, *(name for name, _ in aggregates)])


def shown_lines(texts: pa.Array, hosts: pa.Array, wanted: pa.ListArray) -> pa.RecordBatch:
    """Rows of LINES, one each time that a wanted line is on a page. wanted: a list a page of structs line, pages,
    lines, host_pages, ascending by line; null for none."""
    wanted = wanted.fill_null([])
    values = wanted.flatten()
    offsets = np.concatenate(([0], np.cumsum(wanted.value_lengths().to_numpy()))).astype(np.int32)  # as of `flatten`
    hits = page_lines.find(texts, pa.ListArray.from_arrays(pa.array(offsets), values.field("line")))
    chosen = values.take(pa.array(hits.wanted))
    columns = [
        hosts.take(pa.array(hits.texts)),
        *(chosen.field(name) for name in ("line", "pages", "lines", "host_pages")),
        hits.lines,
    ]
    cast = [column.cast(field.type, safe=False) for column, field in zip(columns, LINES, strict=True)]
    return pa.RecordBatch.from_arrays(cast, schema=LINES)


def one_of_each(shown: pa.Table) -> pa.Table:
    """Rows of LINES, one a host and line, with the least text of those shown, cut at EXAMPLE_CHARACTERS."""
    cut = shown.set_column(5, "text", pc.utf8_slice_codeunits(shown["text"], 0, EXAMPLE_CHARACTERS))
    numbers = ("pages", "lines", "host_pages")
    return _grouped(cut, ["host", "line_hash"], [(name, "min") for name in (*numbers, "text")]).cast(LINES)


class RepeatedLines:
    """The lines of all hosts that repeat, looked up by page."""

    def __init__(self, repeated: pa.Table) -> None:
        """repeated: rows of REPEATS."""
        ordered = repeated.sort_by([("site", "ascending"), ("line", "ascending")]).combine_chunks()
        self._sites, starts = np.unique(ordered["site"].to_numpy(), return_index=True)
        offsets = pa.array(np.append(starts, len(ordered)).astype(np.int32))
        lines = ordered["line"].combine_chunks() if len(ordered) else pa.array([], pa.int64())
        self._lines = pa.ListArray.from_arrays(offsets, lines)
        self._by_page: dict[tuple[int, int], list[dict[str, int]]] = {}
        for row in ordered.to_pylist():
            told = {name: row[name] for name in ("line", "pages", "lines", "host_pages")}
            self._by_page.setdefault((row["site"], row["address"]), []).append(told)

    def of_hosts(self, pages: Addresses) -> pa.Array:
        """By page the lines that its host repeats, a list of int64, ascending; null for none."""
        if not len(self._sites):
            return pa.nulls(len(pages.sites), pa.list_(pa.int64()))
        place = np.minimum(np.searchsorted(self._sites, pages.sites), len(self._sites) - 1)
        missing = (self._sites[place] != pages.sites) | pages.hosts.is_null().to_numpy(zero_copy_only=False)
        return self._lines.take(pa.array(place, mask=missing))

    def to_show(self, pages: Addresses) -> pa.Array:
        """By page the lines to be taken from it, as `shown_lines` wants them."""
        kind = pa.list_(pa.struct([(name, pa.int64()) for name in ("line", "pages", "lines", "host_pages")]))
        keys = zip(pages.sites.tolist(), pages.addresses.tolist(), strict=True)
        return pa.array([self._by_page.get(key) for key in keys], kind)
