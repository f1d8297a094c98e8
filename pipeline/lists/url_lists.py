"""Hosts and URLs that the user wants to do without, looked up a batch at a time.

A list is a plain file, a line a host, a domain or a URL with or without scheme (`#` begins a comment; a hosts file's
leading address is skipped), or the UT1 layout (https://dsi.ut-capitole.fr/blacklists/): a folder for each category with
files `domains` and `urls`. Files may be gzip.

A domain stands for itself and all below it: `example.com` blocks `www.example.com`, not `notexample.com`. A URL stands
for all that begins with it and goes on with `/`, `?`, `&` or `#`: `example.com/a` blocks `example.com/a/b`, not
`example.com/ab`; with a query it blocks that query. Scheme, user, port, a leading `www.`, a trailing slash and the
fragment do not count, nor do case and percent-encoding, and all else is read as browsers do (`pipeline.web.addresses`).

Entries are kept as 64-bit hashes: with ten million of them, one address in 10^11 is blocked by chance.
"""

import re
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from pipeline.lists import list_files
from pipeline.store import storage
from pipeline.web.addresses import bare, plain, split
from schemas.errors import UserError

MAX_HOST = 253

_UT1 = re.compile(r"(?:(.*)/)?(domains|urls)(?:\.gz)?")
_PLAIN = re.compile(r"[^/]+\.(?:txt|lst|list)(?:\.gz)?", re.I)
_IPV4 = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]*:[0-9a-f]*", re.I)
_COMMENT = re.compile(r"(?:^|\s)#.*")
_LABEL = r"[^\s.:\"'<>|^*()\[\],;@!$%&=+~`{}/?#\\]{1,63}"
HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}|\[[0-9a-f:.]+\]")
# hosts that are written as they are compared: names that end in no number, and addresses
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NAME = r"(?:(?!xn--)[a-z0-9_-]{1,63}+\.)*+(?![0-9]++(?:\n|\Z)|0x|xn--)[a-z0-9_-]{1,63}+"
_SIMPLE_HOST = rf"(?:(?:{_BYTE}\.){{3}}{_BYTE}(?=\n|\Z)|{_NAME})"
_SIMPLE = re.compile(_SIMPLE_HOST.encode())
_SIMPLE_LINES = re.compile(rf"(?:{_SIMPLE_HOST}\n)++".encode())
_CHUNK = 1 << 16


