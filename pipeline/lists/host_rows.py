"""Addresses of a host in a column of millions: most are told by the column alone not to be of it, and only the others
are read as addresses are.

A host is compared as in lists of hosts: a domain stands for itself and for all below it.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.web.addresses import REFUSED, bare, page, split

# A host that is not written as it is compared: with letters outside ASCII, or percent-encoded.
_ODD = r"[^\x21-\x7e]|^(?:[^/?#\\]*[/\\]{2})?[^/?#\\]*%"
# One that is written plainly, so that each is read once, however many addresses it has.
_PLAIN = r"^[Hh][Tt][Tt][Pp][Ss]?://(?P<host>[A-Za-z0-9._-]+)(?:[/?#]|$)"


def host_of(url: str) -> bytes:
    """As it is compared: in small letters, punycode, without a leading `www.`."""
    return bare(split(url)[0])


def may_be_of(urls: pa.Array, host: bytes) -> np.ndarray:
    """bool, an address each: False where it is surely not of the host or one below it. urls: strings, nulls allowed."""
    host = host.removeprefix(REFUSED)
    if not re.search(rb"[a-z]", host) or b"[" in host:  # numbers are written in more ways than one
        return urls.is_valid().to_numpy(zero_copy_only=False)
    text = urls.cast(pa.large_binary())
    found = pc.or_(
        pc.match_substring(text, host.decode("ascii", "replace"), ignore_case=True),
        pc.match_substring_regex(text, _ODD),
    )
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False)


def of_host(urls: pa.Array, host: bytes) -> np.ndarray:
    """bool, an address each: whether it is of the host or a host below it. host: as of `host_of`."""
    hits = may_be_of(urls, host)
    maybe = urls.filter(pa.array(hits)).cast(pa.large_binary())
    plain = pc.struct_field(pc.extract_regex(maybe, _PLAIN), [0]).dictionary_encode()
    known = np.array([*(_is_of(b"https://" + name + b"/", host) for name in plain.dictionary.to_pylist()), False])
    found = known[pc.fill_null(plain.indices, -1).to_numpy(zero_copy_only=False)]
    for place in np.flatnonzero(plain.is_null().to_numpy(zero_copy_only=False)).tolist():
        found[place] = _is_of(maybe[place].as_py(), host)
    hits[hits] = found
    return hits


def _is_of(url: bytes, host: bytes) -> bool:
    own = host_of(url.decode("utf-8", "replace"))
    return own == host or own.endswith(b"." + host)


def of_addresses(urls: pa.Array, wanted: frozenset[str]) -> np.ndarray:
    """bool, an address each: whether it names the page that one of these does."""
    pages, maybe = {page(one) for one in wanted}, np.zeros(len(urls), np.bool_)
    for host in {host_of(one) for one in wanted}:
        maybe |= may_be_of(urls, host)
    for place in np.flatnonzero(maybe).tolist():
        given = urls[place].cast(pa.binary()).as_py().decode("utf-8", "replace")
        maybe[place] = page(given) in pages
    return maybe
