"""Where no record has an address: what is nearest to it among the addresses of its host."""

import difflib

import pyarrow as pa

from pipeline.explaining.corpus import Corpus
from pipeline.explaining.hosts import pages_of
from pipeline.lists.host_rows import host_of
from pipeline.web.addresses import page
from schemas.errors import UserError

MOST = 3
CUTOFF = 0.6
LOOKED_AT = 20_000  # addresses of a host


def no_such_address(corpora: list[Corpus], url: str) -> UserError:
    """In one line, with what may be meant. Addresses that differ in scheme, case, `www.` or a trailing slash alone are
    no others: those were found."""
    known: set[str] = set()
    for corpus in corpora:
        for table in ("documents", "skipped"):
            found = pages_of(corpus, table, host_of(url), {"url": pa.string()})
            known.update(one for one in found["url"].slice(0, LOOKED_AT).to_pylist() if one)
    by_path = {_path(one): one for one in sorted(known)}
    near = difflib.get_close_matches(_path(url), by_path, n=MOST, cutoff=CUTOFF)
    host = host_of(url).decode("utf-8", "replace")
    if near:
        more = f"; nearest of {len(known):,} of {host}: " + ", ".join(by_path[one] for one in near)
    else:
        more = (
            f"; of {host} there are {len(known):,} others: --host {host} lists them" if known else f"; none of {host}"
        )
    return UserError(f"--url {url}: no record of this address in {_roots(corpora)}/extract{more}{_removed(corpora)}")


def _path(url: str) -> str:
    """What follows the host, as it is compared."""
    return page(url)[len(host_of(url)) :].decode("utf-8", "replace")


def no_such_id(corpora: list[Corpus], name: str) -> UserError:
    return UserError(f"--id {name}: no record of this id in any stage of {_roots(corpora)}{_removed(corpora)}")


def no_such_host(corpora: list[Corpus], host: str) -> UserError:
    return UserError(f"--host {host}: no page of this host, or below it, in {_roots(corpora)}{_removed(corpora)}")


def _roots(corpora: list[Corpus]) -> str:
    return ", ".join(corpus.root for corpus in corpora)


def _removed(corpora: list[Corpus]) -> str:
    if any(corpus.taken_down() for corpus in corpora):
        return "; a page that was removed cannot be told from one that was never there: removed/ keeps no addresses"
    return ""