class UrlLists:
    """Lists, in the order given: where an address is on several, the first is named.

    paths: files or folders, each as `path` or `name=path`. A plain list is called by its file, a UT1 list by its
    category. UserError for what is missing, not UTF-8 or no list. Pickles to arrays: load once, then broadcast.
    names: the lists.  n_entries: of each.  n_ignored: lines of each that name neither host nor URL.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.names: list[str] = []
        self.n_entries: list[int] = []
        self.n_ignored: list[int] = []
        self._notes: list[str] = []
        hosts: list[tuple[np.ndarray, int]] = []
        urls: list[tuple[np.ndarray, int]] = []
        self._longest_url = 0
        for source in paths:
            for name, files in _members(source):
                entries = _Entries()
                for file in files:
                    entries.read(file)
                if not entries.count or entries.ignored > entries.count:
                    raise UserError(
                        f"{files[0]}: {entries.ignored} lines of {entries.count + entries.ignored} name neither host "
                        f"nor URL{entries.first_ignored}; give a host, a domain or a URL a line, or a UT1 folder"
                    )
                if name not in self.names:
                    self.names.append(name)
                    self.n_entries.append(0)
                    self.n_ignored.append(0)
                index = self.names.index(name)
                self.n_entries[index] += entries.count
                self.n_ignored[index] += entries.ignored
                if entries.ignored:
                    self._notes.append(
                        f"block list {name}: {files[0]}: {entries.ignored:,} lines are ignored, which name "
                        f"neither host nor URL{entries.first_ignored}"
                    )
                hosts.append((np.concatenate([np.empty(0, np.uint64), *entries.hosts]), index))
                urls.append((np.fromiter(entries.urls, np.uint64, len(entries.urls)), index))
                self._longest_url = max(self._longest_url, entries.longest_url)
        self._hosts, self._host_lists = _table(hosts)
        self._urls, self._url_lists = _table(urls)

    def summary(self) -> list[str]:
        """Lines for the log: what is listed, and what could not be read."""
        lists = ", ".join(f"{name} {count:,}" for name, count in zip(self.names, self.n_entries, strict=True))
        return [f"block lists: {sum(self.n_entries):,} entries: {lists}", *self._notes] if self.names else []

    def match(self, urls: pa.Array) -> list[str | None]:
        """`host:NAME` or `url:NAME` by address, None for those on no list.

        urls: an array of strings, nulls allowed; bytes that are no UTF-8 count as U+FFFD.
        """
        verdicts: list[str | None] = [None] * len(urls)
        if not len(self._hosts) and not len(self._urls):
            return verdicts
        host_rows: list[int] = []
        host_hashes: list[int] = []
        url_rows: list[int] = []
        url_hashes: list[int] = []
        for row, url in enumerate(urls.cast(pa.large_binary()).to_pylist()):
            if url is None:
                continue
            host, rest = split(url.decode("utf-8", "replace"))
            before = len(host_hashes)
            host_hashes.extend(map(xxh3_64_intdigest, _domains(host)))
            host_rows.extend([row] * (len(host_hashes) - before))
            if self._longest_url:
                before = len(url_hashes)
                url_hashes.extend(map(xxh3_64_intdigest, _prefixes(bare(host), rest, self._longest_url)))
                url_rows.extend([row] * (len(url_hashes) - before))
        for kind, table, lists, rows, hashes in (
            ("url", self._urls, self._url_lists, url_rows, url_hashes),
            ("host", self._hosts, self._host_lists, host_rows, host_hashes),  # the second outweighs the first
        ):
            for row, index in _hits(table, lists, rows, hashes):
                verdicts[row] = f"{kind}:{self.names[index]}"
        return verdicts


class _Entries:
    """What files say, as hashes."""

    def __init__(self) -> None:
        self.hosts: list[np.ndarray] = []
        self.urls: list[int] = []
        self.longest_url = self.ignored = self.count = 0
        self.first_ignored = ""

    def read(self, path: str) -> None:
        data = list_files.read(path)
        if not data.isascii() or b"\0" in data:
            list_files.decoded(data, path)  # an encoding is judged by the whole file
            data = data.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        begin = line = 0
        while begin < len(data):  # in pieces, so that one odd line does not slow the millions down
            end = data.find(b"\n", begin + _CHUNK) + 1 or len(data)
            piece = data[begin:end]
            lines = piece.removesuffix(b"\n").split(b"\n")
            if not _SIMPLE_LINES.fullmatch(piece):
                lines = [host for number, given in enumerate(lines, line + 1) for host in self._hosts_of(given, number)]
            self.hosts.append(np.fromiter(map(xxh3_64_intdigest, lines), np.uint64, len(lines)))
            self.count += len(lines)
            line += piece.count(b"\n")
            begin = end

    def _hosts_of(self, given: bytes, number: int) -> Iterable[bytes]:
        """The host on a line, if it is one; a URL is added."""
        if _SIMPLE.fullmatch(given):
            return (given,)
        line = given.decode("utf-8")
        if "#" in line:
            line = _COMMENT.sub("", line)
        line = line.strip()
        if not line:
            return ()
        if (parts := line.split()) and len(parts) == 2 and _ADDRESS.fullmatch(parts[0]):
            line = parts[1]
        host, rest = split(line)
        host = host.removeprefix(b"*.").lstrip(b".")
        if len(line.split()) > 1 or not is_host(host):
            self.ignored += 1
            self.first_ignored = self.first_ignored or f" (line {number}: {line[:40]!r})"
            return ()
        prefixes = list(_prefixes(bare(host), rest, 4 * MAX_HOST + 4 * len(line)))
        if not prefixes:
            return (host,)
        self.urls.append(xxh3_64_intdigest(prefixes[-1]))
        self.longest_url = max(self.longest_url, len(prefixes[-1]))
        self.count += 1
        return ()


def is_host(host: bytes) -> bool:
    """Whether what `split` found can be a host's name or address."""
    return host.isascii() and bool(HOST.fullmatch(host.decode()))


