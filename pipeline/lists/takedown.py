"""Pages to be taken down: single ones by address, and all of a host or below an address, looked up a batch at a time.

A list of addresses has a line a page, a URL with or without scheme; `#` begins a comment. An address stands for that
page alone: not for the pages below it, nor for the same page with another query. A list of hosts is one of
`pipeline.lists.url_lists`: a domain stands for all its hosts, the beginning of an address for all below it.

Addresses are compared as there, by what `pipeline.web.addresses.page` says of them: scheme, user, port, a leading
`www.`, a trailing slash and the fragment do not count, nor do case and percent-encoding. Every line must be understood,
for one that is not is a page that stays.

Entries are kept as 64-bit hashes: with ten million of them, one address in 10^11 is taken by chance.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from pipeline.lists import list_files
from pipeline.lists.url_lists import UrlLists, is_host
from pipeline.web.addresses import SCHEME, bare, page, split
from schemas.errors import UserError

_COMMENT = re.compile(r"(?:^|\s)#.*")
_COMMENT_LINES = re.compile(rb"^\s*#.*$", re.M)


class Takedown:
    """urls, hosts: files (hosts: folders too). UserError in one line for what is missing, empty or not understood.

    n_urls, n_hosts: entries. n_fronts: of the addresses, those that are nothing but a host. url_hashes: of the
    addresses, uint64, ascending. Pickles to arrays.
    """

    def __init__(self, urls: Sequence[str], hosts: Sequence[str]) -> None:
        entries = [_hashed(line) for path in urls for line in _addresses(path)]
        self.n_urls, self.n_fronts = len(entries), sum(front for _, front in entries)
        self.url_hashes = np.unique(np.fromiter((value for value, _ in entries), np.uint64, len(entries)))
        self._hosts = _host_lists(hosts)
        self.n_hosts = sum(self._hosts.n_entries)

    def match(self, urls: pa.Array) -> np.ndarray:
        """bool, an address each: what is to be taken down. urls: strings, nulls allowed."""
        hits = self.match_hosts(urls)
        if len(self.url_hashes):
            given = (url and url.decode("utf-8", "replace") for url in urls.cast(pa.large_binary()).to_pylist())
            hashes = np.fromiter((xxh3_64_intdigest(page(url or "")) for url in given), np.uint64, len(urls))
            places = np.searchsorted(self.url_hashes, hashes)
            places[places == len(self.url_hashes)] = 0
            hits |= self.url_hashes[places] == hashes
        return hits

    def match_hosts(self, hosts: pa.Array) -> np.ndarray:
        """`match` by the lists of hosts alone, for bare hosts."""
        hits = [value is not None for value in self._hosts.match(hosts)]
        return np.fromiter(hits, np.bool_, len(hits))


def _hashed(line: str) -> tuple[int, bool]:
    """The entry's hash, and whether it is a host alone."""
    whole = page(line)
    return xxh3_64_intdigest(whole), whole == bare(split(line)[0])


def _addresses(path: str) -> Iterator[str]:
    """The lines of a list of addresses."""
    try:
        lines = list_files.text(path).split("\n")
    except UserError as error:
        raise UserError(f"--urls {error}") from None
    empty = True
    for number, given in enumerate(lines, 1):
        line = _COMMENT.sub("", given).strip()
        if not line:
            continue
        if line.endswith("*"):
            raise UserError(
                f"--urls {path}: line {number}, {line[:80]!r}, ends in *, but an entry is one page; for all below an "
                "address give it in a list of --hosts, without the *"
            )
        if not _is_address(line):
            raise UserError(
                f"--urls {path}: line {number}, {line[:80]!r}, is no address; give a page a line, such as "
                "https://example.org/page, with %20 for a space"
            )
        empty = False
        yield line
    if empty:
        raise UserError(f"--urls {path}: no address in it; give a page a line")


def _is_address(line: str) -> bool:
    host = split(line)[0]
    if len(line.split()) > 1 or not is_host(host):
        return False
    return bool(SCHEME.match(line)) or (b"." in host and "@" not in line.split("/")[0])


def _host_lists(paths: Sequence[str]) -> UrlLists:
    try:
        for path in paths:
            if not list_files.files(path) and not _COMMENT_LINES.sub(b"", list_files.read(path)).strip():
                raise UserError(f"{path}: no host in it; give a host or a domain a line")
        lists = UrlLists(paths)
    except UserError as error:
        raise UserError(f"--hosts {error}") from None
    if any(lists.n_ignored):
        raise UserError(f"--hosts {'; '.join(lists.summary()[1:])}: mend these lines or take them out")
    return lists