def _members(source: str) -> Iterator[tuple[str, list[str]]]:
    """The lists of a source: name and files."""
    name, path = list_files.named(source)
    given = name if source != path else None
    inside = list_files.files(path)
    if not inside:
        yield name, [path]
        return
    categories: dict[str, list[str]] = {}
    for file in inside:
        if (match := _UT1.fullmatch(file)) is not None:
            category = (match.group(1) or "").rsplit("/", 1)[-1] or name
            categories.setdefault(given or category, []).append(storage.join(path, file))
    if not categories:
        for file in inside:
            if _PLAIN.fullmatch(file):
                categories.setdefault(given or list_files.stem(file), []).append(storage.join(path, file))
    if not categories:
        raise UserError(f"{path}: no list in this folder; looked for `domains` and `urls` of UT1, and .txt files")
    yield from categories.items()


def _domains(host: bytes) -> list[bytes]:
    """The host and the domains that it is in. Of a name longer than any, only itself."""
    if len(host) > MAX_HOST or host.startswith(b"[") or (host[-1:].isdigit() and _IPV4.fullmatch(host)):
        return [host]
    domains = [host]
    at = host.find(b".")
    while at >= 0:
        domains.append(host[at + 1 :])
        at = host.find(b".", at + 1)
    return domains


def _prefixes(host: bytes, rest: str, longest: int) -> Iterator[bytes]:
    """What a URL begins with, cut at its boundaries and at most `longest` bytes long, itself last."""
    rest = rest.partition("#")[0]
    path, mark, query = rest.partition("?")
    path, query = path[: 3 * longest + 3], query[: 3 * longest + 3]  # of %C3 and the like, still too long
    start = len(host)
    front = host + plain(path).rstrip(b"/")
    at = front.find(b"/", start + 1)
    while 0 < at <= longest:
        yield front[:at]
        at = front.find(b"/", at + 1)
    if start < len(front) <= longest:
        yield front
    if mark and len(front) < longest and (asked := plain(query).rstrip(b"&")):
        whole = front + b"?" + asked
        at = whole.find(b"&", len(front) + 1)
        while 0 < at <= longest:
            yield whole[:at]
            at = whole.find(b"&", at + 1)
        if len(whole) <= longest:
            yield whole


def _table(parts: list[tuple[np.ndarray, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Hashes in order, uint64, and the first list that has each, uint32; both of shape (n_entries,)."""
    if not parts:
        return np.empty(0, np.uint64), np.empty(0, np.uint32)
    hashes = np.concatenate([part for part, _ in parts])
    lists = np.concatenate([np.full(len(part), index, np.uint32) for part, index in parts])
    unique, first = np.unique(hashes, return_index=True)
    return unique, lists[first]


def _hits(table: np.ndarray, lists: np.ndarray, rows: list[int], hashes: list[int]) -> Iterator[tuple[int, int]]:
    """Row and list of every hit, the first list of a row last."""
    if not len(table) or not rows:
        return
    wanted = np.fromiter(hashes, np.uint64, len(hashes))
    places = np.searchsorted(table, wanted)
    places[places == len(table)] = 0
    hits = np.flatnonzero(table[places] == wanted)
    indices = lists[places[hits]]
    for hit in hits[np.argsort(-indices.astype(np.int64), kind="stable")].tolist():
        yield rows[hit], int(lists[places[hit]])
